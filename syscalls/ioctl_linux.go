package syscalls

import (
	"os"
	"unsafe"

	"golang.org/x/sys/unix"
)

// ioctl makes the request with a structure of its own. The kernel looks at three arguments; alive is a fourth
// that it does not see: memory that the structure points to by number, which so stays reachable and in its
// place.
func ioctl(fd int, request uintptr, arg, alive unsafe.Pointer) (r uintptr, errno unix.Errno) {
	r, _, errno = Syscall6(unix.SYS_IOCTL, uintptr(fd), request, uintptr(arg), uintptr(alive), 0, 0)
	return r, errno
}

// callError is the error of the call that name is, nil for none.
func callError(name string, errno unix.Errno) error {
	if errno != 0 {
		return os.NewSyscallError(name, errno)
	}
	return nil
}
