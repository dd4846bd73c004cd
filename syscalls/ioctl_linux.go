package syscalls

import (
	"os"
	"unsafe"

	"golang.org/x/sys/unix"
)

// heap returns p, and has the compiler put what p points to on the heap. It is for addresses that go to the kernel as
// numbers inside a structure: what keeps the arguments of a system call in their place does not reach there, and the
// stack of a goroutine moves when a function is called that needs more of it. The heap does not move.
func heap(p unsafe.Pointer) unsafe.Pointer {
	if escaped != nil {
		escaped = p
	}
	return p
}

// escaped is nil and stays so, which the compiler does not know.
var escaped unsafe.Pointer

// ioctl makes the request with a structure of its own. The kernel looks at three arguments; alive is a fourth
// that it does not see: memory that the structure points to by number, which so stays reachable.
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
