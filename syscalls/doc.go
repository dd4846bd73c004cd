// Package syscalls enters the Linux kernel: the trap instruction in assembly ([RawSyscall6]), and typed
// wrappers of system calls that golang.org/x/sys lacks. What x/sys has is used from there and not declared
// again.
package syscalls
