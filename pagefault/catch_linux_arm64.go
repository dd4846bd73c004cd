package pagefault

import (
	"encoding/binary"
	"syscall"

	"golang.org/x/sys/unix"
)

// Offsets in ucontext_t: uapi/asm/ucontext.h, uapi/asm/sigcontext.h.
const (
	ucPC       = 440
	ucRecords  = 464
	recordsMax = 1024 // of 4096; what is wanted lies behind the floating-point registers
)

// contextBytes is as much of ucontext_t as has the registers and the records after them.
const contextBytes = ucRecords + recordsMax

// kernelAddress is one that no program has: the upper half's.
const kernelAddress = 0xffff_8000_0000_0000

// readContext takes what the signal's context says. ESR stands in a record of its own, and only where the kernel
// has put it down: for aborts and for alignment.
func (f *Fault) readContext(uc []byte) {
	const esrMagic = 0x45535201
	f.PC = uintptr(binary.NativeEndian.Uint64(uc[ucPC:]))
	f.TrapNo = -1
	for records := uc[ucRecords:]; len(records) >= 16; {
		magic, size := binary.NativeEndian.Uint32(records), int(binary.NativeEndian.Uint32(records[4:]))
		if magic == esrMagic {
			f.ErrorCode = ErrorCode(binary.NativeEndian.Uint64(records[8:]))
			f.TrapNo = f.ErrorCode.Class()
			return
		}
		if magic == 0 || size < 16 || size > len(records) {
			return
		}
		records = records[size:]
	}
}

// Numbers of what raises an exception, known to assembly.
const (
	raiseRead = iota
	raiseWrite
	raiseExecute
	raiseUDF
	raiseBRK
	raiseMRS
	raisePC
	raiseSP
	raiseExclusive
	raiseHVC
)

var touches = map[Access]int{AccessRead: raiseRead, AccessWrite: raiseWrite, AccessExecute: raiseExecute}

// Exceptions returns the exception classes of ESR that come of what a program does: Arm ARM, ESR_EL1.EC; and what
// arch/arm64/kernel/entry-common.c, traps.c and arch/arm64/mm/fault.c make of them.
func Exceptions() []Exception {
	const segv, bus, ill, trap = unix.SIGSEGV, unix.SIGBUS, unix.SIGILL, unix.SIGTRAP
	const fault = "fault"
	da := func(what, text string, number int, addr func() (uintptr, error), signal syscall.Signal, code int32) Exception {
		return Exception{Name: "data abort " + what, Vector: 0x24, Kind: fault, ErrorCode: true, Signal: signal, Code: code, Text: text, number: number, addr: addr}
	}
	return []Exception{
		{Name: "undefined", Vector: 0x00, Kind: fault, Signal: ill, Code: 1, Text: "UDF #0", number: raiseUDF},
		{Name: "hypervisor call", Vector: 0x00, Kind: fault, Signal: ill, Code: 1, Text: "HVC #0", number: raiseHVC},
		{Name: "SIMD access", Vector: 0x07, Kind: fault, Cannot: "Linux gives the registers to whoever wants them"},
		{Name: "illegal execution state", Vector: 0x0e, Kind: fault, Cannot: "it takes a return from an exception, which is the kernel's"},
		{Name: "supervisor call", Vector: 0x15, Kind: fault, Cannot: "SVC is how system calls are made: no signal comes of it"},
		{Name: "system register", Vector: 0x18, Kind: fault, Signal: ill, Code: 1, Text: "MRS of VBAR_EL1", number: raiseMRS},
		{Name: "instruction abort not executable", Vector: 0x20, Kind: fault, ErrorCode: true, Signal: segv, Code: 2, Text: "BR to a page without PROT_EXEC", number: raiseExecute, addr: writable},
		{Name: "PC alignment", Vector: 0x22, Kind: fault, ErrorCode: true, Signal: bus, Code: 1, Text: "BR to an odd address", number: raisePC},
		da("near nil", "LDRB from 8", raiseRead, constant(8), segv, 1),
		da("unmapped", "LDRB from where no mapping is", raiseRead, unmapped, segv, 1),
		da("no access", "LDRB from a PROT_NONE page", raiseRead, protectNone, segv, 2),
		da("read-only", "STRB to a PROT_READ page", raiseWrite, protectRead, segv, 2),
		da("kernel", "LDRB from an address of the kernel", raiseRead, constant(kernelAddress), segv, 1),
		da("no address at all", "LDRB from between the halves", raiseRead, constant(nonCanonical>>8), segv, 1),
		da("beyond end of file", "LDRB from a mapped page behind the file", raiseRead, beyondEnd, bus, 2),
		da("alignment", "LDXR from an odd address", raiseExclusive, nil, bus, 1),
		{Name: "SP alignment", Vector: 0x26, Kind: fault, ErrorCode: true, Signal: bus, Code: 1, Text: "LDR by an odd stack pointer", number: raiseSP},
		{Name: "floating point", Vector: 0x2c, Kind: fault, Cannot: "trapping is optional and processors rarely have it; a division by zero gives infinity, of integers 0"},
		{Name: "software step", Vector: 0x32, Kind: fault, Cannot: "it takes a debugger: ptrace(2)"},
		{Name: "breakpoint", Vector: 0x3c, Kind: fault, Signal: trap, Code: 1, Text: "BRK #0", number: raiseBRK},
	}
}

// An address between the halves is a page fault like any other.
const nonCanonicalAddress = nonCanonical >> 8

var (
	nonCanonicalClass = Class{Event: EventFailed, Access: AccessRead}
	nonCanonicalEach  = Counts{Failed: 1}
)
