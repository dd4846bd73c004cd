// Package syscall is the third lesson: how a program in ring 3 asks the kernel for something.
//
// Look for how little there is. A number goes into one register, arguments into others, and one instruction
// (SYSCALL, SVC) changes the ring; when the next one runs, the kernel has done its work, on a stack of its own,
// and all registers but a few are as they were. An error is a small negative number, and errno is made of it by
// whoever called. And look at what is no system call at all: [Clock] reads the time in a page of code and a
// page of numbers that the kernel has mapped into every process, the vDSO, and stays in ring 3.
//
// This is a lesson and not a library: package syscalls of this module has the calls.
//
// Linux on amd64 and arm64; no privilege. All functions may be called from any goroutine. The assembly does not
// tell the scheduler: a call that blocks keeps its thread and its share of GOMAXPROCS.
//
// Sources: syscall(2), write(2), vdso(7), getauxval(3); arch/x86/entry/entry_64.S; Intel SDM volume 2, SYSCALL;
// Arm ARM, SVC.
package syscall
