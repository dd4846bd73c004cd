package syscalls

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/ring3-go/ring3/internal/seccomp"
)

var auditArch = map[string]uint32{"amd64": unix.AUDIT_ARCH_X86_64, "arm64": unix.AUDIT_ARCH_AARCH64}[runtime.GOARCH]

// What getpriority(2) makes of these is nothing: no such "which". It ignores the last four.
var tracedArgs = [6]uint64{77, 2, 3, 4, 5, 1 << 40}

var callingChild = addChild("calling", func() error {
	a := tracedArgs
	_, _, errno := RawSyscall6(unix.SYS_GETPRIORITY, uintptr(a[0]), uintptr(a[1]), uintptr(a[2]), uintptr(a[3]), uintptr(a[4]), uintptr(a[5]))
	if errno != unix.EINVAL {
		return errno
	}
	RawSyscall6(unix.SYS_GETPPID, 0, 0, 0, 0, 0, 0)
	return nil
})

// A tracer sees a call with its arguments, its failure, another and its success.
func TestSyscallInfoHasEntryAndExit(t *testing.T) {
	traced(t, callingChild, unix.PTRACE_O_TRACESYSGOOD, func(pid int) {
		if info, err := PtraceGetSyscallInfo(pid); err != nil || info.Op != unix.PTRACE_SYSCALL_INFO_NONE {
			t.Errorf("after the exec: %+v, %v", info, err)
		}
		entry, ok := traceUntil(t, pid, unix.SYS_GETPRIORITY)
		if !ok {
			return
		}
		if entry.Args != tracedArgs {
			t.Errorf("the arguments are %v, want %v", entry.Args, tracedArgs)
		}
		if result, errno := traceExit(t, pid); result != -int64(unix.EINVAL) || errno != unix.EINVAL {
			t.Errorf("the failed call returned %d, %v", result, errno)
		}
		if _, ok := traceUntil(t, pid, unix.SYS_GETPPID); !ok {
			return
		}
		if result, errno := traceExit(t, pid); result != int64(os.Getpid()) || errno != 0 {
			t.Errorf("getppid returned %d, %v; want %d", result, errno, os.Getpid())
		}
	})
	_, err := PtraceGetSyscallInfo(os.Getpid())
	expect(t, err, unix.ESRCH)
}

// traceUntil lets a child run to the entry of a call.
func traceUntil(t *testing.T, pid int, number uint64) (SyscallEntry, bool) {
	for {
		status, err := resume(pid, unix.PTRACE_SYSCALL, 0)
		if err != nil || !status.Stopped() {
			t.Errorf("before call %d it ended: %#x, %v", number, status, err)
			return SyscallEntry{}, false
		}
		info, err := PtraceGetSyscallInfo(pid)
		if err != nil {
			t.Error(err)
			return SyscallEntry{}, false
		}
		entry, ok := info.Entry()
		if !ok || entry.Number != number {
			continue
		}
		var regs unix.PtraceRegs
		if err := unix.PtraceGetRegs(pid, &regs); err != nil || regs.PC() != info.InstructionPointer || info.Arch != auditArch {
			t.Errorf("%+v, while the registers have PC %#x, %v", info, regs.PC(), err)
		}
		_, _, exit := info.Exit()
		_, _, seccomp := info.Seccomp()
		if exit || seccomp {
			t.Error("it is at several points at once")
		}
		return entry, true
	}
}

// traceExit lets a child run to the exit of the call at whose entry it is.
func traceExit(t *testing.T, pid int) (int64, unix.Errno) {
	if status, err := resume(pid, unix.PTRACE_SYSCALL, 0); err != nil || !status.Stopped() {
		t.Errorf("it ended: %#x, %v", status, err)
	}
	info, err := PtraceGetSyscallInfo(pid)
	if err != nil {
		t.Error(err)
	}
	result, errno, ok := info.Exit()
	if !ok {
		t.Errorf("it is at %v", info.Op)
	}
	return result, errno
}

const filterData = 0x4711

