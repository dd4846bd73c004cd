package epoll

import (
	"math"
	"os"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/ring3-go/ring3/syscalls"
)

// Wait stores the events that there are, at most len(events), and returns their number. Where there are
// none it waits for the first: not at all with a timeout of 0, for ever with a negative one. It returns 0 and
// no error when the timeout is over, and when [Poller.Wake] was called. Events of registrations that have
// ended are left out. A signal does not end the wait.
//
// With a timeout of 0 the call does not tell the scheduler, because it cannot block: polling costs a system
// call and nothing more.
//
// Errors: [ErrClosed]; EINVAL without room for an event. Source: epoll_pwait2(2).
func (p *Poller) Wait(events []Event, timeout time.Duration) (int, error) {
	return p.wait(events, timeout, nil)
}

// WaitMask is Wait with these signals, and no others, blocked in the thread that waits, which goes into
// effect and ends together with the wait. A signal that is handled ends it with EINTR. It is of use to a
// goroutine that has its thread locked and blocks signals there.
func (p *Poller) WaitMask(events []Event, timeout time.Duration, mask *unix.Sigset_t) (int, error) {
	return p.wait(events, timeout, mask)
}

func (p *Poller) wait(events []Event, timeout time.Duration, mask *unix.Sigset_t) (int, error) {
	if len(events) == 0 {
		return 0, os.NewSyscallError("epoll_wait", unix.EINVAL)
	}
	var deadline time.Time
	if timeout > 0 {
		deadline = time.Now().Add(timeout)
	}
	for {
		if err := p.enter(); err != nil {
			return 0, err
		}
		n, errno := p.kernelWait(events, timeout, mask)
		over := timeout == 0 || timeout > 0 && n == 0 && errno == 0 && !time.Now().Before(deadline)
		n, woken, err := p.leave(events[:n])
		switch {
		case n > 0:
			return n, nil // whatever went wrong with a ghost comes again
		case err != nil:
			return 0, err
		case errno == unix.EINTR && mask != nil || errno != 0 && errno != unix.EINTR:
			return 0, os.NewSyscallError("epoll_wait", errno)
		case woken || over:
			return 0, nil
		}
		// Interrupted; or every event was of a registration that has ended; or the timeout is longer than
		// the kernel's longest.
		if timeout > 0 {
			timeout = max(time.Until(deadline), 0)
		}
	}
}

// enter counts a goroutine in, so that the descriptors stay open.
func (p *Poller) enter() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	for p.haunted && !p.closed.Load() {
		p.left.Wait()
	}
	if p.closed.Load() {
		return ErrClosed
	}
	p.waiters++
	return nil
}

// leave counts it out, and looks at what the kernel returned. It keeps the events of registrations that are
// there, in order, at the front of events, and returns how many.
func (p *Poller) leave(events []Event) (n int, woken bool, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.waiters--
	if p.closed.Load() {
		p.left.Broadcast()
		return 0, false, ErrClosed
	}
	ghosts := false
	for i := range events {
		ev := &events[i]
		t := ev.Token()
		if t == wakeToken {
			woken = p.woken.Swap(false) // or it was rung for other reasons
			continue
		}
		s := p.table.get(t)
		if s == nil {
			ghosts = true
			continue
		}
		if s.muted {
			s.muted = false
			continue
		}
		if n != i {
			events[n] = *ev
		}
		n++
	}
	if ghosts && p.suspects > 0 {
		p.haunted = true
	}
	if p.haunted {
		err = p.exorcise()
	}
	return n, woken, err
}

// exorcise is for everybody who leaves while the set has a ghost. The last rebuilds the set; the others get the next
// out of the kernel. The caller holds p.mu.
func (p *Poller) exorcise() error {
	if p.waiters > 0 {
		return p.ring() // an edge wakes one of those that wait
	}
	p.haunted = false
	p.left.Broadcast()
	return p.rebuild()
}

// kernelWait is one epoll_pwait2(2), or epoll_pwait(2) where that is refused. A negative timeout is none.
func (p *Poller) kernelWait(events []Event, timeout time.Duration, mask *unix.Sigset_t) (int, unix.Errno) {
	if !p.coarse.Load() {
		n, errno := p.waitFine(events, timeout, mask)
		if errno != unix.ENOSYS && errno != unix.EPERM {
			return n, errno
		}
		p.coarse.Store(true) // before 5.11, or in a sandbox of that time
	}
	return p.waitCoarse(events, timeout, mask)
}

const sigsetSize = 8 // the kernel's; unix.Sigset_t has libc's

// waitFine waits to the nanosecond. A wait that cannot block is not told to the scheduler.
func (p *Poller) waitFine(events []Event, timeout time.Duration, mask *unix.Sigset_t) (int, unix.Errno) {
	var until *unix.Timespec
	if timeout >= 0 {
		t := unix.NsecToTimespec(int64(timeout))
		until = &t
	}
	var n uintptr
	var errno unix.Errno
	if timeout == 0 {
		n, _, errno = syscalls.RawSyscall6(unix.SYS_EPOLL_PWAIT2, uintptr(p.epfd), uintptr(unsafe.Pointer(&events[0])),
			uintptr(len(events)), uintptr(unsafe.Pointer(until)), uintptr(unsafe.Pointer(mask)), sigsetSize)
	} else {
		n, _, errno = syscalls.Syscall6(unix.SYS_EPOLL_PWAIT2, uintptr(p.epfd), uintptr(unsafe.Pointer(&events[0])),
			uintptr(len(events)), uintptr(unsafe.Pointer(until)), uintptr(unsafe.Pointer(mask)), sigsetSize)
	}
	if errno != 0 {
		return 0, errno
	}
	return int(n), 0
}

// waitCoarse waits to the millisecond, rounded up.
func (p *Poller) waitCoarse(events []Event, timeout time.Duration, mask *unix.Sigset_t) (int, unix.Errno) {
	ms := -1
	if timeout >= 0 {
		ms = int(min((timeout+time.Millisecond-1)/time.Millisecond, math.MaxInt32))
	}
	n, _, errno := syscalls.Syscall6(unix.SYS_EPOLL_PWAIT, uintptr(p.epfd), uintptr(unsafe.Pointer(&events[0])),
		uintptr(len(events)), uintptr(ms), uintptr(unsafe.Pointer(mask)), sigsetSize)
	if errno != 0 {
		return 0, errno
	}
	return int(n), 0
}
