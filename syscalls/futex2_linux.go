package syscalls

import (
	"os"
	"structs"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Futex2Flags are those of one futex in [FutexWaitv] and the futex2 calls: its size, and whom it is shared with.
// FUTEX2_SIZE_U32 must be among them.
type Futex2Flags uint32

// Flags of futex2 calls.
const (
	FUTEX2_SIZE_U8  Futex2Flags = 0   // the futex has 8 bits; no kernel up to 6.18 takes it: EINVAL
	FUTEX2_SIZE_U16 Futex2Flags = 1   // 16 bits; as above
	FUTEX2_SIZE_U32 Futex2Flags = 2   // 32 bits
	FUTEX2_SIZE_U64 Futex2Flags = 3   // 64 bits; no kernel up to 6.18 takes it
	FUTEX2_NUMA     Futex2Flags = 4   // a second word after the futex says the NUMA node of its queue; since 6.16
	FUTEX2_MPOL     Futex2Flags = 8   // the memory's policy says the node; since 6.16
	FUTEX2_PRIVATE  Futex2Flags = 128 // threads of this process only
)

// String names the flags as <linux/futex.h> does. The size is always named: 8 bits have no bit.
func (f Futex2Flags) String() string {
	s := [...]string{"FUTEX2_SIZE_U8", "FUTEX2_SIZE_U16", "FUTEX2_SIZE_U32", "FUTEX2_SIZE_U64"}[f&3]
	if f &^= 3; f != 0 {
		s += "|" + flagNames(uint64(f), []flagName{
			{uint64(FUTEX2_NUMA), "FUTEX2_NUMA"},
			{uint64(FUTEX2_MPOL), "FUTEX2_MPOL"},
			{uint64(FUTEX2_PRIVATE), "FUTEX2_PRIVATE"},
		})
	}
	return s
}

// A FutexWaiter is one of the futexes that [FutexWaitv] waits on, or one end of [Futex2Requeue]. It is the kernel's
// struct futex_waitv.
type FutexWaiter struct {
	_     structs.HostLayout
	Val   uint64      // what the word is expected to be; the upper half must be 0 for 32 bits
	Addr  *uint32     // the word
	Flags Futex2Flags // FUTEX2_SIZE_U32, mostly with FUTEX2_PRIVATE
	_     uint32
}

// FUTEX_WAITV_MAX is how many futexes [FutexWaitv] takes.
const FUTEX_WAITV_MAX = 128

// FutexWaitv sleeps while each futex has its value, until one is woken, and returns the index of one that was.
// The others may have been as well. A deadline is absolute, on CLOCK_MONOTONIC or CLOCK_REALTIME, which clock
// says; nil is none, and clock then without meaning.
//
// Errors: EAGAIN, some word was not its value; ETIMEDOUT; EINTR, a signal came, and is not retried; EINVAL, no
// futex or more than [FUTEX_WAITV_MAX], another clock, unknown flags; EFAULT; ENOMEM; ENOSYS.
//
// Since Linux 5.16. No privilege. Safe for concurrent use. Documentation/userspace-api/futex2.rst.
func FutexWaitv(waiters []FutexWaiter, deadline *unix.Timespec, clock int32) (woken int, err error) {
	r, _, errno := Syscall6(unix.SYS_FUTEX_WAITV, uintptr(unsafe.Pointer(unsafe.SliceData(waiters))), uintptr(len(waiters)), 0,
		uintptr(unsafe.Pointer(deadline)), uintptr(clock), 0)
	if errno != 0 {
		return -1, os.NewSyscallError("futex_waitv", errno)
	}
	return int(r), nil
}

// Futex2Wait sleeps while *addr is val until a wake with a bit of mask in common, which must not be zero. A deadline is
// absolute on clock, as for [FutexWaitv]. It is [FutexWaitBitset] with the flags of one futex in its own argument.
//
// Errors: EAGAIN, the word was not val; ETIMEDOUT; EINTR, not retried; EINVAL, unknown flags, a mask of zero, or bits
// of val or mask beyond the size; EFAULT; ENOSYS.
//
// Since Linux 6.7. No privilege. Safe for concurrent use. kernel/futex/syscalls.c, futex_wait.
func Futex2Wait(addr *uint32, val, mask uint64, flags Futex2Flags, deadline *unix.Timespec, clock int32) error {
	_, _, errno := Syscall6(unix.SYS_FUTEX_WAIT, uintptr(unsafe.Pointer(addr)), uintptr(val), uintptr(mask), uintptr(flags),
		uintptr(unsafe.Pointer(deadline)), uintptr(clock))
	if errno != 0 {
		return os.NewSyscallError("futex_wait", errno)
	}
	return nil
}

// Futex2Wake wakes at most n threads that wait on addr with a bit of mask in common, and returns how many. Of zero
// it wakes none, unlike [FutexWake].
//
// Errors: EINVAL, unknown flags, a negative n, a mask of zero or beyond the size; EFAULT; ENOSYS.
//
// Since Linux 6.7. No privilege. Safe for concurrent use. kernel/futex/syscalls.c, futex_wake.
func Futex2Wake(addr *uint32, mask uint64, n int, flags Futex2Flags) (woken int, err error) {
	count, ok := futexCount(n)
	if !ok {
		return 0, os.NewSyscallError("futex_wake", unix.EINVAL)
	}
	r, _, errno := RawSyscall6(unix.SYS_FUTEX_WAKE, uintptr(unsafe.Pointer(addr)), uintptr(mask), count, uintptr(flags), 0, 0)
	if errno != 0 {
		return 0, os.NewSyscallError("futex_wake", errno)
	}
	return int(r), nil
}

// Futex2Requeue wakes at most wake threads that wait on from, and makes at most requeue others wait on to, if from's
// word is from.Val; to.Val is not looked at. It returns how many it woke and moved together. Both futexes must have the
// same flags: kernels that were not yet mended take others, and should not be offered them.
//
// Errors: EAGAIN, the word was not from.Val; EINVAL, unknown or different flags, a negative count; EFAULT; ENOSYS.
//
// Since Linux 6.7. No privilege. Safe for concurrent use. kernel/futex/syscalls.c, futex_requeue.
func Futex2Requeue(from, to FutexWaiter, wake, requeue int) (n int, err error) {
	w, ok := futexCount(wake)
	m, ok2 := futexCount(requeue)
	if !ok || !ok2 || from.Flags != to.Flags {
		return 0, os.NewSyscallError("futex_requeue", unix.EINVAL)
	}
	ends := [2]FutexWaiter{from, to}
	r, _, errno := RawSyscall6(unix.SYS_FUTEX_REQUEUE, uintptr(unsafe.Pointer(&ends)), 0, w, m, 0, 0)
	if errno != 0 {
		return 0, os.NewSyscallError("futex_requeue", errno)
	}
	return int(r), nil
}
