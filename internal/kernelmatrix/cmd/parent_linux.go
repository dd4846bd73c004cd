package main

import (
	"context"
	"os"
	"strconv"
	"strings"
	"time"
)

// withParent returns a context that ends when the go command that started us
// (as "go run" does) is killed: it dies without passing the signal on, and
// would leave us and our machines running. Under any other parent, a shell
// that put us into the background for one, its end means nothing.
func withParent(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(ctx)
	parent := os.Getppid()
	name, err := os.ReadFile("/proc/" + strconv.Itoa(parent) + "/comm")
	if err != nil || strings.TrimSpace(string(name)) != "go" {
		return ctx, cancel
	}
	go func() {
		ticker := time.NewTicker(time.Second) // the kernel offers a signal, but only for the parent's thread
		defer ticker.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-ticker.C:
				if os.Getppid() != parent {
					cancel()
				}
			}
		}
	}()
	return ctx, cancel
}