// This child has a filter of its own that hands getpriority to the tracer.
var filteredChild = addChild("filtered", func() error {
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return err
	}
	filter := []unix.SockFilter{
		{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS}, // the call's number
		{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, Jf: 1, K: unix.SYS_GETPRIORITY},
		{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_TRACE | filterData},
		{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_ALLOW},
	}
	program := unix.SockFprog{Len: uint16(len(filter)), Filter: &filter[0]}
	if err := unix.Prctl(unix.PR_SET_SECCOMP, unix.SECCOMP_MODE_FILTER, uintptr(unsafe.Pointer(&program)), 0, 0); err != nil {
		return err
	}
	runtime.KeepAlive(filter)
	RawSyscall6(unix.SYS_GETPRIORITY, 77, 2, 3, 4, 5, 6)
	return nil
})

func TestSyscallInfoHasWhatSeccompSaid(t *testing.T) {
	traced(t, filteredChild, unix.PTRACE_O_TRACESECCOMP|unix.PTRACE_O_TRACESYSGOOD, func(pid int) {
		for {
			status, err := resume(pid, unix.PTRACE_CONT, 0)
			if err != nil || !status.Stopped() {
				t.Errorf("it ended: %#x, %v", status, err)
				return
			}
			if status.TrapCause() != unix.PTRACE_EVENT_SECCOMP {
				continue
			}
			info, err := PtraceGetSyscallInfo(pid)
			if err != nil {
				t.Error(err)
			}
			call, data, ok := info.Seccomp()
			want := SyscallEntry{unix.SYS_GETPRIORITY, [6]uint64{77, 2, 3, 4, 5, 6}}
			if !ok || call != want || data != filterData {
				t.Errorf("at %v: %+v, %#x; want %+v, %#x", info.Op, call, data, want, filterData)
			}
			return
		}
	})
}

// This child is killed by its own signal, and tells its fault by the second.
var signalledChild = addChild("signalled", func() error {
	if err := unix.Tgkill(os.Getpid(), os.Getpid(), unix.SIGUSR1); err != nil {
		return err
	}
	page, err := unix.Mmap(-1, 0, os.Getpagesize(), unix.PROT_NONE, unix.MAP_PRIVATE|unix.MAP_ANON)
	if err != nil {
		return err
	}
	a := uintptr(unsafe.Pointer(unsafe.SliceData(page)))
	RawSyscall6(unix.SYS_GETPRIORITY, 77, a, 0, 0, 0, 0) // the tracer reads the address here
	page[5] = 1
	return errors.New("no fault")
})

func TestSiginfoHasSenderAndAddress(t *testing.T) {
	traced(t, signalledChild, unix.PTRACE_O_TRACESYSGOOD, func(pid int) {
		info := stopAt(t, pid, unix.SIGUSR1)
		const tkill = -6 // SI_TKILL
		if info.Signo != int32(unix.SIGUSR1) || info.Code != tkill || info.PID() != pid || info.UID() != os.Getuid() {
			t.Errorf("%+v is from %d of user %d; want %d, %d", info, info.PID(), info.UID(), pid, os.Getuid())
		}
		entry, ok := traceUntil(t, pid, unix.SYS_GETPRIORITY)
		if !ok {
			return
		}
		info = stopAt(t, pid, unix.SIGSEGV)
		const accerr = 2 // SEGV_ACCERR
		if info.Code != accerr || info.Addr() != uintptr(entry.Args[1])+5 {
			t.Errorf("%+v is of address %#x; want %#x", info, info.Addr(), entry.Args[1]+5)
		}
		buf := make([]byte, 4096)
		n, err := PtraceGetRegset(pid, 1, buf)
		var regs unix.PtraceRegs
		if err := unix.PtraceGetRegs(pid, &regs); err != nil {
			t.Error(err)
		}
		if err != nil || n != int(unsafe.Sizeof(regs)) || string(buf[:n]) != string((*[unsafe.Sizeof(regs)]byte)(unsafe.Pointer(&regs))[:]) {
			t.Errorf("%d bytes of registers, %v; want %d, those that x/sys has", n, err, unsafe.Sizeof(regs))
		}
		for _, bad := range []struct {
			note uint32
			buf  []byte
		}{{1, nil}, {1, buf[:5]}, {0xffff, buf}} {
			if _, err := PtraceGetRegset(pid, bad.note, bad.buf); !isError(err, unix.EINVAL) {
				t.Errorf("note %#x into %d bytes: %v", bad.note, len(bad.buf), err)
			}
		}
	})
	_, err := PtraceGetSiginfo(os.Getpid())
	expect(t, err, unix.ESRCH)
	_, err = PtraceGetRegset(os.Getpid(), 1, make([]byte, 8))
	expect(t, err, unix.ESRCH)
}

