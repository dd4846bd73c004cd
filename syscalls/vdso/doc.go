// Package vdso calls the functions that the kernel maps into every process, the vDSO: they answer from memory
// that the kernel keeps up to date, and do not enter it. A call costs a few nanoseconds more than reading the
// processor's counter.
//
// [ClockGettime], [Gettimeofday], [Getcpu] and [Getrandom] have the meaning of the system calls of these names.
// Where the vDSO has no such function, or it cannot be called, they make the real call; [Resolved] tells which
// it is, and why. [Lookup] finds any function of the image by name, for assembly of one's own.
//
//	var ts unix.Timespec
//	err := vdso.ClockGettime(unix.CLOCK_BOOTTIME, &ts)
//
// # Go and C code
//
// A function of the vDSO is compiled C: it wants a stack of a size that nobody tells, and on arm64 it may use
// the register in which Go keeps the current goroutine. The assembly of this package calls it on the goroutine's
// own stack, with a frame of 6 KiB, so the first call on a small goroutine makes its stack grow once. Signals,
// the CPU profiler's among them, may arrive in the middle; a profile shows such time under runtime._VDSO,
// without the callers. On arm64 the runtime must be told which goroutine it interrupts, and the package does
// so in the way that the runtime itself does. If the runtime is not built the way that this needs, real calls
// are made instead.
//
// Linux on amd64 and arm64 alone. Every kernel that Go supports; getrandom came to the vDSO with Linux 6.11
// (amd64) and 6.12 (arm64), and arm64 has no getcpu. No privilege is needed. All functions are safe for
// concurrent use. Errors are as os.NewSyscallError makes them. Nothing is mapped but by [NewState].
package vdso

import "errors"

// ErrNoVDSO says that the kernel mapped no vDSO into this process: it was booted so (vdso=0), or something
// between kernel and program keeps it.
var ErrNoVDSO = errors.New("vdso: this process has none")

// ErrNotFound says that the vDSO has no function of that name and version.
var ErrNotFound = errors.New("vdso: no such function")
