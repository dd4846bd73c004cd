package iouring

import (
	"fmt"
	"math"
	"os"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/ring3-go/ring3/syscalls"
)

// A batch is light when submitting it takes microseconds: then the scheduler is not told, which would cost as
// much as submitting a few NOPs.
const (
	lightEntries = 64
	lightBytes   = 128 << 10
)

// A waitArgument is what io_uring_enter(2) takes by address. It is part of the ring, so that no wait allocates.
type waitArgument struct {
	arg  syscalls.IoUringGeteventsArg
	time unix.Timespec
	mask *unix.Sigset_t
}

// A Wait says how long [Ring.SubmitAndWaitFor] waits.
type Wait struct {
	// N is for how many completions.
	N int
	// Timeout is the longest to wait; 0 does not wait, a negative one is none.
	Timeout time.Duration
	// MinTimeout is for how long N are waited for; after that one is enough. Since 6.12.
	MinTimeout time.Duration
	// Mask has the signals that are blocked in the thread that waits, and no others. A signal that is handled then
	// ends the wait with EINTR.
	Mask *unix.Sigset_t
	// NoIOWait does not count the wait as one for a disk, which keeps the processor's frequency low. Since 6.15.
	NoIOWait bool
}

// Submit gives the kernel the entries that were filled in, and returns how many it took, or with IORING_SETUP_SQPOLL
// how many its thread has yet to take. Operations that need not wait are done inside the call.
//
// Errors: [ErrWrongThread]; [ErrClosed]; [ErrLost]; EAGAIN, the kernel has no memory for more; EBUSY, completions
// have to be taken first; EBADFD, the ring is disabled. Entries that were not taken stay in the queue, and the
// next call submits them.
func (r *Ring) Submit() (int, error) {
	if r.closed {
		return 0, ErrClosed
	}
	n := r.publish()
	if n == 0 {
		return 0, nil
	}
	if r.sqpoll {
		return int(n), r.wakeThread(0)
	}
	taken, errno := r.submit(n, 0, 0)
	if errno != 0 {
		return 0, enterError(errno)
	}
	return taken, nil
}

// submit is one call for n entries; what has to be remembered of the batch is forgotten.
func (r *Ring) submit(n, wait uint32, flags syscalls.IoUringEnterFlags) (taken int, errno unix.Errno) {
	light := wait == 0 && n <= lightEntries && r.weight <= lightBytes
	if light {
		taken, errno = syscalls.RawIoUringEnter(r.enterFD, n, 0, flags|r.enterFlags)
	} else {
		taken, errno = syscalls.IoUringEnterErrno(r.enterFD, n, wait, flags|r.enterFlags, nil, 0)
	}
	r.weight = 0
	return taken, errno
}

// enterRaw is a call that does not block.
func (r *Ring) enterRaw(n, wait uint32, flags syscalls.IoUringEnterFlags) unix.Errno {
	_, errno := syscalls.RawIoUringEnter(r.enterFD, n, wait, flags|r.enterFlags)
	return errno
}

// wakeThread wakes the thread of IORING_SETUP_SQPOLL where it sleeps.
func (r *Ring) wakeThread(flags syscalls.IoUringEnterFlags) error {
	if !r.needsWakeup() {
		return nil
	}
	return enterError(r.enterRaw(0, 0, flags|syscalls.IORING_ENTER_SQ_WAKEUP))
}

// SubmitAndWait submits as Submit does, waits until there are n completions or the timeout is over (0 does not
// wait, a negative one is none), and returns how many there are to be taken. A signal does not end the wait.
//
// It tries without blocking first: most of the time that is all, and the scheduler need not know.
// Errors as of [Ring.Submit]. Source: io_uring_enter(2).
func (r *Ring) SubmitAndWait(n int, timeout time.Duration) (ready int, err error) {
	if r.closed || uint64(n) > uint64(r.cqMask)+1 {
		return r.SubmitAndWaitFor(Wait{N: n, Timeout: timeout})
	}
	err = r.pass()
	if ready := r.ready(); err != nil || ready >= uint32(n) && !(n == 0 && r.hidden()) {
		return int(ready), err
	}
	return r.block(Wait{N: n, Timeout: timeout})
}

// SubmitAndWaitFor is SubmitAndWait with all that the kernel can do. What the kernel lacks is EINVAL.
func (r *Ring) SubmitAndWaitFor(w Wait) (ready int, err error) {
	if r.closed {
		return 0, ErrClosed
	}
	if w.N < 0 || int64(w.N) > int64(r.cqMask)+1 || w.MinTimeout < 0 {
		return 0, fmt.Errorf("iouring: wait for %d completions of %d, at least %v: %w", w.N, r.cqMask+1, w.MinTimeout, unix.EINVAL)
	}
	if w.MinTimeout > 0 && r.params.Features&syscalls.IORING_FEAT_MIN_TIMEOUT == 0 {
		return 0, fmt.Errorf("iouring: minimum wait, since 6.12: %w", unix.EINVAL)
	}
	if w.NoIOWait && r.params.Features&syscalls.IORING_FEAT_NO_IOWAIT == 0 {
		return 0, fmt.Errorf("iouring: wait without I/O wait, since 6.15: %w", unix.EINVAL)
	}
	if err := r.pass(); err != nil {
		return int(r.ready()), err
	}
	if ready := r.ready(); ready >= uint32(w.N) && !(w.N == 0 && r.hidden()) {
		return int(ready), nil
	}
	return r.block(w)
}

