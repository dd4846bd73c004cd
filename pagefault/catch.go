package pagefault

import (
	"fmt"
	"strings"
	"syscall"

	"golang.org/x/arch/arm64/arm64asm"
	"golang.org/x/arch/x86/x86asm"
)

// A Fault is an exception of the processor that the kernel made a signal of, and what both said about it. It is
// an error: of the access or instruction that raised it.
type Fault struct {
	// Signal is what the kernel sent, and Code its si_code: why ([Fault.CodeName]).
	Signal syscall.Signal
	Code   int32
	// Addr is si_addr: where the access was to, or for SIGILL, SIGFPE and SIGTRAP as a rule the instruction. It is
	// 0 where the processor gives no address: #GP, to which a non-canonical address belongs.
	Addr uintptr
	// TrapNo is the vector of the exception on amd64. On arm64 it is the exception class of ESR, or -1: the kernel
	// passes that on for aborts and alignment alone.
	TrapNo int
	// ErrorCode is what the processor said beside the vector: on amd64 the error code, on arm64 all of ESR.
	ErrorCode ErrorCode
	// PC is the instruction's address; of a trap (INT3) that of the one after it. It is 0 where nobody kept it: of
	// [FaultOf] an access in this process.
	PC uintptr
	// Bytes begin with the instruction, that of a trap too, and go on with what follows, at most 16; none where that cannot
	// be read, because executing it is what failed. [Fault.Instruction] is its text.
	Bytes []byte
	arch  string
}

// An ErrorCode is the processor's own word on an exception. Its methods decode that of a page fault.
type ErrorCode uint64

// The bits of a page fault's error code on amd64: Intel SDM volume 3A, section 5.7. For an address of the kernel
// Linux sets Present whether there is a page or not, so that nobody learns from it.
const (
	ErrorPresent     ErrorCode = 1 << 0  // there is a page, and it refuses; otherwise there is none
	ErrorWrite       ErrorCode = 1 << 1  // the access was a write
	ErrorUser        ErrorCode = 1 << 2  // the processor was in user mode
	ErrorReserved    ErrorCode = 1 << 3  // an entry of the page tables has a reserved bit set
	ErrorFetch       ErrorCode = 1 << 4  // the access was an instruction fetch
	ErrorKey         ErrorCode = 1 << 5  // a protection key refused
	ErrorShadowStack ErrorCode = 1 << 6  // the access was one of the shadow stack
	ErrorSGX         ErrorCode = 1 << 15 // an enclave refused
)

var errorBits = []struct {
	bit  ErrorCode
	name string
}{
	{ErrorPresent, "present"}, {ErrorWrite, "write"}, {ErrorUser, "user"}, {ErrorReserved, "reserved"}, {ErrorFetch, "fetch"},
	{ErrorKey, "key"}, {ErrorShadowStack, "shadow-stack"}, {ErrorSGX, "sgx"},
}

// PageFault names the bits of a page fault's error code on amd64: "present|write|user".
func (e ErrorCode) PageFault() string {
	var names []string
	for _, b := range errorBits {
		if e&b.bit != 0 {
			names = append(names, b.name)
			e &^= b.bit
		}
	}
	if e != 0 {
		names = append(names, fmt.Sprintf("%#x", uint64(e)))
	}
	if names == nil {
		return "0"
	}
	return strings.Join(names, "|")
}

// Abort decodes what ESR of arm64 says of a data or instruction abort: Arm ARM, ESR_EL1. Write is false for a
// fetch.
func (e ErrorCode) Abort() (write bool, status string) {
	const writeNotRead = 1 << 6
	fsc := uint64(e) & 0x3f
	level := fmt.Sprintf(", level %d", fsc&3)
	switch fsc >> 2 {
	case 0b0000:
		status = "address size" + level
	case 0b0001:
		status = "translation" + level
	case 0b0010:
		status = "access flag" + level
	case 0b0011:
		status = "permission" + level
	default:
		status = fmt.Sprintf("status %#x", fsc)
		switch fsc {
		case 0x10:
			status = "external"
		case 0x11:
			status = "tag check"
		case 0x21:
			status = "alignment"
		}
	}
	const dataAbort = 0x24
	return e.Class() == dataAbort && uint64(e)&writeNotRead != 0, status
}

// Class is the exception class of ESR on arm64.
func (e ErrorCode) Class() int { return int(uint64(e) >> 26 & 0x3f) }

// String is the fault in one line.
func (f *Fault) Error() string {
	s := fmt.Sprintf("%s (%s)", signalName(f.Signal), f.CodeName())
	if name := f.Exception(); name != "" {
		s += ", " + name
	}
	if what := f.what(); what != "" {
		s += " (" + what + ")"
	}
	if f.Addr != 0 && f.Addr != f.PC {
		s += fmt.Sprintf(", address %#x", f.Addr)
	}
	if f.PC != 0 {
		s += fmt.Sprintf(", at %#x", f.PC)
	}
	return s
}

// Instruction is the instruction in the syntax of Go's assembler and in that of the GNU tools (AT&T on amd64). Both are
// empty where there are no Bytes or the decoder, golang.org/x/arch, does not know it. After a step with the trap flag it
// is the instruction that comes next.
func (f *Fault) Instruction() (goSyntax, gnuSyntax string) {
	switch f.arch {
	case "amd64":
		if inst, err := x86asm.Decode(f.Bytes, 64); err == nil && inst.Op != 0 {
			return x86asm.GoSyntax(inst, uint64(f.PC), nil), x86asm.GNUSyntax(inst, uint64(f.PC), nil)
		}
	case "arm64":
		if inst, err := arm64asm.Decode(f.Bytes); err == nil && inst.Op != 0 {
			return arm64asm.GoSyntax(inst, uint64(f.PC), nil, nil), arm64asm.GNUSyntax(inst)
		}
	}
	return "", ""
}

