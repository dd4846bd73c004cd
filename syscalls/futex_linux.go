package syscalls

import (
	"math"
	"os"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// FutexFlags say whom a futex is shared with, and by which clock an absolute time is meant. The zero value is
// shared with other processes, on CLOCK_MONOTONIC.
//
// A futex ("fast user-space mutex") is a 32-bit word of memory and a queue in the kernel that has its address for
// a name. Programs change the word by atomic instructions, and call the kernel only to sleep until the word
// is no longer what it was, and to wake those who sleep. Everything here is futex(2); the word must be aligned to
// four bytes (a *uint32 is), or the error is EINVAL.
//
// The word may be on Go's heap, which does not move. Callers should use sync/atomic on it. For a futex shared
// with another process it must be in a shared mapping, and FUTEX_PRIVATE_FLAG must not be given.
//
// Waiting is cooperative: it holds no processor (P) of Go's, but it does hold a thread.
type FutexFlags uint32

// Flags of the calls of futex(2).
const (
	FUTEX_PRIVATE_FLAG   FutexFlags = 128 // threads of this process only: the kernel finds the queue faster; since 2.6.22
	FUTEX_CLOCK_REALTIME FutexFlags = 256 // absolute times are CLOCK_REALTIME's; since 2.6.28, only where a function says so
)

// String names the flags as <linux/futex.h> does.
func (f FutexFlags) String() string {
	return flagNames(uint64(f), []flagName{
		{uint64(FUTEX_PRIVATE_FLAG), "FUTEX_PRIVATE_FLAG"},
		{uint64(FUTEX_CLOCK_REALTIME), "FUTEX_CLOCK_REALTIME"},
	})
}

// FutexAll is the count that wakes, or moves, all that wait.
const FutexAll = math.MaxInt32

// FUTEX_BITSET_MATCH_ANY is the mask of bits that meets every other.
const FUTEX_BITSET_MATCH_ANY = math.MaxUint32

// Operations of futex(2), from <linux/futex.h>.
const (
	futexWait          = 0
	futexWake          = 1
	futexRequeue       = 3
	futexCmpRequeue    = 4
	futexWakeOp        = 5
	futexLockPI        = 6
	futexUnlockPI      = 7
	futexTrylockPI     = 8
	futexWaitBitset    = 9
	futexWakeBitset    = 10
	futexWaitRequeuePI = 11
	futexCmpRequeuePI  = 12
	futexLockPI2       = 13
)

// futexError is the error of a call of futex(2), nil for none.
func futexError(errno unix.Errno) error {
	if errno != 0 {
		return os.NewSyscallError("futex", errno)
	}
	return nil
}

// futexCount is a count of waiters as the kernel takes it, an int.
func futexCount(n int) (uintptr, bool) { return uintptr(n), n >= 0 && n <= math.MaxInt32 }

// FutexWait sleeps while *addr is val, until it is woken. A timeout is relative, in CLOCK_MONOTONIC, and has
// the resolution of nanoseconds; a negative one is forever. That it returns nil does not say that the word
// changed: callers look again.
//
// Errors: EAGAIN, the word was not val; ETIMEDOUT; EINTR, a signal came, and is not retried (without a timeout the
// kernel itself resumes after Go's handlers); EFAULT, EINVAL.
//
// Since Linux 2.6. No privilege. Safe for concurrent use. futex(2), FUTEX_WAIT.
func FutexWait(addr *uint32, val uint32, flags FutexFlags, timeout time.Duration) error {
	var ts *unix.Timespec
	if timeout >= 0 {
		t := unix.NsecToTimespec(int64(timeout))
		ts = &t
	}
	_, _, errno := Syscall6(unix.SYS_FUTEX, uintptr(unsafe.Pointer(addr)), uintptr(futexWait|flags), uintptr(val),
		uintptr(unsafe.Pointer(ts)), 0, 0)
	return futexError(errno)
}

// FutexWaitBitset is [FutexWait] with a mask, which must not be zero: [FutexWakeBitset] passes over those whose
// mask has no bit in common with its own. A deadline is absolute, on CLOCK_MONOTONIC, or on CLOCK_REALTIME with
// FUTEX_CLOCK_REALTIME; nil is none.
//
// Errors as FutexWait has; EINVAL also for a mask of zero or a deadline that is no time.
//
// Since Linux 2.6.25. No privilege. Safe for concurrent use. futex(2), FUTEX_WAIT_BITSET.
func FutexWaitBitset(addr *uint32, val, mask uint32, flags FutexFlags, deadline *unix.Timespec) error {
	_, _, errno := Syscall6(unix.SYS_FUTEX, uintptr(unsafe.Pointer(addr)), uintptr(futexWaitBitset|flags), uintptr(val),
		uintptr(unsafe.Pointer(deadline)), 0, uintptr(mask))
	return futexError(errno)
}

// FutexWake wakes at most n threads that wait on addr, and returns how many it woke. [FutexAll] wakes all; zero
// is taken for one, by the kernel. Which are woken first is not promised; in fact the longest waiting of the
// highest real-time priority.
//
// Errors: EINVAL, n is negative, or somebody waits for a priority-inheriting lock here; EFAULT, no such shared memory.
//
// Since Linux 2.6. No privilege. Safe for concurrent use. futex(2), FUTEX_WAKE.
func FutexWake(addr *uint32, n int, flags FutexFlags) (woken int, err error) {
	return futexWakes(futexWake, addr, n, 0, flags)
}

// FutexWakeBitset is [FutexWake] of those whose mask, given to [FutexWaitBitset], has a bit in common with this one;
// those in FutexWait have all. EINVAL also for a mask of zero.
//
// Since Linux 2.6.25. No privilege. Safe for concurrent use. futex(2), FUTEX_WAKE_BITSET.
func FutexWakeBitset(addr *uint32, n int, mask uint32, flags FutexFlags) (woken int, err error) {
	return futexWakes(futexWakeBitset, addr, n, mask, flags)
}

func futexWakes(op FutexFlags, addr *uint32, n int, mask uint32, flags FutexFlags) (int, error) {
	count, ok := futexCount(n)
	if !ok {
		return 0, futexError(unix.EINVAL)
	}
	r, _, errno := RawSyscall6(unix.SYS_FUTEX, uintptr(unsafe.Pointer(addr)), uintptr(op|flags), count, 0, 0, uintptr(mask))
	if errno != 0 {
		return 0, futexError(errno)
	}
	return int(r), nil
}

// FutexRequeue wakes at most wake threads that wait on addr, and makes at most requeue others wait on to
// instead, without waking them: who holds a lock that all of them want next spares them the rush. It returns how
// many it woke and moved together (the man page has only those woken, the kernel counts both). [FutexCmpRequeue]
// does the same without a race and is to be preferred.
//
// Errors: EINVAL, a count is negative or somebody waits for a priority-inheriting lock; EFAULT.
//
// Since Linux 2.6. No privilege. Safe for concurrent use. futex(2), FUTEX_REQUEUE.
func FutexRequeue(addr *uint32, wake, requeue int, to *uint32, flags FutexFlags) (n int, err error) {
	return futexRequeues(futexRequeue, addr, 0, wake, requeue, to, flags)
}

// FutexCmpRequeue is [FutexRequeue] if *addr is val. It returns how many threads it woke and moved together.
//
// Errors as FutexRequeue has; EAGAIN, the word was not val.
//
// Since Linux 2.6.7. No privilege. Safe for concurrent use. futex(2), FUTEX_CMP_REQUEUE.
func FutexCmpRequeue(addr *uint32, val uint32, wake, requeue int, to *uint32, flags FutexFlags) (n int, err error) {
	return futexRequeues(futexCmpRequeue, addr, val, wake, requeue, to, flags)
}

func futexRequeues(op FutexFlags, addr *uint32, val uint32, wake, requeue int, to *uint32, flags FutexFlags) (int, error) {
	w, ok := futexCount(wake)
	m, ok2 := futexCount(requeue)
	if !ok || !ok2 {
		return 0, futexError(unix.EINVAL)
	}
	r, _, errno := RawSyscall6(unix.SYS_FUTEX, uintptr(unsafe.Pointer(addr)), uintptr(op|flags), w, m,
		uintptr(unsafe.Pointer(to)), uintptr(val))
	if errno != 0 {
		return 0, futexError(errno)
	}
	return int(r), nil
}
