package epoll

import (
	"os"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Signals is a set of signals as a descriptor: [In] while one is pending. Safe for concurrent use.
// Since Linux 2.6.27. Source: signalfd(2).
//
// A signal stays pending only where it is blocked, and in a Go program that is seldom. The runtime starts its
// threads with the mask that the program was started with, so two cases remain: a signal that was blocked
// before the program began, which comes to whoever reads; and one that is sent to a thread (tgkill) which has
// it blocked, see [BlockSignals], which comes when that thread reads, and which a Poller sees where that
// thread waits. For all others there is os/signal, with [Poller.Wake] in the goroutine that receives.
type Signals struct{ descriptor }

// NewSignals makes the descriptor. It blocks nothing. SIGKILL and SIGSTOP are left out by the kernel, and
// signals that an instruction raised never come this way. Errors: EMFILE, ENFILE; EINVAL for a number that
// is no signal.
func NewSignals(signals ...unix.Signal) (*Signals, error) {
	set, err := sigset(signals)
	if err != nil {
		return nil, os.NewSyscallError("signalfd4", err)
	}
	fd, err := unix.Signalfd(-1, &set, unix.SFD_CLOEXEC|unix.SFD_NONBLOCK)
	if err != nil {
		return nil, os.NewSyscallError("signalfd4", err)
	}
	return &Signals{descriptor{fd: fd}}, nil
}

// Take returns the next pending signal and ends its being pending. It does not block: ok is false where
// there is none.
func (s *Signals) Take() (info unix.SignalfdSiginfo, ok bool, err error) {
	// A record has no pointers, and any bytes are one.
	b := unsafe.Slice((*byte)(unsafe.Pointer(&info)), unsafe.Sizeof(info))
	n, err := s.read(b)
	switch {
	case err != nil:
		return info, false, err
	case n == 0:
		return info, false, nil
	case n != len(b):
		return info, false, errShort
	}
	return info, true, nil
}

// BlockSignals blocks signals in the calling thread, which must be locked to the goroutine
// (runtime.LockOSThread), and returns what puts the thread's mask back. SIGKILL and SIGSTOP cannot be blocked,
// and are left out. Source: rt_sigprocmask(2).
func BlockSignals(signals ...unix.Signal) (restore func() error, err error) {
	set, err := sigset(signals)
	if err != nil {
		return nil, os.NewSyscallError("rt_sigprocmask", err)
	}
	var old unix.Sigset_t
	if err := unix.PthreadSigmask(unix.SIG_BLOCK, &set, &old); err != nil {
		return nil, os.NewSyscallError("rt_sigprocmask", err)
	}
	return func() error {
		return os.NewSyscallError("rt_sigprocmask", unix.PthreadSigmask(unix.SIG_SETMASK, &old, nil))
	}, nil
}

// sigset makes the kernel's set: signal n is bit n-1.
func sigset(signals []unix.Signal) (set unix.Sigset_t, err error) {
	const bits = 64
	for _, s := range signals {
		if s < 1 || s > bits {
			return set, unix.EINVAL
		}
		set.Val[0] |= 1 << (s - 1)
	}
	return set, nil
}
