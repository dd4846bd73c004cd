//go:build linux

#include "textflag.h"

// One function an instruction. All have the same shape:
//
//	func (out *[2]uint64)
//
//	in   out  0(FP)  R1   where to leave what was found
//	uses R0, R2 to R8
//
// NOSPLIT and a frame of 0, because most of them fault: whoever looks at the stack then finds it as the caller
// left it. The registers that an instruction takes are set before it, to what does the least harm should it
// ever be carried out.

// The exception level is in a register that level 0 cannot read: a program need not know, and one that was
// moved there from a higher level shall not. There is nothing like amd64's CS.
TEXT ·currentEL(SB), NOSPLIT, $0-8
	MOVD out+0(FP), R1
	MRS  CurrentEL, R0
	MOVD R0, 0(R1)
	RET

// Registers that identify the processor are refused as well, but here the kernel looks at the instruction that
// was refused, and where it reads one of these (op0 3, op1 0, CRn 0), carries it out: with what all processors
// of the machine have in common, and without what does not concern programs.
TEXT ·readMIDR(SB), NOSPLIT, $0-8
	MOVD out+0(FP), R1
	MRS  MIDR_EL1, R0
	MOVD R0, 0(R1)
	RET

TEXT ·readISAR0(SB), NOSPLIT, $0-8
	MOVD out+0(FP), R1
	MRS  ID_AA64ISAR0_EL1, R0
	MOVD R0, 0(R1)
	RET

// A name that ends in _EL1 says who may use it.
TEXT ·readSCTLR(SB), NOSPLIT, $0-8
	MOVD out+0(FP), R1
	MRS  SCTLR_EL1, R0
	MOVD R0, 0(R1)
	RET

TEXT ·writeTTBR0(SB), NOSPLIT, $0-8
	MOVD ZR, R0
	MSR  R0, TTBR0_EL1
	RET

// Where SVC and every other exception jumps to. Whoever could write it would own the kernel.
TEXT ·writeVBAR(SB), NOSPLIT, $0-8
	MOVD ZR, R0
	MSR  R0, VBAR_EL1
	RET

// Interrupt masks: a kernel could let programs have them (SCTLR_EL1.UMA); Linux does not.
TEXT ·readDAIF(SB), NOSPLIT, $0-8
	MOVD out+0(FP), R1
	MRS  DAIF, R0
	MOVD R0, 0(R1)
	RET

TEXT ·daifSet(SB), NOSPLIT, $0-8
	MSR $2, DAIFSet
	RET

// The opposite of amd64's HLT: it is a hint, and Linux lets programs give it (SCTLR_EL1.nTWI). The processor
// stops until the next interrupt, which this program cannot hold off.
TEXT ·wfi(SB), NOSPLIT, $0-8
	WFI
	RET

// The levels above can be called from the kernel's level only.
TEXT ·hvc(SB), NOSPLIT, $0-8
	HVC $0
	RET

TEXT ·smc(SB), NOSPLIT, $0-8
	SMC $0
	RET

// Going down is a privilege too: it loads the state and the program counter from ELR_EL1 and SPSR_EL1.
TEXT ·eret(SB), NOSPLIT, $0-8
	ERET

// Cache maintenance is allowed as long as it loses nothing. DC IVAC would throw a written line away: what
// somebody else wrote there before, the kernel's clearing of the page say, could be undone by it.
TEXT ·dcIVAC(SB), NOSPLIT, $0-8
	MOVD out+0(FP), R1
	DC   IVAC, R1
	RET

TEXT ·dcISW(SB), NOSPLIT, $0-8
	MOVD ZR, R0
	DC   ISW, R0
	RET

// This writes the line back first, so that it is a matter of speed alone (SCTLR_EL1.UCI).
TEXT ·dcCIVAC(SB), NOSPLIT, $0-8
	MOVD out+0(FP), R1
	DC   CIVAC, R1
	RET

TEXT ·icIALLU(SB), NOSPLIT, $0-8
	WORD $0xd508751f  // IC IALLU
	RET

// Needed by whoever writes code into memory: here instruction caches do not follow what data caches do.
TEXT ·icIVAU(SB), NOSPLIT, $0-8
	MOVD out+0(FP), R1
	WORD $0xd50b7521  // IC IVAU, X1
	RET

TEXT ·tlbi(SB), NOSPLIT, $0-8
	TLBI VMALLE1
	RET

