//go:build !linux || !(amd64 || arm64)

package pagefault

import (
	"context"
	"errors"
)

// ErrNoFault says that an access or an instruction was carried out: there was nothing to catch.
var ErrNoFault = errors.New("carried out without a fault")

var errCatchLinuxOnly = &NotSupportedError{Feature: "catching faults", Since: "Linux on amd64 or arm64"}

// Child returns false: on this system there are no children to be.
func Child() bool { return false }

// Exceptions is empty: Linux only.
func Exceptions() []Exception { return nil }

// Catch fails: Linux only.
func (e Exception) Catch(context.Context) (*Fault, error) { return nil, errCatchLinuxOnly }

// CatchAccess fails: Linux only.
func CatchAccess(context.Context, uintptr, Access) (*Fault, error) { return nil, errCatchLinuxOnly }

// FaultOf returns a Fault that an error holds, or nil.
func FaultOf(err error) *Fault {
	f := (*Fault)(nil)
	errors.As(err, &f)
	return f
}

// Run fails: Linux only.
func (c Cause) Run(context.Context, CauseOptions) (*Caused, error) { return nil, errCatchLinuxOnly }

// RunObserved fails: Linux only.
func (c Cause) RunObserved(context.Context, CauseOptions, Options) (*Observed, error) {
	return nil, errCatchLinuxOnly
}

// Causes is empty: Linux only.
func Causes() []Cause { return nil }

// CauseNamed fails: Linux only.
func CauseNamed(string) (Cause, error) { return Cause{}, errCatchLinuxOnly }

type scene struct{}
