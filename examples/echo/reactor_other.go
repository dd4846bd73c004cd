//go:build !linux

package main

import (
	"context"
	"errors"
	"fmt"
)

// serveReactor is for Linux.
func serveReactor(context.Context, string, int, func(string)) error {
	return fmt.Errorf("package reactor: Linux only: %w", errors.ErrUnsupported)
}
