//go:build !linux

package main

import (
	"context"
	"errors"
	"fmt"
)

// serveEpoll is for Linux.
func serveEpoll(context.Context, string, int, func(string)) error {
	return fmt.Errorf("package reactor: Linux only: %w", errors.ErrUnsupported)
}

// serveIOURing is for Linux.
func serveIOURing(ctx context.Context, addr string, loops int, ready func(string)) error {
	return serveEpoll(ctx, addr, loops, ready)
}