const queuedValue = 0x123456789a

// This child sends itself a value, and has a filter that answers getpriority with a signal.
var informedChild = addChild("informed", func() error {
	var info [16]uint64
	info[0], info[1] = uint64(unix.SIGUSR2), uint64(uint32(0xffffffff)) // signal; SI_QUEUE
	info[2], info[3] = uint64(os.Getpid()), queuedValue                 // sender; value
	_, _, errno := RawSyscall(unix.SYS_RT_SIGQUEUEINFO, uintptr(os.Getpid()), uintptr(unix.SIGUSR2), uintptr(unsafe.Pointer(&info)))
	if errno != 0 {
		return errno
	}
	err := seccomp.Install(seccomp.Rule{From: unix.SYS_GETPRIORITY, To: unix.SYS_GETPRIORITY, Action: unix.SECCOMP_RET_TRAP})
	if err != nil {
		return err
	}
	RawSyscall(unix.SYS_GETPRIORITY, 0, 0, 0)
	return errors.New("no signal")
})

func TestSiginfoHasValueAndCall(t *testing.T) {
	traced(t, informedChild, 0, func(pid int) {
		info := stopAt(t, pid, unix.SIGUSR2)
		if info.Code != -1 || info.Value() != queuedValue || info.PID() != pid {
			t.Errorf("%+v has value %#x from %d; want %#x from %d", info, info.Value(), info.PID(), queuedValue, pid)
		}
		info = stopAt(t, pid, unix.SIGSYS)
		var regs unix.PtraceRegs
		if err := unix.PtraceGetRegs(pid, &regs); err != nil {
			t.Error(err)
		}
		if pc, number, arch := info.Syscall(); pc != uintptr(regs.PC()) || number != unix.SYS_GETPRIORITY || arch != auditArch {
			t.Errorf("call %d of architecture %#x at %#x; want %d, %#x, %#x", number, arch, pc, unix.SYS_GETPRIORITY, auditArch, regs.PC())
		}
	})
}

// stopAt lets a child run until it is stopped for a signal, without the others that Go itself sends.
func stopAt(t *testing.T, pid int, sig unix.Signal) (info SignalInfo) {
	for pass := unix.Signal(0); ; {
		status, err := resume(pid, unix.PTRACE_CONT, int(pass))
		if err != nil || !status.Stopped() {
			t.Errorf("before %v it ended: %#x, %v", sig, status, err)
			return info
		}
		if pass = status.StopSignal(); pass == sig {
			info, err := PtraceGetSiginfo(pid)
			if err != nil {
				t.Error(err)
			}
			return info
		}
	}
}

func TestPtraceMirrors(t *testing.T) {
	checkOffsets(t, PtraceSyscallInfo{}, 88, map[string]uintptr{ // include/uapi/linux/ptrace.h
		"Op": 0, "Arch": 4, "InstructionPointer": 8, "StackPointer": 16, "union": 24,
	})
	if got := unsafe.Sizeof(SignalInfo{}); got != 128 {
		t.Errorf("a siginfo has 128 bytes, the mirror %d", got)
	}
	for s, want := range map[fmt.Stringer]string{SyscallStop(unix.PTRACE_SYSCALL_INFO_EXIT): "PTRACE_SYSCALL_INFO_EXIT", SyscallStop(9): "9"} {
		if s.String() != want {
			t.Errorf("%v, want %s", s, want)
		}
	}
}
