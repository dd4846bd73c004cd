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
)

func TestEveryEngineEchoesAndEndsGently(t *testing.T) {
	for _, args := range [][]string{{"-engine=net"}, {"-engine=epoll"}, {"-engine=epoll", "-loops=3"}, {"-engine=net", "-loops=2"}} {
		t.Run(strings.Join(args, " "), func(t *testing.T) {
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

func TestEnginesToComeSaySo(t *testing.T) {
	for _, name := range []string{"iouring", "async"} {
		err := run(context.Background(), []string{"-engine=" + name}, io.Discard, io.Discard)
		if err == nil || !strings.Contains(err.Error(), "not yet") {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, args := range [][]string{{"-engine=other"}, {"-loops=0"}, {"more"}, {"-nonsense"}} {
		if err := run(context.Background(), args, io.Discard, io.Discard); !errors.Is(err, errUsage) {
			t.Errorf("%v: %v", args, err)
		}
	}
}