// pass submits and lets the kernel complete what it can, without blocking. Where nothing waits for the owner, it does
// not ask for completions (IORING_ENTER_GETEVENTS): operations that need not wait are complete all the same.
func (r *Ring) pass() error {
	n := r.publish()
	if r.sqpoll {
		if n > 0 {
			return r.wakeThread(0)
		}
		n = 0
	}
	var flags syscalls.IoUringEnterFlags
	if r.hidden() {
		flags = syscalls.IORING_ENTER_GETEVENTS
	} else if n == 0 {
		return nil
	}
	if _, errno := r.submit(n, 0, flags); errno != 0 && errno != unix.EINTR {
		return enterError(errno)
	}
	return nil
}

// block waits, in a call that the scheduler knows of, until the wait is over. Go's own signals interrupt it now
// and then. Where there is no time to wait, it only looks again.
func (r *Ring) block(w Wait) (int, error) {
	if w.Timeout == 0 || w.N == 0 { // nothing to wait for; but work may have come up
		if r.hidden() {
			if errno := r.enterRaw(0, 0, syscalls.IORING_ENTER_GETEVENTS); errno != 0 && errno != unix.EINTR {
				return int(r.ready()), enterError(errno)
			}
		}
		return int(r.ready()), nil
	}
	var deadline time.Time
	if w.Timeout > 0 {
		deadline = time.Now().Add(w.Timeout)
	}
	flags := syscalls.IORING_ENTER_GETEVENTS | syscalls.IORING_ENTER_EXT_ARG | r.enterFlags
	if w.NoIOWait {
		flags |= syscalls.IORING_ENTER_NO_IOWAIT
	}
	for timeout := w.Timeout; ; {
		errno := r.sleep(uint32(w.N), timeout, w, flags)
		ready := r.ready()
		switch {
		case ready >= uint32(w.N) || errno == unix.ETIME || errno == 0 && w.MinTimeout > 0 && ready > 0:
			return int(ready), nil
		case errno == unix.EINTR && w.Mask != nil, errno != 0 && errno != unix.EINTR:
			return int(ready), enterError(errno)
		}
		if w.Timeout > 0 {
			if timeout = time.Until(deadline); timeout <= 0 {
				return int(ready), nil
			}
		}
	}
}

// sleep is one call that blocks. Entries that the kernel did not take before are taken now.
func (r *Ring) sleep(n uint32, timeout time.Duration, w Wait, flags syscalls.IoUringEnterFlags) unix.Errno {
	a := &r.wait
	a.arg = syscalls.IoUringGeteventsArg{}
	if timeout > 0 {
		a.time = unix.NsecToTimespec(int64(timeout))
		a.arg.Timeout = uint64(uintptr(unsafe.Pointer(&a.time)))
	}
	if w.MinTimeout > 0 {
		a.arg.MinWaitUsec = microseconds(w.MinTimeout)
	}
	if w.Mask != nil {
		a.mask = w.Mask
		a.arg.Sigmask, a.arg.SigmaskSize = uint64(uintptr(unsafe.Pointer(w.Mask))), sigsetSize
	}
	var left uint32
	if !r.sqpoll {
		left = r.publish()
	}
	_, errno := syscalls.IoUringEnterErrno(r.enterFD, left, n, flags, unsafe.Pointer(&a.arg), unsafe.Sizeof(a.arg))
	a.mask = nil
	return errno
}

// microseconds is d, rounded up, as far as the kernel can count.
func microseconds(d time.Duration) uint32 {
	us := d / time.Microsecond
	if d%time.Microsecond > 0 {
		us++
	}
	return uint32(min(us, math.MaxUint32))
}

const sigsetSize = 8 // the kernel's; unix.Sigset_t has libc's

// WaitForRoom waits until the thread of IORING_SETUP_SQPOLL has taken an entry, where the queue is full.
// Source: io_uring_enter(2), IORING_ENTER_SQ_WAIT, since 5.10.
func (r *Ring) WaitForRoom() error {
	if r.closed {
		return ErrClosed
	}
	for r.sqpoll && r.Room() == 0 {
		flags := syscalls.IORING_ENTER_SQ_WAIT | r.enterFlags
		if r.needsWakeup() {
			flags |= syscalls.IORING_ENTER_SQ_WAKEUP
		}
		_, errno := syscalls.IoUringEnterErrno(r.enterFD, 0, 0, flags, nil, 0)
		if errno != 0 && errno != unix.EINTR {
			return enterError(errno)
		}
	}
	return nil
}

// enterError makes an error of what io_uring_enter(2) says.
func enterError(errno unix.Errno) error {
	switch errno {
	case 0:
		return nil
	case unix.EEXIST:
		return fmt.Errorf("%w: %w", ErrWrongThread, os.NewSyscallError("io_uring_enter", errno))
	case unix.EBADR:
		return fmt.Errorf("%w: %w", ErrLost, os.NewSyscallError("io_uring_enter", errno))
	case unix.EBUSY:
		return fmt.Errorf("%w: completions have to be taken first", os.NewSyscallError("io_uring_enter", errno))
	case unix.EBADFD:
		return fmt.Errorf("%w: the ring is disabled, see EnableRings", os.NewSyscallError("io_uring_enter", errno))
	case unix.EOWNERDEAD:
		return fmt.Errorf("%w: the kernel's thread has ended", os.NewSyscallError("io_uring_enter", errno))
	}
	return os.NewSyscallError("io_uring_enter", errno)
}
