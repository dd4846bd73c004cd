package iouring

import (
	"errors"
	"fmt"
	"io/fs"
)

var (
	// ErrClosed is returned by the methods of a ring that has been closed. It matches fs.ErrClosed.
	ErrClosed = fmt.Errorf("iouring: ring is closed: %w", fs.ErrClosed)

	// ErrFull is returned where the submission queue has no place: submit first. Nothing was lost.
	ErrFull = errors.New("iouring: submission queue is full")

	// ErrStale is returned for an [Entry] that was submitted already, or filled in already, and for a [Token]
	// whose operation has ended.
	ErrStale = fmt.Errorf("iouring: entry or operation is no longer there: %w", fs.ErrNotExist)

	// ErrWrongThread is returned where a ring belongs to another thread than the one that calls; see
	// [Options.SingleIssuer].
	ErrWrongThread = errors.New("iouring: ring belongs to another thread")

	// ErrInFlight is returned by Close where operations neither ended nor let themselves be cancelled in time.
	// Their memory is kept; Close may be called again.
	ErrInFlight = errors.New("iouring: operations are still in flight")

	// ErrLost is returned where the kernel had no memory to keep a completion that found no place in the queue.
	// What belongs to its operation is kept until the ring is closed.
	ErrLost = errors.New("iouring: the kernel lost a completion for want of memory")
)
