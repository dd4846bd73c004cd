package syscalls

import (
	"os"
	"unsafe"

	"golang.org/x/sys/unix"
)

// The three calls of io_uring. What passes through the queues is in memory that the kernel shares, mapped from
// the ring's descriptor at [IORING_OFF_SQ_RING] and others; whoever maps it also orders the loads and stores.
//
// All of them fail with ENOSYS where the kernel has no io_uring, and [IoUringSetup] with EPERM where seccomp or
// the sysctl kernel.io_uring_disabled (6.6) forbids it: 1 to those without CAP_SYS_ADMIN who are not in the
// group kernel.io_uring_group, 2 to everybody. No other privilege is needed.

// IoUringSetup makes a ring whose submission queue has at least entries places, 1 to 32768, and fills in
// params. It returns the ring's descriptor, which is close-on-exec, with IORING_SETUP_REGISTERED_FD_ONLY a
// registered slot, and -1 beside an error.
//
// Errors: EINVAL, a flag that the kernel does not have or that does not go with the others, too many entries,
// or a reserved field that is not zero; ENOMEM, also where RLIMIT_MEMLOCK is too low before 5.12; EMFILE;
// EPERM, see above; EFAULT. The address of params is no longer used after the call. Since 5.1;
// io_uring_setup(2).
func IoUringSetup(entries uint32, params *IoUringParams) (fd int, err error) {
	r, _, errno := Syscall6(unix.SYS_IO_URING_SETUP, uintptr(entries), uintptr(unsafe.Pointer(params)), 0, 0, 0, 0)
	if errno != 0 {
		return -1, os.NewSyscallError("io_uring_setup", errno)
	}
	return int(r), nil
}

// IoUringEnter submits toSubmit entries, and with IORING_ENTER_GETEVENTS waits until there are minComplete
// completions, with the signal mask where it is not nil. It returns how many entries were submitted, which is
// fewer where one of them was refused.
//
// An interrupted wait is EINTR where nothing was submitted, and is not tried again: Go's own signals interrupt it
// now and then. Where something was submitted the call returns that number, however the wait ended.
// Errors besides: EAGAIN, no memory for a request; EBADF, no descriptor; EBADFD, the ring is disabled; EBUSY, the
// completion queue is full and must be emptied first; EEXIST, another thread than the one that may
// (IORING_SETUP_SINGLE_ISSUER); EFAULT; EINVAL, a flag that the kernel does not have; EOPNOTSUPP, no ring;
// EOWNERDEAD, the kernel's thread is gone. Since 5.1; io_uring_enter(2).
//
// A success allocates nothing; the error is allocated, and callers who see many use [IoUringEnterErrno].
func IoUringEnter(fd int, toSubmit, minComplete uint32, flags IoUringEnterFlags, mask *unix.Sigset_t) (n int, err error) {
	var size uintptr
	if mask != nil {
		size = kernelSigsetSize
	}
	return enterError(IoUringEnterErrno(fd, toSubmit, minComplete, flags, unsafe.Pointer(mask), size))
}

// kernelSigsetSize is the bytes of the kernel's sigset_t: 64 signals. A unix.Sigset_t has room for more.
const kernelSigsetSize = 8

// IoUringEnterArg is [IoUringEnter] with a longest and a shortest time to wait: it adds IORING_ENTER_EXT_ARG to
// flags. It fails with ETIME where the time is over before there are minComplete completions and nothing was
// submitted. What arg points to must stay reachable until it returns. Since 5.11; io_uring_enter(2).
func IoUringEnterArg(fd int, toSubmit, minComplete uint32, flags IoUringEnterFlags, arg *IoUringGeteventsArg) (n int, err error) {
	flags |= IORING_ENTER_EXT_ARG
	return enterError(IoUringEnterErrno(fd, toSubmit, minComplete, flags, unsafe.Pointer(arg), unsafe.Sizeof(*arg)))
}

// IoUringEnterRegWait is [IoUringEnterArg] with an [IoUringRegWait] at offset, in bytes, of the registered
// memory: it adds IORING_ENTER_EXT_ARG and IORING_ENTER_EXT_ARG_REG to flags. EFAULT, no memory is registered,
// or none at offset; EINVAL also where the kernel does not have it. Since 6.13; io_uring_enter(2).
func IoUringEnterRegWait(fd int, toSubmit, minComplete uint32, flags IoUringEnterFlags, offset uintptr) (n int, err error) {
	flags |= IORING_ENTER_EXT_ARG | IORING_ENTER_EXT_ARG_REG
	r, _, errno := Syscall6(unix.SYS_IO_URING_ENTER, uintptr(fd), uintptr(toSubmit), uintptr(minComplete),
		uintptr(flags), offset, unsafe.Sizeof(IoUringRegWait{}))
	return enterError(int(r), errno)
}

func enterError(n int, errno unix.Errno) (int, error) {
	if errno != 0 {
		return 0, os.NewSyscallError("io_uring_enter", errno)
	}
	return n, nil
}

// IoUringEnterErrno is io_uring_enter(2) as it is, with the argument that belongs to flags: a signal mask of 8
// bytes, or an [IoUringGeteventsArg] with its size. It never allocates and returns -1 and the error number
// where it fails. It may block, so the scheduler is told. Errors as of [IoUringEnter]. Since 5.1.
func IoUringEnterErrno(
	fd int, toSubmit, minComplete uint32, flags IoUringEnterFlags, arg unsafe.Pointer, size uintptr,
) (n int, errno unix.Errno) {
	r, _, errno := Syscall6(unix.SYS_IO_URING_ENTER, uintptr(fd), uintptr(toSubmit), uintptr(minComplete),
		uintptr(flags), uintptr(arg), size)
	return int(r), errno
}

// RawIoUringEnter is io_uring_enter(2) behind the scheduler's back: for calls that do not wait, minComplete 0.
// It is cheaper than [IoUringEnterErrno] by what telling the scheduler costs. Submitting can still take long
// where an operation does its work at once: a read from the page cache, a write to a pipe. Errors as of
// [IoUringEnter].
func RawIoUringEnter(fd int, toSubmit, minComplete uint32, flags IoUringEnterFlags) (n int, errno unix.Errno) {
	r, _, errno := RawSyscall6(unix.SYS_IO_URING_ENTER, uintptr(fd), uintptr(toSubmit), uintptr(minComplete),
		uintptr(flags), 0, 0)
	return int(r), errno
}

// IoUringRegister does one of the many things that [IoUringRegisterOp] lists, with what arg points to and the
// number that belong to it, and returns what that operation returns, mostly 0. Memory that arg's structure
// points to in turn is numbers to the garbage collector; the caller keeps it reachable.
//
// It waits for the ring's lock, and some operations for much more; interrupted it fails with EINTR, and is not
// tried again. Errors of all operations: EINVAL, the kernel does not have it, or a number or reserved field is
// wrong; EBADF, EOPNOTSUPP, no ring; EACCES, a restriction forbids it; EBADFD, the ring is not disabled as it
// must be; EEXIST, another thread than the one that may; EFAULT; EBUSY and ENXIO, there is such a thing already
// or none; ENOMEM, mostly RLIMIT_MEMLOCK. Since 5.1; io_uring_register(2).
func IoUringRegister(fd int, op IoUringRegisterOp, arg unsafe.Pointer, n uint32) (r int, err error) {
	r1, _, errno := Syscall6(unix.SYS_IO_URING_REGISTER, uintptr(fd), uintptr(op), uintptr(arg), uintptr(n), 0, 0)
	if errno != 0 {
		return 0, os.NewSyscallError("io_uring_register", errno)
	}
	return int(r1), nil
}
