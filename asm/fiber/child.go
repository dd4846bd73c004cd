//go:build linux

package fiber

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"

	"golang.org/x/sys/unix"
)

// ErrOverflow matches the error of [Scheduler.RunInChild] for a fiber that left its stack at the low end.
var ErrOverflow = errors.New("stack overflow")

// A FaultError is a memory fault of a fiber, as the kernel told the handler of the signal.
type FaultError struct {
	Fiber  *Fiber // nil where the fault has to do with no fiber's stack
	Signal unix.Signal
	Code   int     // si_code: 1 nothing mapped there, 2 no permission
	Addr   uintptr // what was accessed
	PC     uintptr // of the instruction
	SP     uintptr
	// GuardLow and GuardHigh enclose the guard page that was hit; 0 where it was none.
	GuardLow, GuardHigh uintptr
}

func (e *FaultError) Error() string {
	at := fmt.Sprintf("%#x", e.PC)
	if in := textMeaning(uint64(e.PC)); in != "" {
		at = in
	}
	if e.GuardHigh != 0 {
		return fmt.Sprintf("%v: %v: %s at %#x in %s, in the guard page %#x-%#x", e.Fiber, ErrOverflow,
			unix.SignalName(e.Signal), e.Addr, at, e.GuardLow, e.GuardHigh)
	}
	return fmt.Sprintf("%s at %#x in %s", unix.SignalName(e.Signal), e.Addr, at)
}

// Is makes an overflow match [ErrOverflow].
func (e *FaultError) Is(target error) bool { return target == ErrOverflow && e.GuardHigh != 0 }

// RunInChild is Run in a copy of the process: whatever the fibers do there, here they have not moved. It is
// for bodies that one does not trust yet. A fiber that leaves its stack, or reads where nothing is, gives a
// [FaultError]; a child that dies otherwise, an error that says how. When ctx ends, or this process, the child
// is killed. The number of turns is that in the child, and 0 with an error.
//
// The copy is made by clone(2) without any sharing, and runs nothing but assembly: the handlers, threads and
// locks of the Go runtime have no part in it. The turns of one call are limited to 1 << 40.
func (s *Scheduler) RunInChild(ctx context.Context, turns int) (int, error) {
	if turns < 0 || turns > 1<<40 {
		return 0, fmt.Errorf("fiber: %d turns", turns)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.arena == nil {
		return 0, ErrClosed
	}
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	if turns == 0 || s.shared.live == 0 || s.shared.stop.Swap(0) != 0 {
		return 0, nil
	}
	c, err := newChild()
	if err != nil {
		return 0, err
	}
	defer c.unmap()
	before := s.shared.budget
	s.shared.budget = int64(turns)
	runtime.LockOSThread() // the child dies with the thread that made it, so that this one has to stay
	defer runtime.UnlockOSThread()
	pid, err := c.start(s.shared)
	s.shared.budget = before
	if err != nil {
		return 0, err
	}
	status, err := wait(ctx, pid)
	if err != nil {
		return 0, err
	}
	switch {
	case status.Exited() && c.report.signal == 0:
		return turns - int(c.report.left), nil
	case status.Exited():
		return 0, s.explain(c.report)
	case ctx.Err() != nil:
		return 0, ctx.Err()
	default:
		return 0, fmt.Errorf("fiber: the child died of %s", unix.SignalName(status.Signal()))
	}
}

// explain turns a report into an error.
func (s *Scheduler) explain(r *report) error {
	e := &FaultError{Signal: unix.Signal(r.signal), Code: int(r.code), Addr: uintptr(r.addr), PC: uintptr(r.pc),
		SP: uintptr(r.sp)}
	if i, guard, ok := s.arena.locate(e.Addr); ok && i < len(s.fibers) && guard {
		e.Fiber = s.fibers[i]
		e.GuardLow = s.arena.base() + uintptr(i*(s.arena.guard+s.arena.size))
		e.GuardHigh = e.GuardLow + uintptr(s.arena.guard)
	} else if i, _, ok := s.arena.locate(e.SP); ok && i < len(s.fibers) {
		e.Fiber = s.fibers[i]
	}
	return e
}

// start makes the copy. All signals are blocked meanwhile, so that none finds the copy with Go's handlers.
// The calling goroutine is locked to its thread.
func (c *child) start(s *sched) (pid int, err error) {
	var all, old unix.Sigset_t
	for i := range all.Val {
		all.Val[i] = ^all.Val[i]
	}
	if err := unix.PthreadSigmask(unix.SIG_SETMASK, &all, &old); err != nil {
		return 0, os.NewSyscallError("rt_sigprocmask", err)
	}
	r := startChild(s, c)
	if err := unix.PthreadSigmask(unix.SIG_SETMASK, &old, nil); err != nil {
		return 0, os.NewSyscallError("rt_sigprocmask", err)
	}
	if r < 0 {
		return 0, os.NewSyscallError("clone", unix.Errno(-r))
	}
	return r, nil
}

// wait reaps the child, which it kills when ctx ends. It kills only while the child is there to be reaped: no
// other process can have its number then.
func wait(ctx context.Context, pid int) (status unix.WaitStatus, err error) {
	killed := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		unix.Kill(pid, unix.SIGKILL)
		close(killed)
	})
	err = retry(func() error { return unix.Waitid(unix.P_PID, pid, nil, unix.WEXITED|unix.WNOWAIT, nil) })
	if !stop() {
		<-killed
	}
	if err != nil {
		return 0, os.NewSyscallError("waitid", err)
	}
	err = retry(func() error {
		_, err := unix.Wait4(pid, &status, 0, nil)
		return err
	})
	return status, os.NewSyscallError("wait4", err)
}

func retry(call func() error) error {
	for {
		if err := call(); err != unix.EINTR {
			return err
		}
	}
}
