package reactor

import (
	"errors"
	"fmt"
	"net"
	"runtime/debug"
)

// ErrClosed is the error of what belongs to a loop, connection or listener that has been closed. It matches
// net.ErrClosed.
var ErrClosed = fmt.Errorf("reactor: %w", net.ErrClosed)

// ErrWriteLimit is returned by [Conn.Write] where it would keep more than Options.WriteLimit bytes. Nothing of
// that call is sent then.
var ErrWriteLimit = errors.New("reactor: too much output that the peer does not take")

// A PanicError is the end of a connection whose handler panicked.
type PanicError struct {
	Value any    // what it panicked with
	Stack []byte // of the goroutine at that moment, as debug.Stack has it
}

// newPanicError is for the deferred function that has recovered value.
func newPanicError(value any) *PanicError { return &PanicError{value, debug.Stack()} }

func (e *PanicError) Error() string { return fmt.Sprintf("reactor: handler panicked: %v", e.Value) }

// Unwrap returns the value where it is an error.
func (e *PanicError) Unwrap() error {
	err, _ := e.Value.(error)
	return err
}

var errNoDescriptor = fmt.Errorf("it has no descriptor that is its own: %w", errors.ErrUnsupported)

var errNoAccept = errors.New("no function to accept connections")