// what is the error code in words, where there is one.
func (f *Fault) what() string {
	switch {
	case f.arch == "amd64" && f.TrapNo == 14:
		return f.ErrorCode.PageFault()
	case f.arch == "amd64" && f.ErrorCode != 0:
		return fmt.Sprintf("error %#x", uint64(f.ErrorCode))
	case f.arch == "arm64" && (f.TrapNo == 0x24 || f.TrapNo == 0x20):
		write, status := f.ErrorCode.Abort()
		if write {
			return status + ", write"
		}
		return status
	}
	return ""
}

// Exception is the short name of the exception: "#PF", or on arm64 "data abort"; empty where the kernel does not
// tell.
func (f *Fault) Exception() string {
	for _, e := range vectors[f.arch] {
		if e.vector == f.TrapNo {
			return e.name
		}
	}
	return ""
}

// CodeName is the name of the signal's code: "SEGV_MAPERR".
func (f *Fault) CodeName() string {
	const kernel = 0x80 // the kernel sent it and has no more to say
	if f.Code == kernel {
		return "SI_KERNEL"
	}
	if names := codeNames[signalName(f.Signal)]; f.Code > 0 && int(f.Code) <= len(names) {
		return names[f.Code-1]
	}
	return fmt.Sprintf("code %d", f.Code)
}

// codeNames are from include/uapi/asm-generic/siginfo.h, from 1 on.
var codeNames = map[string][]string{
	"SIGILL": {"ILL_ILLOPC", "ILL_ILLOPN", "ILL_ILLADR", "ILL_ILLTRP", "ILL_PRVOPC", "ILL_PRVREG", "ILL_COPROC", "ILL_BADSTK"},
	"SIGFPE": {"FPE_INTDIV", "FPE_INTOVF", "FPE_FLTDIV", "FPE_FLTOVF", "FPE_FLTUND", "FPE_FLTRES", "FPE_FLTINV", "FPE_FLTSUB"},
	"SIGSEGV": {"SEGV_MAPERR", "SEGV_ACCERR", "SEGV_BNDERR", "SEGV_PKUERR", "SEGV_ACCADI", "SEGV_ADIDERR", "SEGV_ADIPERR",
		"SEGV_MTEAERR", "SEGV_MTESERR", "SEGV_CPERR"},
	"SIGBUS":  {"BUS_ADRALN", "BUS_ADRERR", "BUS_OBJERR", "BUS_MCEERR_AR", "BUS_MCEERR_AO"},
	"SIGTRAP": {"TRAP_BRKPT", "TRAP_TRACE", "TRAP_BRANCH", "TRAP_HWBKPT", "TRAP_UNK"},
}

// SignalName is the name of the signal: "SIGSEGV".
func (f *Fault) SignalName() string { return signalName(f.Signal) }

// signalName works on systems where the numbers differ, too: a Fault is Linux's.
func signalName(s syscall.Signal) string {
	names := map[syscall.Signal]string{4: "SIGILL", 5: "SIGTRAP", 7: "SIGBUS", 8: "SIGFPE", 11: "SIGSEGV"}
	if name := names[s]; name != "" {
		return name
	}
	return fmt.Sprintf("signal %d", int(s))
}

// A vector is an exception as the manuals number and name it.
type vector struct {
	vector int
	name   string
}

// vectors are those of amd64 (Intel SDM volume 3A, table 7-1) and the exception classes of arm64 (Arm ARM,
// ESR_EL1.EC) that come of what a program does.
var vectors = map[string][]vector{
	"amd64": {
		{0, "#DE"}, {1, "#DB"}, {3, "#BP"}, {4, "#OF"}, {5, "#BR"}, {6, "#UD"}, {7, "#NM"}, {8, "#DF"}, {10, "#TS"}, {11, "#NP"},
		{12, "#SS"}, {13, "#GP"}, {14, "#PF"}, {16, "#MF"}, {17, "#AC"}, {18, "#MC"}, {19, "#XM"}, {20, "#VE"}, {21, "#CP"},
	},
	"arm64": {
		{0x00, "unknown reason"}, {0x07, "SIMD access"}, {0x0e, "illegal execution state"}, {0x15, "supervisor call"},
		{0x18, "system register access"}, {0x20, "instruction abort"}, {0x22, "PC alignment"}, {0x24, "data abort"},
		{0x26, "SP alignment"}, {0x2c, "floating point"}, {0x32, "software step"}, {0x3c, "breakpoint instruction"},
	},
}

// An Exception is a row of the processor's table of exceptions, and a way to raise it where a program has one.
type Exception struct {
	// Name is unique: "#PF read of nothing".
	Name string
	// Vector is that of the exception; on arm64 the exception class.
	Vector int
	// Kind is what the manual calls it: "fault" (the instruction can be tried again), "trap" (it has been
	// done), "abort", "interrupt".
	Kind string
	// ErrorCode says whether the processor pushes an error code; on arm64, whether the kernel passes ESR on.
	ErrorCode bool
	// Signal and Code are what Linux makes of it; 0 where it makes no signal.
	Signal syscall.Signal
	Code   int32
	// Text is what raises it: the instruction.
	Text string
	// Cannot says why a program cannot raise it; empty where it can.
	Cannot string

	number int // of the function that raises it
	addr   func() (uintptr, error)
}
