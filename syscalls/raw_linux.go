package syscalls

import (
	"syscall"

	"golang.org/x/sys/unix"
)

// RawSyscall6 enters the kernel with the trap instruction, in assembly of this package, and returns what
// it says: two results, and the error number or 0. Its shape is that of unix.RawSyscall6.
//
// The Go scheduler learns nothing of it: the goroutine keeps its processor (P) until the call returns, and
// a garbage collection waits that long. It is for calls that are short and cannot block; for the others
// there is [Syscall6]. EINTR is returned, not retried. Safe for concurrent use.
//
// Arguments that are addresses must stay valid until the call returns. As with unix.RawSyscall6, a
// conversion uintptr(unsafe.Pointer(p)) in the argument list keeps *p alive and in its place.
//
//go:uintptrescapes
func RawSyscall6(trap, a1, a2, a3, a4, a5, a6 uintptr) (r1, r2 uintptr, err unix.Errno)

// Syscall6 is [RawSyscall6] for calls that may block: it goes through the standard library, which alone may
// tell the scheduler, so that other goroutines run meanwhile. Returning costs more: the goroutine needs a
// processor (P) again. EINTR is returned, not retried. Safe for concurrent use.
//
//go:uintptrescapes
func Syscall6(trap, a1, a2, a3, a4, a5, a6 uintptr) (r1, r2 uintptr, err unix.Errno) {
	return syscall.Syscall6(trap, a1, a2, a3, a4, a5, a6)
}
