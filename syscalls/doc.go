// Package syscalls enters the Linux kernel: the trap instruction in assembly, and typed wrappers of the system
// calls that golang.org/x/sys lacks. What x/sys has is used from there and not declared again; CALLS.md beside
// this file lists every call, with the kernel that brought it and the tests that hold it against the kernel.
//
// # Raw and cooperative
//
// The instruction itself comes in two forms, with the shape that x/sys has. [RawSyscall] and [RawSyscall6] tell
// the Go scheduler nothing: the goroutine keeps its processor (P) until the call returns. They cost the least, and
// are for calls that cannot wait for anything. [Syscall] and [Syscall6] tell it, so that a call may wait for ever
// and other goroutines run meanwhile. Every wrapper of this package takes the cooperative form where its call can
// block, and the raw form where it cannot; its user has nothing to choose.
//
// How the instruction works, which registers carry what and which are lost, is told in raw_amd64.s and
// raw_arm64.s.
//
// # Errors
//
// A wrapper whose call fails returns os.NewSyscallError of the call's name and the errno, as
//
//	futex_wait: resource temporarily unavailable
//
// so errors.Is finds unix.EAGAIN and os.ErrPermission in it, and errors.As an *os.SyscallError. Nothing retries
// EINTR, anywhere in this package: a call that a signal ended returns it, and the caller decides, who alone knows
// how much of a timeout is left. The exceptions are none of a caller's: [Explain] and [Clone3] wait for children of
// their own.
//
// What a call gives beside the error is stated at the wrapper; after an error it is zero, unless stated
// otherwise. Arguments that the kernel would refuse are passed on and refused by it; only what it could not tell, a count
// that does not fit into its own, is EINVAL before.
//
// [Explain] tells why a call was refused: by an old kernel, by a seccomp filter, for want of a capability, by a
// setting, by a security module.
//
// # Structs and flags
//
// Structs that the kernel reads or writes carry structs.HostLayout, and tests compare their size and the offset of
// every field with the running kernel's BTF, or with the uapi header where it has no type. Flags are types of their
// own with a String method, which names the bits that it knows and prints the rest as a number. Constants have the
// names of the kernel's headers, here as in x/sys: IORING_SETUP_SQPOLL, FUTEX_PRIVATE_FLAG.
//
// An address that is an argument of a function is kept, and kept in place, by the function. One that is a number in a
// struct is the caller's to keep: on the heap or in a mapping, with a runtime.Pinner, because stacks move.
//
// # Requirements
//
// Linux on amd64 and arm64; on other systems the package has no calls. The oldest kernel that is tested is 6.1; calls
// that came later say so, and fail with ENOSYS before. Privileges are stated at each call. Functions are safe for
// concurrent use, as far as the call itself is: a thread's attributes are the calling thread's, which needs
// runtime.LockOSThread.
//
//	// The processor that this thread runs on, without a wrapper.
//	var cpu uint32
//	_, _, errno := syscalls.RawSyscall(unix.SYS_GETCPU, uintptr(unsafe.Pointer(&cpu)), 0, 0)
package syscalls
