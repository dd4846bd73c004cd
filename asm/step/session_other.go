//go:build !linux

package step

import (
	"context"
	"errors"
	"fmt"

	"github.com/ring3-go/ring3/asm"
)

var errLinuxOnly = fmt.Errorf("stepping is for Linux only: %w", errors.ErrUnsupported)

// Child reports whether this process was started to be stepped, and has been: never here.
func Child(func() []asm.Lesson) bool { return false }

type tracee struct{}

func begin(context.Context, string, asm.Function, Options) (*tracee, error) {
	return nil, errLinuxOnly
}

func (*tracee) next() (Step, error) { return Step{}, errLinuxOnly }
func (*tracee) end() error          { return nil }