// A name that ends in _EL0 is not enough: PMUSERENR_EL0 decides, and Linux lets programs have counters only
// where the administrator says so (kernel.perf_user_access) and the process has a perf event mapped.
TEXT ·readPMCCNTR(SB), NOSPLIT, $0-8
	MOVD out+0(FP), R1
	MRS  PMCCNTR_EL0, R0
	MOVD R0, 0(R1)
	RET

TEXT ·readCNTVCT(SB), NOSPLIT, $0-8
	MOVD out+0(FP), R1
	MRS  CNTVCT_EL0, R0
	MOVD R0, 0(R1)
	RET

// The same after prctl(PR_SET_TSC, PR_TSC_SIGSEGV), by which a thread gives its clock up: record-and-replay
// debuggers do it, since the counter is an input that they must see. Between the two instructions nobody else
// may look at the clock on this thread, least of all the Go runtime: so both are here. Since Linux 6.12.
TEXT ·cntvctForbidden(SB), NOSPLIT, $0-8
	MOVD $167, R8  // SYS_prctl
	MOVD $26, R0   // PR_SET_TSC
	MOVD $2, R1    // PR_TSC_SIGSEGV
	MOVD ZR, R2
	MOVD ZR, R3
	MOVD ZR, R4
	SVC
	MOVD out+0(FP), R1
	MOVD R0, 8(R1) // 0, or the error, negated
	MRS  CNTVCT_EL0, R0
	MOVD R0, 0(R1)
	RET

// For comparison, two that are no matter of privilege: one that no processor will ever know, and one that is
// there to be caught. Both are faults: the program stands before the instruction, and a debugger must move it
// on. (amd64's INT3 is a trap, and leaves it behind.)
TEXT ·udf(SB), NOSPLIT, $0-8
	WORD $0           // UDF #0
	RET

TEXT ·brk(SB), NOSPLIT, $0-8
	BRK $0
	RET

// The signal handler, which the kernel calls as a C function on the signal stack:
//
//	in   R0  number of the signal
//	     R1  siginfo_t: why it came
//	     R2  ucontext_t: all registers at that moment
//	     R30 code in the vDSO that has the kernel put them back
//	uses R9  ucontext_t, while R2 is a length; R8
//
// It writes both structures to descriptor 3 and returns, so that the instruction is carried out again; by
// then the kernel has put the default action back (SA_RESETHAND), and ends the process.
TEXT ·handler(SB), NOSPLIT|NOFRAME, $0-0
	MOVD R2, R9
	MOVD $64, R8    // SYS_write
	MOVD $3, R0
	MOVD $128, R2   // the size of siginfo_t
	SVC
	MOVD $3, R0
	MOVD R9, R1
	MOVD $512, R2   // of ucontext_t, what has the registers
	SVC
	RET

DATA ·handlers+0(SB)/8, $·handler(SB)
DATA ·handlers+8(SB)/8, $0
GLOBL ·handlers(SB), RODATA|NOPTR, $16

DATA ·entries+0(SB)/8, $·currentEL(SB)
DATA ·entries+8(SB)/8, $·readMIDR(SB)
DATA ·entries+16(SB)/8, $·readISAR0(SB)
DATA ·entries+24(SB)/8, $·readSCTLR(SB)
DATA ·entries+32(SB)/8, $·writeTTBR0(SB)
DATA ·entries+40(SB)/8, $·writeVBAR(SB)
DATA ·entries+48(SB)/8, $·readDAIF(SB)
DATA ·entries+56(SB)/8, $·daifSet(SB)
DATA ·entries+64(SB)/8, $·wfi(SB)
DATA ·entries+72(SB)/8, $·hvc(SB)
DATA ·entries+80(SB)/8, $·smc(SB)
DATA ·entries+88(SB)/8, $·eret(SB)
DATA ·entries+96(SB)/8, $·dcIVAC(SB)
DATA ·entries+104(SB)/8, $·dcISW(SB)
DATA ·entries+112(SB)/8, $·dcCIVAC(SB)
DATA ·entries+120(SB)/8, $·icIALLU(SB)
DATA ·entries+128(SB)/8, $·icIVAU(SB)
DATA ·entries+136(SB)/8, $·tlbi(SB)
DATA ·entries+144(SB)/8, $·readPMCCNTR(SB)
DATA ·entries+152(SB)/8, $·readCNTVCT(SB)
DATA ·entries+160(SB)/8, $·cntvctForbidden(SB)
DATA ·entries+168(SB)/8, $·udf(SB)
DATA ·entries+176(SB)/8, $·brk(SB)
GLOBL ·entries(SB), RODATA|NOPTR, $184
