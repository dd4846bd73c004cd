package syscalls

import (
	"os"
	"unsafe"

	"golang.org/x/sys/unix"
)

// ProcessMadvise gives the kernel advice about ranges of a process's memory, which a pidfd names:
// unix.MADV_COLD, MADV_PAGEOUT, MADV_WILLNEED (5.18), MADV_COLLAPSE (6.1), and for the caller's own memory any
// other (6.13). It returns how many bytes it got to, which is fewer than the ranges have where one of them
// failed.
//
// It takes the right to read the process as a debugger would, and CAP_SYS_NICE, for the caller's own memory too
// before 6.13 (EPERM). Other errors: EBADF, no pidfd; EINVAL, another advice, an address that is no page's, or
// more than 1024 ranges; ENOMEM, a range is not mapped; EFAULT; ESRCH, the process is gone; EINTR, not tried
// again. Since 5.10; process_madvise(2).
func ProcessMadvise(pidfd int, ranges []unix.RemoteIovec, advice int) (n int, err error) {
	first := unsafe.Pointer(unsafe.SliceData(ranges))
	r, _, errno := Syscall6(unix.SYS_PROCESS_MADVISE, uintptr(pidfd), uintptr(first), uintptr(len(ranges)), uintptr(advice), 0, 0)
	if errno != 0 {
		return 0, os.NewSyscallError("process_madvise", errno)
	}
	return int(r), nil
}
