//go:build linux

package privilege

import (
	"encoding/binary"
	"fmt"
)

// One function an instruction; where it can be carried out, out is what it found. Most of them do not return:
// call them in a child only.

//go:noescape
func currentEL(out *[2]uint64)

//go:noescape
func readMIDR(out *[2]uint64)

//go:noescape
func readISAR0(out *[2]uint64)

//go:noescape
func readSCTLR(out *[2]uint64)

//go:noescape
func writeTTBR0(out *[2]uint64)

//go:noescape
func writeVBAR(out *[2]uint64)

//go:noescape
func readDAIF(out *[2]uint64)

//go:noescape
func daifSet(out *[2]uint64)

//go:noescape
func wfi(out *[2]uint64)

//go:noescape
func hvc(out *[2]uint64)

//go:noescape
func smc(out *[2]uint64)

//go:noescape
func eret(out *[2]uint64)

//go:noescape
func dcIVAC(out *[2]uint64)

//go:noescape
func dcISW(out *[2]uint64)

//go:noescape
func dcCIVAC(out *[2]uint64)

//go:noescape
func icIALLU(out *[2]uint64)

//go:noescape
func icIVAU(out *[2]uint64)

//go:noescape
func tlbi(out *[2]uint64)

//go:noescape
func readPMCCNTR(out *[2]uint64)

//go:noescape
func readCNTVCT(out *[2]uint64)

//go:noescape
func cntvctForbidden(out *[2]uint64)

//go:noescape
func udf(out *[2]uint64)

//go:noescape
func brk(out *[2]uint64)

// entries has where each of them begins, in the order of attempts.
var entries [23]uintptr

func attempts() []Attempt {
	number := func(v [2]uint64) string { return fmt.Sprintf("carried out: %#x", v[0]) }
	byKernel := func(v [2]uint64) string { return fmt.Sprintf("carried out by the kernel: %#x", v[0]) }
	return []Attempt{
		{Name: "currentEL", Text: "MRS X0, CurrentEL", Does: "read the level", function: currentEL, show: number},
		{Name: "readMIDR", Text: "MRS X0, MIDR_EL1", Does: "which processor?", function: readMIDR, show: byKernel},
		{Name: "readISAR0", Text: "MRS X0, ID_AA64ISAR0_EL1", Does: "which instructions?", function: readISAR0, show: byKernel},
		{Name: "readSCTLR", Text: "MRS X0, SCTLR_EL1", Does: "read a control register", function: readSCTLR, show: number},
		{Name: "writeTTBR0", Text: "MSR TTBR0_EL1, X0", Does: "change the page tables", function: writeTTBR0},
		{Name: "writeVBAR", Text: "MSR VBAR_EL1, X0", Does: "set the exception vectors", function: writeVBAR},
		{Name: "readDAIF", Text: "MRS X0, DAIF", Does: "are interrupts held off?", function: readDAIF, show: number},
		{Name: "daifSet", Text: "MSR DAIFSet, #2", Does: "hold off interrupts", function: daifSet},
		{Name: "wfi", Text: "WFI", Does: "stop until an interrupt", function: wfi},
		{Name: "hvc", Text: "HVC #0", Does: "call the hypervisor", function: hvc},
		{Name: "smc", Text: "SMC #0", Does: "call the firmware", function: smc},
		{Name: "eret", Text: "ERET", Does: "return to a program", function: eret},
		{Name: "dcIVAC", Text: "DC IVAC, X0", Does: "drop a line unwritten", function: dcIVAC},
		{Name: "dcISW", Text: "DC ISW, X0", Does: "drop a set and way", function: dcISW},
		{Name: "dcCIVAC", Text: "DC CIVAC, X0", Does: "write a line back, drop it", function: dcCIVAC},
		{Name: "icIALLU", Text: "IC IALLU", Does: "empty the instruction cache", function: icIALLU},
		{Name: "icIVAU", Text: "IC IVAU, X0", Does: "the same, of one line", function: icIVAU},
		{Name: "tlbi", Text: "TLBI VMALLE1", Does: "empty the TLB", function: tlbi},
		{Name: "readPMCCNTR", Text: "MRS X0, PMCCNTR_EL0", Does: "read the cycle counter", function: readPMCCNTR, show: number},
		{Name: "readCNTVCT", Text: "MRS X0, CNTVCT_EL0", Does: "read the clock", function: readCNTVCT, show: number},
		{Name: "cntvctForbidden", Text: "the same, forbidden", Does: "after prctl(PR_SET_TSC)", function: cntvctForbidden, show: showForbidden},
		{Name: "udf", Text: "UDF #0", Does: "undefined by definition", function: udf},
		{Name: "brk", Text: "BRK #0", Does: "a debugger's breakpoint", function: brk},
	}
}

// showForbidden says why the counter could be read after all: before Linux 6.12 it cannot be forbidden.
func showForbidden(v [2]uint64) string {
	if v[1] != 0 {
		return fmt.Sprintf("carried out: prctl returned %d", int64(v[1]))
	}
	return fmt.Sprintf("carried out: %#x", v[0])
}

// registers takes the program counter from a ucontext_t (uapi/asm/ucontext.h, uapi/asm/sigcontext.h). Which
// exception it was the kernel does not say; for undefined instructions the processor hardly does.
func registers(uc []byte) (pc, trap, code uint64) {
	const mcontext = 176
	return binary.NativeEndian.Uint64(uc[mcontext+264:]), 0, 0
}

// trapName says nothing on arm64.
func trapName(Outcome) string { return "" }
