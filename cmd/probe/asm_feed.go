package main

import (
	"context"
	"errors"
	"io"
	"strings"

	"github.com/ring3-go/ring3/asm"
	"github.com/ring3-go/ring3/asm/step"
)

// A shownStep is a step of a function that is being stepped.
type shownStep struct {
	function string
	step.Step
	said string // with the last: what the function wrote to standard output
}

// stepFeed gives the steps of functions, one function after the other.
type stepFeed struct {
	lesson    *asm.Lesson
	functions []asm.Function // yet to come; the first is under way where there is a session
	options   step.Options
	session   *step.Session
	said      strings.Builder
}

func newFeed(opts asmOptions) *stepFeed {
	f := &stepFeed{lesson: opts.lesson, functions: opts.functions()}
	f.options = step.Options{Calls: callsNames[opts.calls], Max: opts.max, Stdout: &f.said}
	return f
}

// next returns the next step, or io.EOF after the last of the last function.
func (f *stepFeed) next(ctx context.Context) (*shownStep, error) {
	if len(f.functions) == 0 {
		return nil, io.EOF
	}
	now := &shownStep{function: f.functions[0].Name}
	var err error
	if f.session == nil {
		f.said.Reset()
		if f.session, err = step.Start(ctx, *f.lesson, now.function, f.options); err != nil {
			return nil, err
		}
	}
	if now.Step, err = f.session.Next(); err != nil {
		return nil, errors.Join(err, f.close())
	}
	if now.Last {
		f.functions = f.functions[1:]
		if err := f.close(); err != nil {
			return nil, err
		}
		now.said = f.said.String() // which is complete, now that the child is gone
	}
	return now, nil
}

// close ends the session under way, if there is one.
func (f *stepFeed) close() error {
	if f.session == nil {
		return nil
	}
	err := f.session.Close()
	f.session = nil
	return err
}
