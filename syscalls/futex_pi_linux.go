package syscalls

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// What the word of a priority-inheriting or robust futex holds: 0 while it is free, and else the thread that
// owns it, as gettid(2) has it, with these bits.
const (
	FUTEX_WAITERS    = 1 << 31   // somebody waits in the kernel: the owner must unlock there
	FUTEX_OWNER_DIED = 1 << 30   // the owner died without unlocking (robust list); since 2.6.17
	FUTEX_TID_MASK   = 1<<30 - 1 // the owner's thread ID
)

// FutexLockPI makes the calling thread the owner of the lock at addr, and sleeps until it can be. Meanwhile the owner
// runs with the caller's priority, where that is higher. Callers first try to change the word from 0 to their thread
// ID by compare and swap, and come here if that fails. A thread owns the lock, so the goroutine must stay on its
// thread: runtime.LockOSThread from before the lock to after the unlock.
//
// A deadline is absolute, on CLOCK_REALTIME whatever the flags; nil is none. [FutexLockPI2] has the choice.
//
// Errors: EDEADLK, the caller owns it already; ESRCH, the thread in the word is none; EPERM, it is a kernel's;
// EAGAIN, it is just exiting: call again; ETIMEDOUT; EINTR as [FutexWait]: nothing here retries; EINVAL, the word
// and the kernel's queue contradict each other; ENOMEM; EFAULT.
//
// Since Linux 2.6.18 (CONFIG_FUTEX_PI, else ENOSYS). No privilege. Safe for concurrent use. futex(2), FUTEX_LOCK_PI.
func FutexLockPI(addr *uint32, flags FutexFlags, deadline *unix.Timespec) error {
	return futexLocks(futexLockPI, addr, flags, deadline)
}

// FutexLockPI2 is [FutexLockPI] with a deadline on CLOCK_MONOTONIC, or on CLOCK_REALTIME with FUTEX_CLOCK_REALTIME.
// ENOSYS where the kernel is older.
//
// Since Linux 5.14. No privilege. Safe for concurrent use. futex(2), FUTEX_LOCK_PI2.
func FutexLockPI2(addr *uint32, flags FutexFlags, deadline *unix.Timespec) error {
	return futexLocks(futexLockPI2, addr, flags, deadline)
}

func futexLocks(op FutexFlags, addr *uint32, flags FutexFlags, deadline *unix.Timespec) error {
	_, _, errno := Syscall6(unix.SYS_FUTEX, uintptr(unsafe.Pointer(addr)), uintptr(op|flags), 0,
		uintptr(unsafe.Pointer(deadline)), 0, 0)
	return futexError(errno)
}

// FutexTrylockPI is [FutexLockPI] that does not wait for an owner: it takes a lock that the word says is taken but
// the kernel knows to be free, as after the death of its owner.
//
// Errors as FutexLockPI has; EAGAIN, the lock is another's.
//
// Since Linux 2.6.18. No privilege. Safe for concurrent use. futex(2), FUTEX_TRYLOCK_PI.
func FutexTrylockPI(addr *uint32, flags FutexFlags) error {
	return futexLocks(futexTrylockPI, addr, flags, nil)
}

// FutexUnlockPI hands the lock at addr to the waiter of the highest priority, or sets the word to 0. The calling
// thread must own it. Owners call it where their compare and swap of the word from their thread ID to 0 fails, because
// FUTEX_WAITERS is set.
//
// Errors: EPERM, the calling thread is not the owner; EINVAL, EFAULT.
//
// Since Linux 2.6.18. No privilege. Safe for concurrent use. futex(2), FUTEX_UNLOCK_PI.
func FutexUnlockPI(addr *uint32, flags FutexFlags) error {
	return futexLocks(futexUnlockPI, addr, flags, nil)
}

// FutexWaitRequeuePI sleeps while *addr is val, as [FutexWaitBitset] with all bits, until [FutexCmpRequeuePI] makes it
// wait for the lock at lock instead, and it owns that: nil says that the calling thread is the owner of the lock, with
// what [FutexLockPI] says of owners. It is the wait of a condition variable whose mutex inherits priorities. A
// deadline is absolute, on CLOCK_MONOTONIC, or on CLOCK_REALTIME with FUTEX_CLOCK_REALTIME; nil is none.
//
// Errors, after all of which the lock is not the caller's: EAGAIN, the word was not val, or a signal came when the
// caller was moved already (before, the kernel itself resumes after Go's handlers); ETIMEDOUT; EINVAL, both are the
// same word; EDEADLK; EFAULT; ENOSYS.
//
// Since Linux 2.6.31 (CONFIG_FUTEX_PI). No privilege. Safe for concurrent use. futex(2), FUTEX_WAIT_REQUEUE_PI.
func FutexWaitRequeuePI(addr *uint32, val uint32, lock *uint32, flags FutexFlags, deadline *unix.Timespec) error {
	_, _, errno := Syscall6(unix.SYS_FUTEX, uintptr(unsafe.Pointer(addr)), uintptr(futexWaitRequeuePI|flags), uintptr(val),
		uintptr(unsafe.Pointer(deadline)), uintptr(unsafe.Pointer(lock)), 0)
	return futexError(errno)
}

// FutexCmpRequeuePI gives the lock at lock to the first that waits on addr in [FutexWaitRequeuePI], if it is
// free, and makes at most requeue others wait for it, if *addr is val: nobody is woken who could not have the lock.
// It returns how many were given the lock and moved together; 1 and [FutexAll] are what signal and broadcast of a
// condition variable are.
//
// Errors: EAGAIN, the word was not val, or the owner of the lock is just exiting; EINVAL, a negative count, both are
// the same word, or somebody waits on addr otherwise, or for another lock; EDEADLK, one of those who wait owns
// the lock; ESRCH, the lock's owner is no thread; EPERM, it is a kernel's; ENOMEM; EFAULT; ENOSYS.
//
// Since Linux 2.6.31 (CONFIG_FUTEX_PI). No privilege. Safe for concurrent use. futex(2), FUTEX_CMP_REQUEUE_PI.
func FutexCmpRequeuePI(addr *uint32, val uint32, requeue int, lock *uint32, flags FutexFlags) (n int, err error) {
	const wake = 1 // which the kernel insists on
	return futexRequeues(futexCmpRequeuePI, addr, val, wake, requeue, lock, flags)
}
