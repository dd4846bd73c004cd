package syscalls

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"structs"
	"unsafe"

	"golang.org/x/sys/unix"
)

// A Sigset is the kernel's set of signals: bit n-1 is signal n, 1 to 64. (unix.Sigset_t is the C library's, which
// has room for 1024.)
type Sigset uint64

// SigsetOf returns the set of some signals; numbers that are none are left out.
func SigsetOf(signals ...unix.Signal) (s Sigset) {
	for _, sig := range signals {
		s |= signalBit(sig)
	}
	return s
}

func signalBit(sig unix.Signal) Sigset {
	if sig < 1 || sig > 64 {
		return 0
	}
	return 1 << (sig - 1)
}

// Has reports whether a signal is in the set.
func (s Sigset) Has(sig unix.Signal) bool { return s&signalBit(sig) != 0 }

// String names the signals: SIGHUP|SIGINT, and those without a name as signal 34. The empty set is 0.
func (s Sigset) String() string {
	if s == 0 {
		return "0"
	}
	var names []string
	for sig := unix.Signal(1); sig <= 64; sig++ {
		if !s.Has(sig) {
			continue
		}
		name := unix.SignalName(sig)
		if name == "" {
			name = fmt.Sprintf("signal %d", int(sig))
		}
		names = append(names, name)
	}
	return strings.Join(names, "|")
}

// RtSigprocmask changes which signals are blocked for the calling thread, and returns those that were. How is
// unix.SIG_BLOCK, SIG_UNBLOCK or SIG_SETMASK; set may be nil to change nothing. SIGKILL and SIGSTOP are silently
// left out. It is unix.PthreadSigmask with the kernel's set.
//
// A goroutine must be locked to its thread while it has signals blocked, or others have them blocked in its stead. Go's
// own signals (SIGURG for preemption, SIGPROF) should stay as they are.
//
// Errors: EINVAL, no such how. Since Linux 2.2. No privilege. It concerns the calling thread alone. rt_sigprocmask(2).
func RtSigprocmask(how int, set *Sigset) (old Sigset, err error) {
	_, _, errno := RawSyscall6(unix.SYS_RT_SIGPROCMASK, uintptr(how), uintptr(unsafe.Pointer(set)),
		uintptr(unsafe.Pointer(&old)), unsafe.Sizeof(old), 0, 0)
	if errno != 0 {
		return 0, os.NewSyscallError("rt_sigprocmask", errno)
	}
	return old, nil
}

// SigactionFlags are those of a [Sigaction].
type SigactionFlags uint64

// Flags of a [Sigaction], from <asm/signal.h>, the same on amd64 and arm64.
const (
	SA_NOCLDSTOP      SigactionFlags = 0x1        // no SIGCHLD when children stop
	SA_NOCLDWAIT      SigactionFlags = 0x2        // children that end leave no zombies
	SA_SIGINFO        SigactionFlags = 0x4        // the handler is given a siginfo and the context
	SA_UNSUPPORTED    SigactionFlags = 0x400      // always cleared in what is read back: tells that unknown flags are; since 5.11
	SA_EXPOSE_TAGBITS SigactionFlags = 0x800      // si_addr has the tag of the address; since 5.11
	SA_RESTORER       SigactionFlags = 0x4000000  // Restorer is the return address of the handler
	SA_ONSTACK        SigactionFlags = 0x8000000  // on the alternate stack
	SA_RESTART        SigactionFlags = 0x10000000 // interrupted calls are resumed where they can be
	SA_NODEFER        SigactionFlags = 0x40000000 // the signal is not blocked in its own handler
	SA_RESETHAND      SigactionFlags = 0x80000000 // the action is the default once the handler was called
)

// String names the flags as <signal.h> does.
func (f SigactionFlags) String() string {
	return flagNames(uint64(f), []flagName{
		{uint64(SA_NOCLDSTOP), "SA_NOCLDSTOP"},
		{uint64(SA_NOCLDWAIT), "SA_NOCLDWAIT"},
		{uint64(SA_SIGINFO), "SA_SIGINFO"},
		{uint64(SA_UNSUPPORTED), "SA_UNSUPPORTED"},
		{uint64(SA_EXPOSE_TAGBITS), "SA_EXPOSE_TAGBITS"},
		{uint64(SA_RESTORER), "SA_RESTORER"},
		{uint64(SA_ONSTACK), "SA_ONSTACK"},
		{uint64(SA_RESTART), "SA_RESTART"},
		{uint64(SA_NODEFER), "SA_NODEFER"},
		{uint64(SA_RESETHAND), "SA_RESETHAND"},
	})
}

// Handlers of a [Sigaction] that are no code.
const (
	SIG_DFL uintptr = 0 // the default action
	SIG_IGN uintptr = 1 // nothing at all
)

