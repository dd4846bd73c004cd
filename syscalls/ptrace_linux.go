package syscalls

import (
	"os"
	"runtime"
	"structs"
	"unsafe"

	"golang.org/x/sys/unix"
)

// SignalInfo is a unix.Siginfo with the fields of its union, which x/sys hides. What a field means depends on the
// signal and on Code: sigaction(2).
type SignalInfo struct {
	_ structs.HostLayout
	unix.Siginfo
}

// field reads the union: it begins at 16, where pointers are aligned.
func (s *SignalInfo) field(offset uintptr) unsafe.Pointer {
	return unsafe.Add(unsafe.Pointer(s), 16+offset) // within the 128 bytes, for the constants below
}

// PID returns the sender, where a process sent it, or the child of SIGCHLD; as the receiver's PID namespace has it.
func (s *SignalInfo) PID() int { return int(*(*int32)(s.field(0))) }

// UID returns the real user ID of the sender or child.
func (s *SignalInfo) UID() int { return int(*(*uint32)(s.field(4))) }

// Status returns a child's exit status or signal, of SIGCHLD.
func (s *SignalInfo) Status() int { return int(*(*int32)(s.field(8))) }

// Value returns what sigqueue(3), a timer or a message queue sent along.
func (s *SignalInfo) Value() uint64 { return *(*uint64)(s.field(8)) }

// Addr returns the address of a fault: of SIGSEGV, SIGBUS, SIGILL, SIGFPE and SIGTRAP with a positive Code.
func (s *SignalInfo) Addr() uintptr { return *(*uintptr)(s.field(0)) }

// Syscall returns where a call was, its number and its architecture (unix.AUDIT_ARCH_X86_64), of SIGSYS by seccomp.
func (s *SignalInfo) Syscall() (pc uintptr, number int, arch uint32) {
	return *(*uintptr)(s.field(0)), int(*(*int32)(s.field(8))), *(*uint32)(s.field(12))
}

// PtraceGetSiginfo returns the signal for which a traced thread is stopped.
//
// Errors: ESRCH, no such thread, not traced by the caller, or not stopped; EINVAL, stopped for no signal (a
// group-stop).
//
// Since Linux 2.3.99. The calling thread must be the tracer, so the goroutine is locked to it. ptrace(2), PTRACE_GETSIGINFO.
func PtraceGetSiginfo(tid int) (s SignalInfo, err error) {
	_, _, errno := RawSyscall6(unix.SYS_PTRACE, unix.PTRACE_GETSIGINFO, uintptr(tid), 0, uintptr(unsafe.Pointer(&s)), 0, 0)
	if errno != 0 {
		return SignalInfo{}, os.NewSyscallError("ptrace", errno)
	}
	return s, nil
}

// A SyscallStop is the point of a system call at which a traced thread is stopped: unix.PTRACE_SYSCALL_INFO_ENTRY before
// the call, unix.PTRACE_SYSCALL_INFO_EXIT after it, unix.PTRACE_SYSCALL_INFO_SECCOMP before it where a filter said
// SECCOMP_RET_TRACE, and unix.PTRACE_SYSCALL_INFO_NONE where it is stopped for something else.
type SyscallStop uint8

// String names the point as <linux/ptrace.h> does.
func (s SyscallStop) String() string {
	return valueName(int64(s), []string{"PTRACE_SYSCALL_INFO_NONE", "PTRACE_SYSCALL_INFO_ENTRY", "PTRACE_SYSCALL_INFO_EXIT", "PTRACE_SYSCALL_INFO_SECCOMP"})
}

// PtraceSyscallInfo is what a tracer can learn about the system call in which a thread is stopped: struct
// ptrace_syscall_info. Which of [PtraceSyscallInfo.Entry], [PtraceSyscallInfo.Exit] and [PtraceSyscallInfo.Seccomp]
// has something depends on Op.
type PtraceSyscallInfo struct {
	_                  structs.HostLayout
	Op                 SyscallStop // where the thread is stopped
	_                  [3]uint8
	Arch               uint32 // unix.AUDIT_ARCH_X86_64 or AUDIT_ARCH_AARCH64
	InstructionPointer uint64 // behind the instruction that made the call
	StackPointer       uint64 // of the thread
	union              [8]uint64
}

