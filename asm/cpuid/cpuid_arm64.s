//go:build linux

#include "textflag.h"

// One function a register, all of the same shape:
//
//	func () (value uint64)
//
//	out  value  0(FP)   R0
//
// MRS of a register that ends in _EL1 is undefined at level 0. The kernel catches the exception, finds that
// the instruction reads an ID register, puts the value into R0 (any register, it decodes the instruction) and
// has the program go on behind it. That costs as much as a system call. It does so where the auxiliary vector
// has HWCAP_CPUID; else the program ends by SIGILL.

// Who made it (bits 24 to 31), which part (4 to 15), which variant and revision.
TEXT ·readMIDR(SB), NOSPLIT, $0-8
	MRS  MIDR_EL1, R0
	MOVD R0, value+0(FP)
	RET

// Where it stands among its siblings. The kernel gives every program the same answer: where a thread runs is
// not to be read from here.
TEXT ·readMPIDR(SB), NOSPLIT, $0-8
	MRS  MPIDR_EL1, R0
	MOVD R0, value+0(FP)
	RET

TEXT ·readREVIDR(SB), NOSPLIT, $0-8
	MRS  REVIDR_EL1, R0
	MOVD R0, value+0(FP)
	RET

// Fields of four bits: levels that have 64-bit code, floating point, vectors.
TEXT ·readPFR0(SB), NOSPLIT, $0-8
	MRS  ID_AA64PFR0_EL1, R0
	MOVD R0, value+0(FP)
	RET

TEXT ·readPFR1(SB), NOSPLIT, $0-8
	MRS  ID_AA64PFR1_EL1, R0
	MOVD R0, value+0(FP)
	RET

TEXT ·readZFR0(SB), NOSPLIT, $0-8
	MRS  ID_AA64ZFR0_EL1, R0
	MOVD R0, value+0(FP)
	RET

// Instructions: cryptography, CRC, atomics of one instruction.
TEXT ·readISAR0(SB), NOSPLIT, $0-8
	MRS  ID_AA64ISAR0_EL1, R0
	MOVD R0, value+0(FP)
	RET

TEXT ·readISAR1(SB), NOSPLIT, $0-8
	MRS  ID_AA64ISAR1_EL1, R0
	MOVD R0, value+0(FP)
	RET

// Younger than the assembler's list of names: op0 3, op1 0, CRn 0, CRm 6, op2 2.
TEXT ·readISAR2(SB), NOSPLIT, $0-8
	WORD $0xd5380640 // MRS ID_AA64ISAR2_EL1, R0
	MOVD R0, value+0(FP)
	RET

// Memory: address width, page sizes. The kernel shows programs almost nothing of it.
TEXT ·readMMFR0(SB), NOSPLIT, $0-8
	MRS  ID_AA64MMFR0_EL1, R0
	MOVD R0, value+0(FP)
	RET

TEXT ·readMMFR1(SB), NOSPLIT, $0-8
	MRS  ID_AA64MMFR1_EL1, R0
	MOVD R0, value+0(FP)
	RET

TEXT ·readMMFR2(SB), NOSPLIT, $0-8
	MRS  ID_AA64MMFR2_EL1, R0
	MOVD R0, value+0(FP)
	RET

// Debugging: breakpoints, counters.
TEXT ·readDFR0(SB), NOSPLIT, $0-8
	MRS  ID_AA64DFR0_EL1, R0
	MOVD R0, value+0(FP)
	RET

// Lines of the first-level caches. Level 0 may read it, for programs that write code.
TEXT ·readCTR(SB), NOSPLIT, $0-8
	MRS  CTR_EL0, R0
	MOVD R0, value+0(FP)
	RET

// How much DC ZVA clears at once.
TEXT ·readDCZID(SB), NOSPLIT, $0-8
	MRS  DCZID_EL0, R0
	MOVD R0, value+0(FP)
	RET

// Where each begins, in the order of registers.
DATA ·entries+0(SB)/8, $·readMIDR(SB)
DATA ·entries+8(SB)/8, $·readMPIDR(SB)
DATA ·entries+16(SB)/8, $·readREVIDR(SB)
DATA ·entries+24(SB)/8, $·readPFR0(SB)
DATA ·entries+32(SB)/8, $·readPFR1(SB)
DATA ·entries+40(SB)/8, $·readZFR0(SB)
DATA ·entries+48(SB)/8, $·readISAR0(SB)
DATA ·entries+56(SB)/8, $·readISAR1(SB)
DATA ·entries+64(SB)/8, $·readISAR2(SB)
DATA ·entries+72(SB)/8, $·readMMFR0(SB)
DATA ·entries+80(SB)/8, $·readMMFR1(SB)
DATA ·entries+88(SB)/8, $·readMMFR2(SB)
DATA ·entries+96(SB)/8, $·readDFR0(SB)
DATA ·entries+104(SB)/8, $·readCTR(SB)
DATA ·entries+112(SB)/8, $·readDCZID(SB)
GLOBL ·entries(SB), RODATA|NOPTR, $120