// A Sigaction is what a process does upon a signal: the kernel's struct sigaction, which is not the C library's.
type Sigaction struct {
	_        structs.HostLayout
	Handler  uintptr        // SIG_DFL, SIG_IGN, or the address of code; see [SetSigaction]
	Flags    SigactionFlags // how it is called
	Restorer uintptr        // where the handler returns to, with SA_RESTORER
	Mask     Sigset         // blocked as well while the handler runs
}

// GetSigaction returns what this process does upon a signal. In a Go program Handler is the runtime's for most.
//
// Errors: EINVAL, no signal. Since Linux 2.2. No privilege. Safe for concurrent use. rt_sigaction(2).
func GetSigaction(sig unix.Signal) (a Sigaction, err error) {
	err = rtSigaction(sig, nil, &a)
	return a, err
}

// ErrNotOnStack is the error of [SetSigaction] for a handler that would run on the stack of a goroutine.
var ErrNotOnStack = errors.New("a handler in a Go program needs SA_ONSTACK: goroutines have small stacks")

// SetSigaction makes a the action upon a signal for the whole process, and returns what it was. The Go runtime does
// not learn of it: os/signal no longer sees a signal that it does not hand on. It is meant for handlers in assembly
// that look at the signal and jump to the one before for all that is not theirs.
//
// Such a handler is called by the C convention, on the signal stack of any thread of the process, at any moment: it
// must not call Go, and must keep the registers that the C convention says. It needs SA_ONSTACK ([ErrNotOnStack]), and
// SA_SIGINFO and the old action's mask if it hands on. Go code has no address that could stand here. Where SA_RESTORER
// is not set, the amd64 kernel would have nowhere to return to, so that a restorer of this package is put in; arm64
// returns through the vDSO.
//
// Errors: EINVAL, no signal, or SIGKILL or SIGSTOP, and together with ErrNotOnStack.
//
// Since Linux 2.2. No privilege. Safe for concurrent use, but what is read and changed in two calls is not. rt_sigaction(2).
func SetSigaction(sig unix.Signal, a Sigaction) (old Sigaction, err error) {
	if a.Handler > SIG_IGN {
		if a.Flags&SA_ONSTACK == 0 {
			return Sigaction{}, fmt.Errorf("%w: %w", os.NewSyscallError("rt_sigaction", unix.EINVAL), ErrNotOnStack)
		}
		if r := sigreturnAddress(); a.Flags&SA_RESTORER == 0 && r != 0 {
			a.Flags |= SA_RESTORER
			a.Restorer = r
		}
	}
	err = rtSigaction(sig, &a, &old)
	return old, err
}

func rtSigaction(sig unix.Signal, a, old *Sigaction) error {
	_, _, errno := RawSyscall6(unix.SYS_RT_SIGACTION, uintptr(sig), uintptr(unsafe.Pointer(a)), uintptr(unsafe.Pointer(old)),
		unsafe.Sizeof(Sigset(0)), 0, 0)
	if errno != 0 {
		return os.NewSyscallError("rt_sigaction", errno)
	}
	return nil
}

// SignalStackFlags are the state and the mode of a [SignalStack].
type SignalStackFlags uint32

// Flags of a [SignalStack], from <linux/signal.h>.
const (
	SS_ONSTACK    SignalStackFlags = 1       // the thread is on it now
	SS_DISABLE    SignalStackFlags = 2       // there is none
	SS_AUTODISARM SignalStackFlags = 1 << 31 // it is disabled while a handler is on it; since 4.7
)

// String names the flags as <linux/signal.h> does.
func (f SignalStackFlags) String() string {
	return flagNames(uint64(f), []flagName{
		{uint64(SS_ONSTACK), "SS_ONSTACK"},
		{uint64(SS_DISABLE), "SS_DISABLE"},
		{uint64(SS_AUTODISARM), "SS_AUTODISARM"},
	})
}

// A SignalStack is the stack on which a thread runs handlers with SA_ONSTACK: struct sigaltstack.
type SignalStack struct {
	_     structs.HostLayout
	Base  uintptr          // the lowest address
	Flags SignalStackFlags // its state
	_     uint32
	Size  uint64 // bytes
}

// Sigaltstack returns the signal stack of the calling thread. It only asks: the Go runtime gives each of its
// threads one, and a thread without is a crash at the next signal.
//
// It cannot fail but by seccomp. Since Linux 2.2. No privilege. It concerns the calling thread alone. sigaltstack(2).
func Sigaltstack() (s SignalStack, err error) {
	_, _, errno := RawSyscall6(unix.SYS_SIGALTSTACK, 0, uintptr(unsafe.Pointer(&s)), 0, 0, 0, 0)
	if errno != 0 {
		return s, os.NewSyscallError("sigaltstack", errno)
	}
	return s, nil
}
