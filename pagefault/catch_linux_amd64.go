package pagefault

import (
	"encoding/binary"
	"syscall"

	"golang.org/x/sys/unix"
)

// contextBytes is as much of ucontext_t as has the registers.
const contextBytes = 512

// kernelAddress is one that no program has: the first of the upper half with four levels of page tables.
const kernelAddress = 0xffff_8000_0000_0000

// readContext takes what the signal's context says: uapi/asm/ucontext.h, uapi/asm/sigcontext.h.
func (f *Fault) readContext(uc []byte) {
	f.PC = uintptr(binary.NativeEndian.Uint64(uc[0xa8:]))
	f.ErrorCode = ErrorCode(binary.NativeEndian.Uint64(uc[0xc0:]))
	f.TrapNo = int(binary.NativeEndian.Uint64(uc[0xc8:]))
	if f.TrapNo == 1 || f.TrapNo == 3 || f.TrapNo == 4 {
		f.Bytes = trapped(f.Bytes)
	}
}

// trapped finds the instruction that raised a trap in bytes that begin two before the one after it. Of a step it is not
// known how long that was: then it is the one after it.
func trapped(code []byte) []byte {
	const int1, int3, intN = 0xf1, 0xcc, 0xcd
	switch {
	case len(code) < 2:
		return nil
	case code[0] == intN && (code[1] == 3 || code[1] == 4):
		return code
	case code[1] == int1 || code[1] == int3:
		return code[1:]
	}
	return code[2:]
}

// Numbers of what raises an exception, known to assembly.
const (
	raiseRead = iota
	raiseWrite
	raiseExecute
	raiseDivide
	raiseOverflow // of a division
	raiseStep
	raiseINT1
	raiseINT3
	raiseINT4
	raiseUD2
	raiseStack
	raiseHLT
	raiseINT13
	raiseX87
	raiseAlignment
	raiseSSE
)

var touches = map[Access]int{AccessRead: raiseRead, AccessWrite: raiseWrite, AccessExecute: raiseExecute}

const siKernel = 0x80

// Exceptions returns the processor's table of exceptions: Intel SDM volume 3A, chapter 7; AMD APM volume 2, chapter
// 8; and what arch/x86/kernel/traps.c and arch/x86/mm/fault.c make of them.
func Exceptions() []Exception {
	const (
		segv, bus, fpe, ill, trap = unix.SIGSEGV, unix.SIGBUS, unix.SIGFPE, unix.SIGILL, unix.SIGTRAP
		fault, aTrap, abort       = "fault", "trap", "abort"
	)
	pf := func(what, text string, number int, addr func() (uintptr, error), signal syscall.Signal, code int32) Exception {
		return Exception{Name: "#PF " + what, Vector: 14, Kind: fault, ErrorCode: true, Signal: signal, Code: code, Text: text, number: number, addr: addr}
	}
	return []Exception{
		{Name: "#DE by zero", Vector: 0, Kind: fault, Signal: fpe, Code: 1, Text: "DIV by 0", number: raiseDivide},
		{Name: "#DE too large", Vector: 0, Kind: fault, Signal: fpe, Code: 1, Text: "IDIV of the least number by -1", number: raiseOverflow},
		{Name: "#DB step", Vector: 1, Kind: aTrap, Signal: trap, Code: 2, Text: "POPFQ with TF", number: raiseStep},
		{Name: "#DB INT1", Vector: 1, Kind: aTrap, Signal: trap, Code: 1, Text: "INT1", number: raiseINT1},
		{Name: "NMI", Vector: 2, Kind: "interrupt", Cannot: "a pin of the processor raises it"},
		{Name: "#BP", Vector: 3, Kind: aTrap, Signal: trap, Code: siKernel, Text: "INT3", number: raiseINT3},
		{Name: "#OF", Vector: 4, Kind: aTrap, Signal: segv, Code: siKernel, Text: "INT 4 (INTO is none in 64-bit mode)", number: raiseINT4},
		{Name: "#BR", Vector: 5, Kind: fault, Cannot: "BOUND is no instruction in 64-bit mode, and MPX is gone"},
		{Name: "#UD", Vector: 6, Kind: fault, Signal: ill, Code: 2, Text: "UD2", number: raiseUD2},
		{Name: "#NM", Vector: 7, Kind: fault, Cannot: "Linux switches the floating-point state with each thread, and never locks it"},
		{Name: "#DF", Vector: 8, Kind: abort, ErrorCode: true, Cannot: "an exception in the delivery of an exception: of the kernel's doing alone"},
		{Name: "#TS", Vector: 10, Kind: fault, ErrorCode: true, Cannot: "64-bit mode has no task switches"},
		{Name: "#NP", Vector: 11, Kind: fault, ErrorCode: true, Cannot: "it takes a descriptor that is not present: modify_ldt(2)"},
		{Name: "#SS", Vector: 12, Kind: fault, ErrorCode: true, Signal: bus, Code: siKernel, Text: "MOV from a non-canonical address by RBP", number: raiseStack, addr: constant(nonCanonical)},
		{Name: "#GP privileged", Vector: 13, Kind: fault, ErrorCode: true, Signal: segv, Code: siKernel, Text: "HLT", number: raiseHLT},
		{Name: "#GP gate", Vector: 13, Kind: fault, ErrorCode: true, Signal: segv, Code: siKernel, Text: "INT 13", number: raiseINT13},
		{Name: "#GP non-canonical", Vector: 13, Kind: fault, ErrorCode: true, Signal: segv, Code: siKernel, Text: "MOV from a non-canonical address", number: raiseRead, addr: constant(nonCanonical)},
		pf("near nil", "MOV from 8", raiseRead, constant(8), segv, 1),
		pf("unmapped", "MOV from where no mapping is", raiseRead, unmapped, segv, 1),
		pf("no access", "MOV from a PROT_NONE page", raiseRead, protectNone, segv, 2),
		pf("read-only", "MOV to a PROT_READ page", raiseWrite, protectRead, segv, 2),
		pf("not executable", "JMP to a page without PROT_EXEC", raiseExecute, writable, segv, 2),
		pf("kernel", "MOV from an address of the kernel", raiseRead, constant(kernelAddress), segv, 1),
		pf("beyond end of file", "MOV from a mapped page behind the file", raiseRead, beyondEnd, bus, 2),
		{Name: "#MF", Vector: 16, Kind: fault, Signal: fpe, Code: 3, Text: "FDIVP by 0, unmasked, and FWAIT", number: raiseX87},
		{Name: "#AC", Vector: 17, Kind: fault, ErrorCode: true, Signal: bus, Code: 1, Text: "MOV across alignment, with AC set", number: raiseAlignment},
		{Name: "#MC", Vector: 18, Kind: abort, Cannot: "broken hardware raises it"},
		{Name: "#XM", Vector: 19, Kind: fault, Signal: fpe, Code: 3, Text: "DIVSS by 0, unmasked", number: raiseSSE},
		{Name: "#VE", Vector: 20, Kind: fault, Cannot: "hypervisors have it delivered to guests that ask for it"},
		{Name: "#CP", Vector: 21, Kind: fault, ErrorCode: true, Cannot: "it takes a shadow stack, which Go programs have not"},
	}
}

// To a non-canonical address there is no page fault: the processor raises #GP before it looks for a page.
const nonCanonicalAddress = nonCanonical

var (
	nonCanonicalClass = Class{}
	nonCanonicalEach  = Counts{}
)
