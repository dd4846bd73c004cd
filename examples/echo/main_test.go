//go:build linux

package main

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/ring3-go/ring3/internal/features"
	"github.com/ring3-go/ring3/internal/features/featuretest"
	"github.com/ring3-go/ring3/reactor"
)

func TestEveryEngineEchoesAndEndsGently(t *testing.T) {
	for _, args := range [][]string{
		{"-engine=net"}, {"-engine=epoll"}, {"-engine=iouring"},
		{"-engine=net", "-loops=2"}, {"-engine=epoll", "-loops=3"}, {"-engine=iouring", "-loops=3"},
	} {
		t.Run(strings.Join(args, " "), func(t *testing.T) {
			if args[0] == "-engine=iouring" {
				needRing(t)
			}
			ctx, cancel := context.WithCancel(context.Background())
			defer cancel()
			out, in := io.Pipe()
			done := make(chan error, 1)
			go func() { done <- run(ctx, args, in, io.Discard) }()
			addr, err := bufio.NewReader(out).ReadString('\n')
			if err != nil {
				t.Fatal(err)
			}
			c, err := net.Dial("tcp", strings.TrimSpace(addr))
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			c.SetDeadline(time.Now().Add(30 * time.Second))
			io.WriteString(c, "hello")
			b := make([]byte, 5)
			if _, err := io.ReadFull(c, b); err != nil || string(b) != "hello" {
				t.Fatalf("%q, %v", b, err)
			}
			c.Close()
			cancel()
			if err := <-done; err != nil {
				t.Error(err)
			}
		})
	}
}

// needRing skips where the kernel, or a policy, has no io_uring for the reactor.
func needRing(t *testing.T) {
	t.Helper()
	l, err := reactor.New(reactor.Options{Driver: reactor.IOURing})
	if err != nil {
		featuretest.Skip(t, features.RingDefer, err)
	}
	l.Close()
}

func TestEnginesToComeSaySo(t *testing.T) {
	err := run(context.Background(), []string{"-engine=async"}, io.Discard, io.Discard)
	if err == nil || !strings.Contains(err.Error(), "not yet") {
		t.Errorf("async: %v", err)
	}
	for _, args := range [][]string{{"-engine=other"}, {"-loops=0"}, {"more"}, {"-nonsense"}} {
		if err := run(context.Background(), args, io.Discard, io.Discard); !errors.Is(err, errUsage) {
			t.Errorf("%v: %v", args, err)
		}
	}
}
