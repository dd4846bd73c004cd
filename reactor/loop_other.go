//go:build !linux

package reactor

import (
	"errors"
	"fmt"
)

// A Loop waits for connections and calls their handlers. There is none on this system: [New] fails.
type Loop struct{}

// A Conn is a connection on a loop. There is none on this system.
type Conn struct{}

// Close does nothing.
func (*Conn) Close() error { return nil }

// New fails with errors.ErrUnsupported.
func New(opts Options) (*Loop, error) {
	if err := opts.fill(); err != nil {
		return nil, err
	}
	return nil, fmt.Errorf("reactor: Linux only: %w", errors.ErrUnsupported)
}
