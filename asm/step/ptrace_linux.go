package step

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// wait waits until the thread stops and returns the signal that it stopped for. Where it has ended the error
// says how.
func (t *tracee) wait() (syscall.Signal, error) {
	var status unix.WaitStatus
	for {
		_, err := unix.Wait4(t.tid, &status, unix.WALL, nil)
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil {
			t.alive = false
			return 0, os.NewSyscallError("wait4", err)
		}
		if status.Stopped() {
			return status.StopSignal(), nil
		}
		t.alive = false
		return 0, t.died(status)
	}
}

// resume lets the thread go on, with a signal or 0, and waits for its next stop; the registers are those of
// then.
func (t *tracee) resume(request int, with syscall.Signal) (syscall.Signal, error) {
	if _, _, errno := unix.Syscall6(unix.SYS_PTRACE, uintptr(request), uintptr(t.tid), 0, uintptr(with), 0, 0); errno != 0 && errno != unix.ESRCH {
		return 0, os.NewSyscallError("ptrace", errno)
	} // with ESRCH it was killed just now, and wait says so
	sig, err := t.wait()
	if err != nil {
		return 0, err
	}
	return sig, t.readRegisters()
}

// peek fills b from the child's memory and returns how much of it could be read.
func (t *tracee) peek(addr uint64, b []byte) []byte {
	n, _ := unix.PtracePeekData(t.tid, uintptr(addr), b)
	return b[:max(n, 0)]
}

// plant writes a breakpoint instruction over what lies at addr, and returns what puts that back. It goes into
// the child's private copy of the page; other threads of the child, which run the Go runtime, do not come by.
func (t *tracee) plant(addr uint64) (restore func() error, err error) {
	saved := make([]byte, len(breakpoint))
	if got := t.peek(addr, saved); len(got) < len(saved) {
		return nil, fmt.Errorf("no instruction can be read at %#x", addr)
	}
	poke := func(b []byte) error {
		_, err := unix.PtracePokeData(t.tid, uintptr(addr), b)
		return os.NewSyscallError("ptrace(POKEDATA)", err)
	}
	return func() error { return poke(saved) }, poke(breakpoint)
}

// readFault reads siginfo_t of the signal that the thread stopped for; nil where that was sent by a process,
// and not raised by an instruction.
func (t *tracee) readFault(sig syscall.Signal) (*Fault, error) {
	var info [128]byte
	if err := getSiginfo(t.tid, &info); err != nil {
		return nil, err
	}
	code := int(int32(binary.NativeEndian.Uint32(info[8:])))
	if code <= 0 {
		return nil, nil
	}
	return &Fault{
		Signal: unix.SignalName(sig), Number: int(sig), Code: code, CodeName: codeName(sig, code),
		Addr: binary.NativeEndian.Uint64(info[16:]), PC: t.regs.pc(),
	}, nil
}

// codeNames are si_code by signal (include/uapi/asm-generic/siginfo.h).
var codeNames = map[syscall.Signal][]string{
	unix.SIGILL:  {1: "ILL_ILLOPC", "ILL_ILLOPN", "ILL_ILLADR", "ILL_ILLTRP", "ILL_PRVOPC", "ILL_PRVREG", "ILL_COPROC", "ILL_BADSTK"},
	unix.SIGFPE:  {1: "FPE_INTDIV", "FPE_INTOVF", "FPE_FLTDIV", "FPE_FLTOVF", "FPE_FLTUND", "FPE_FLTRES", "FPE_FLTINV", "FPE_FLTSUB"},
	unix.SIGSEGV: {1: "SEGV_MAPERR", "SEGV_ACCERR", "SEGV_BNDERR", "SEGV_PKUERR"},
	unix.SIGBUS:  {1: "BUS_ADRALN", "BUS_ADRERR", "BUS_OBJERR", "BUS_MCEERR_AR", "BUS_MCEERR_AO"},
	unix.SIGTRAP: {1: "TRAP_BRKPT", "TRAP_TRACE", "TRAP_BRANCH", "TRAP_HWBKPT"},
	unix.SIGSYS:  {1: "SYS_SECCOMP"},
}

func codeName(sig syscall.Signal, code int) string {
	const kernel = 0x80
	if names := codeNames[sig]; code < len(names) {
		return names[code]
	}
	if code == kernel {
		return "SI_KERNEL"
	}
	return fmt.Sprint(code)
}