// A SyscallEntry is a call that is about to happen.
type SyscallEntry struct {
	Number uint64    // as unix.SYS_READ has it, on the architecture of Arch
	Args   [6]uint64 // as the registers had them; how many count depends on the call
}

// Entry returns the call before which the thread is stopped.
func (p *PtraceSyscallInfo) Entry() (e SyscallEntry, ok bool) {
	if p.Op != unix.PTRACE_SYSCALL_INFO_ENTRY {
		return e, false
	}
	return p.call(), true
}

// Seccomp returns the call before which a filter stopped the thread, and the data of the filter's SECCOMP_RET_TRACE.
func (p *PtraceSyscallInfo) Seccomp() (e SyscallEntry, data uint32, ok bool) {
	if p.Op != unix.PTRACE_SYSCALL_INFO_SECCOMP {
		return e, 0, false
	}
	return p.call(), *(*uint32)(unsafe.Pointer(&p.union[7])), true
}

func (p *PtraceSyscallInfo) call() SyscallEntry {
	return SyscallEntry{Number: p.union[0], Args: [6]uint64(p.union[1:7])}
}

// Exit returns the result of the call after which the thread is stopped, and its error, 0 if it succeeded.
func (p *PtraceSyscallInfo) Exit() (result int64, errno unix.Errno, ok bool) {
	if p.Op != unix.PTRACE_SYSCALL_INFO_EXIT {
		return 0, 0, false
	}
	result = int64(p.union[0])
	if *(*uint8)(unsafe.Pointer(&p.union[1])) != 0 {
		errno = unix.Errno(-result)
	}
	return result, errno, true
}

// PtraceGetSyscallInfo returns the system call in which a traced thread is stopped, on every architecture alike. For Op
// to be right the tracer must have set PTRACE_O_TRACESYSGOOD.
//
// Errors: ESRCH, no such thread, not traced by the caller, or not stopped; EIO, an older kernel.
//
// Since Linux 5.3. The calling thread must be the tracer, so the goroutine is locked to it. ptrace(2),
// PTRACE_GET_SYSCALL_INFO.
func PtraceGetSyscallInfo(tid int) (p PtraceSyscallInfo, err error) {
	_, _, errno := RawSyscall6(unix.SYS_PTRACE, unix.PTRACE_GET_SYSCALL_INFO, uintptr(tid), unsafe.Sizeof(p),
		uintptr(unsafe.Pointer(&p)), 0, 0)
	if errno != 0 {
		return PtraceSyscallInfo{}, os.NewSyscallError("ptrace", errno)
	}
	return p, nil
}

// PtraceGetRegset reads a set of registers of a stopped thread, by the type of the ELF note that holds it in a core
// file: 1 (NT_PRSTATUS) the general ones, 2 those of floating point, 0x202 the whole x86 state, 0x402 and
// 0x403 arm64's watchpoints. It returns how many bytes the kernel wrote, at most len(buf). unix.PtraceGetRegs and
// unix.PtraceGetRegSetArm64 have the general ones, with names.
//
// Errors: EINVAL, no such set, or len(buf) is no multiple of what its registers have; EIO; ENODEV, the processor has
// it not; ESRCH, no such thread, not traced by the caller, or not stopped.
//
// Since Linux 2.6.34. The calling thread must be the tracer, so the goroutine is locked to it. ptrace(2), PTRACE_GETREGSET.
func PtraceGetRegset(tid int, note uint32, buf []byte) (n int, err error) {
	if len(buf) == 0 {
		return 0, os.NewSyscallError("ptrace", unix.EINVAL)
	}
	iov := unix.Iovec{Base: &buf[0]}
	iov.SetLen(len(buf))
	_, _, errno := RawSyscall6(unix.SYS_PTRACE, unix.PTRACE_GETREGSET, uintptr(tid), uintptr(note), uintptr(unsafe.Pointer(&iov)), 0, 0)
	runtime.KeepAlive(buf)
	if errno != 0 {
		return 0, os.NewSyscallError("ptrace", errno)
	}
	return int(iov.Len), nil
}
