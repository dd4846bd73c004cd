//go:build linux

#include "textflag.h"

// The kernel returns an error as a number from -4095 to -1, in the register of the result: errno, negated.
// Nothing else lies up there, because no address that a call returns does (include/linux/err.h, MAX_ERRNO).
#define MAX_ERRNO 4095

// func RawSyscall6(trap, a1, a2, a3, a4, a5, a6 uintptr) (r1, r2 uintptr, err unix.Errno)
//
//	in   trap  0(FP)   AX    number of the call
//	     a1    8(FP)   DI    a4  32(FP)  R10   the C convention has CX here, but SYSCALL overwrites it
//	     a2   16(FP)   SI    a5  40(FP)  R8
//	     a3   24(FP)   DX    a6  48(FP)  R9
//	out  r1   56(FP)   AX    result, or -1
//	     r2   64(FP)   DX    second result: the kernel leaves a3 in it
//	     err  72(FP)         errno, or 0
//	lost CX, R11             SYSCALL saves the return address and RFLAGS in them: it has no stack to use
//
// All other registers come back as they were, R14 (g) and X15 (zero) among them, so Go needs nothing put
// back. NOSPLIT and no frame: the call needs no stack of ours, and the kernel uses its own.
TEXT ·RawSyscall6(SB), NOSPLIT, $0-80
	MOVQ trap+0(FP), AX
	MOVQ a1+8(FP), DI
	MOVQ a2+16(FP), SI
	MOVQ a3+24(FP), DX
	MOVQ a4+32(FP), R10
	MOVQ a5+40(FP), R8
	MOVQ a6+48(FP), R9
	SYSCALL             // ring 3 to ring 0 and back

	CMPQ AX, $-MAX_ERRNO // unsigned: only -4095 to -1 are at or above it
	JCC  failed
	MOVQ AX, r1+56(FP)
	MOVQ DX, r2+64(FP)
	MOVQ $0, err+72(FP)
	RET

failed:
	NEGQ AX
	MOVQ $-1, r1+56(FP)
	MOVQ $0, r2+64(FP)
	MOVQ AX, err+72(FP)
	RET
