package bpf

import (
	"errors"
	"fmt"
	"io/fs"
)

// A NotSupportedError says that this kernel cannot do a thing. It matches errors.ErrUnsupported.
type NotSupportedError struct {
	Feature string // what was tried
	Since   string // the kernel, and the option where there is one, that can
	Err     error  // what the kernel answered, or nil
}

func (e *NotSupportedError) Error() string {
	s := fmt.Sprintf("%s: not supported by this kernel (needs %s)", e.Feature, e.Since)
	if e.Err != nil {
		s += ": " + e.Err.Error()
	}
	return s
}

// Is reports whether target is errors.ErrUnsupported.
func (e *NotSupportedError) Is(target error) bool { return target == errors.ErrUnsupported }

// Unwrap returns what the kernel answered.
func (e *NotSupportedError) Unwrap() error { return e.Err }

// A NotPermittedError says that this process may not do a thing that the kernel could. It matches
// fs.ErrPermission.
type NotPermittedError struct {
	Op    string // what was tried
	Needs string // the capabilities that allow it
	Err   error  // what the kernel answered
}

func (e *NotPermittedError) Error() string {
	return fmt.Sprintf("%s: not permitted (needs %s)", e.Op, e.Needs)
}

// Is reports whether target is fs.ErrPermission.
func (e *NotPermittedError) Is(target error) bool { return target == fs.ErrPermission }

// Unwrap returns what the kernel answered.
func (e *NotPermittedError) Unwrap() error { return e.Err }
