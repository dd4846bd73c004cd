package syscalls

import "golang.org/x/sys/unix"

// RawSyscall6 enters the kernel with the trap instruction, in assembly of this package, and returns what the
// kernel says: its two registers of results, and the error number or 0. With an error r1 is ^uintptr(0) and
// r2 is 0. Its shape is that of unix.RawSyscall6.
//
// The Go scheduler learns nothing of the call: the goroutine keeps its processor (P) until it returns, and a
// garbage collection waits that long. It is for calls that are short and cannot block; for the others there
// is [Syscall6]. EINTR is returned, not retried. Safe for concurrent use; whether the call itself is, its
// man page says.
//
// An address goes into the argument list as uintptr(unsafe.Pointer(p)), in the call expression itself. The
// compiler then keeps *p alive until the call returns, and it does not move: the way from the caller into the
// kernel has no point where its stack could grow. So *p may be a variable on the stack, and stays there. An
// address that is computed earlier, and kept in a uintptr, has no such protection.
//
// Every kernel has the instruction; errors are the call's, as errno. Source: syscall(2); the tables of numbers are
// SYS_* of x/sys/unix.
func RawSyscall6(trap, a1, a2, a3, a4, a5, a6 uintptr) (r1, r2 uintptr, err unix.Errno)

// RawSyscall is [RawSyscall6] for calls of up to three arguments: a4, a5 and a6 are zero. Errors are the call's.
func RawSyscall(trap, a1, a2, a3 uintptr) (r1, r2 uintptr, err unix.Errno)

// Syscall6 is [RawSyscall6] for calls that may block: it tells the scheduler, which gives the processor (P)
// to other goroutines when the call takes long. It goes through the standard library, because the scheduler
// listens to nobody else. Returning costs more than from the raw form: the goroutine needs a P again.
//
// Addresses are passed under the same rule, and EINTR is returned, not retried. The thread does not change
// during the call, but it may after it: what belongs to a thread needs runtime.LockOSThread.
func Syscall6(trap, a1, a2, a3, a4, a5, a6 uintptr) (r1, r2 uintptr, err unix.Errno)

// Syscall is [Syscall6] for calls of up to three arguments. Errors are the call's.
func Syscall(trap, a1, a2, a3 uintptr) (r1, r2 uintptr, err unix.Errno)
