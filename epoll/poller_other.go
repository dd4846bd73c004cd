//go:build !linux

package epoll

import (
	"errors"
	"fmt"
	"time"
)

var errLinuxOnly = fmt.Errorf("epoll: Linux only: %w", errors.ErrUnsupported)

// A Poller waits until descriptors are ready. There is none on this system: [New] fails.
type Poller struct{}

// New fails with errors.ErrUnsupported.
func New() (*Poller, error) { return nil, errLinuxOnly }

// FD returns -1.
func (*Poller) FD() int { return -1 }

// Add fails with errors.ErrUnsupported.
func (*Poller) Add(int, Events) (Token, error) { return 0, errLinuxOnly }

// Modify fails with errors.ErrUnsupported.
func (*Poller) Modify(Token, Events) error { return errLinuxOnly }

// Remove fails with errors.ErrUnsupported.
func (*Poller) Remove(Token) error { return errLinuxOnly }

// Live returns false.
func (*Poller) Live(Token) bool { return false }

// Wait fails with errors.ErrUnsupported.
func (*Poller) Wait([]Event, time.Duration) (int, error) { return 0, errLinuxOnly }

// Wake fails with errors.ErrUnsupported.
func (*Poller) Wake() error { return errLinuxOnly }

// Close does nothing.
func (*Poller) Close() error { return nil }
