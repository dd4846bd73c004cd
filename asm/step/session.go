package step

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"runtime"
	"sync"

	"github.com/ring3-go/ring3/asm"
)

// A Session is a function being stepped. Its methods may be called from any goroutine; Next takes turns.
type Session struct {
	// The kernel obeys one thread only, the one that made the child. A goroutine that is locked to it runs
	// what comes here; Close ends it.
	thread chan func()
	ended  chan struct{} // closed when that goroutine has

	cancel context.CancelFunc
	ctx    context.Context
	parent context.Context

	mu     sync.Mutex
	closed bool
	tracee *tracee
	max    int
	number int
	err    error // what Next says from now on
}

// Start starts a child and stops it before the first instruction of a function of the lesson. The session
// must be closed. When ctx ends the child is killed, and Next returns ctx's error.
func Start(ctx context.Context, lesson asm.Lesson, function string, opts Options) (*Session, error) {
	f, err := find([]asm.Lesson{lesson}, lesson.Name, function)
	if err != nil {
		return nil, err
	}
	s := &Session{thread: make(chan func()), ended: make(chan struct{}), parent: ctx, max: opts.Max}
	if s.max <= 0 {
		s.max = StepsMax
	}
	s.ctx, s.cancel = context.WithCancel(ctx)
	go s.serve()
	s.do(func() { s.tracee, err = begin(s.ctx, lesson.Name, f, opts) })
	if err != nil {
		err = s.cause(err)
		s.Close()
		return nil, fmt.Errorf("step %s.%s: %w", lesson.Name, function, err)
	}
	return s, nil
}

// All steps through a function: an iterator over Start, Next and Close. An error is the last element.
func All(ctx context.Context, lesson asm.Lesson, function string, opts Options) iter.Seq2[Step, error] {
	return func(yield func(Step, error) bool) {
		s, err := Start(ctx, lesson, function, opts)
		if err != nil {
			yield(Step{}, err)
			return
		}
		defer s.Close()
		for {
			switch step, err := s.Next(); {
			case errors.Is(err, io.EOF):
				return
			case err != nil:
				yield(Step{}, err)
				return
			case !yield(step, nil):
				return
			}
		}
	}
}

// find returns a function of a lesson.
func find(lessons []asm.Lesson, lesson, function string) (asm.Function, error) {
	for _, l := range lessons {
		if l.Name != lesson {
			continue
		}
		for _, f := range l.Functions {
			if f.Name == function {
				return f, nil
			}
		}
	}
	return asm.Function{}, fmt.Errorf("lesson %q has no function %q to step", lesson, function)
}

// serve is the goroutine of the thread.
func (s *Session) serve() {
	defer close(s.ended)
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	for f := range s.thread {
		f()
	}
}

// do runs f on the thread.
func (s *Session) do(f func()) {
	done := make(chan struct{})
	s.thread <- func() { defer close(done); f() }
	<-done
}

// cause replaces an error that comes of the child having been killed by us.
func (s *Session) cause(err error) error {
	if ended := s.parent.Err(); ended != nil {
		return ended
	}
	if s.ctx.Err() != nil {
		return ErrClosed
	}
	return err
}

// Next makes a step and returns it. After the last one, which is the return to the caller or a fault, it
// returns io.EOF. Any error but that wraps one of this package's, ctx's, or that of a system call; the
// session can only be closed then.
func (s *Session) Next() (Step, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.closed, s.thread == nil:
		return Step{}, ErrClosed
	case s.err != nil:
		return Step{}, s.err
	case s.number >= s.max:
		s.err = fmt.Errorf("%w: %d and no return", ErrLimit, s.max)
		return Step{}, s.err
	case s.parent.Err() != nil:
		s.err = s.parent.Err()
		return Step{}, s.err
	}
	var step Step
	var err error
	s.do(func() { step, err = s.tracee.next() })
	if err != nil {
		s.err = s.cause(err)
		return Step{}, s.err
	}
	s.number++
	step.Number = s.number
	if step.Last {
		s.err = io.EOF
	}
	return step, nil
}

// Close kills the child and waits for it. A Next that is under way returns with [ErrClosed]. Closing again
// does nothing.
func (s *Session) Close() error {
	if s.thread == nil {
		return nil // not made by Start
	}
	s.cancel() // kills the child, which ends whatever waits for it
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil
	}
	s.closed = true
	var err error
	if s.tracee != nil {
		s.do(func() { err = s.tracee.end() })
	}
	close(s.thread)
	<-s.ended
	return err
}
