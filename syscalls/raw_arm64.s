//go:build linux

#include "textflag.h"

// The kernel returns an error as a number from -4095 to -1, in the register of the result: errno, negated.
// Nothing else lies up there, because no address that a call returns does (include/linux/err.h, MAX_ERRNO).
#define MAX_ERRNO 4095

// func RawSyscall6(trap, a1, a2, a3, a4, a5, a6 uintptr) (r1, r2 uintptr, err unix.Errno)
//
//	in   trap  0(FP)   R8    number of the call
//	     a1    8(FP)   R0    a4  32(FP)  R3
//	     a2   16(FP)   R1    a5  40(FP)  R4
//	     a3   24(FP)   R2    a6  48(FP)  R5
//	out  r1   56(FP)   R0    result, or -1
//	     r2   64(FP)   R1    second result: the kernel leaves a2 in it
//	     err  72(FP)         errno, or 0
//
// SVC loses nothing but R0: the return address and the flags go to ELR_EL1 and SPSR_EL1, registers of the
// kernel's level, and the kernel puts all others back, R28 (g) among them. NOSPLIT and no frame: the call
// needs no stack of ours, and the kernel uses its own.
TEXT ·RawSyscall6(SB), NOSPLIT, $0-80
	MOVD trap+0(FP), R8
	MOVD a1+8(FP), R0
	MOVD a2+16(FP), R1
	MOVD a3+24(FP), R2
	MOVD a4+32(FP), R3
	MOVD a5+40(FP), R4
	MOVD a6+48(FP), R5
	SVC                 // EL0 to EL1 and back

	CMN  $MAX_ERRNO, R0 // flags of R0 + 4095: a carry only for -4095 to -1
	BCS  failed
	MOVD R0, r1+56(FP)
	MOVD R1, r2+64(FP)
	MOVD ZR, err+72(FP)
	RET

failed:
	NEG  R0, R0
	MOVD $-1, R1
	MOVD R1, r1+56(FP)
	MOVD ZR, r2+64(FP)
	MOVD R0, err+72(FP)
	RET
