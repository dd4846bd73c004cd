//go:build linux

#include "textflag.h"

// Chains: each function multiplies (or adds) 8*n times in all, and differs in how many registers share the
// work. Within a register, an operation needs the result of the one before it; between registers, nothing
// needs anything. Eight operations stand in a row, so that the loop itself weighs little.
//
//	in   seed    0(FP)   AX, and seed+1, seed+2 ... in the other registers
//	     factor  8(FP)   R15 (R14 is g, and DX, R8 to R13 may be chains)
//	     n      16(FP)   CX  at least 1
//	out  ret    24(FP)   AX  all registers of the chains, combined by XOR

#define ARGUMENTS \
	MOVQ seed+0(FP), AX;    \
	MOVQ factor+8(FP), R15; \
	MOVQ n+16(FP), CX

// func mul1(seed, factor uint64, n int) uint64
//
// One chain: each multiplication waits for the one before. The time of an iteration is 8 latencies.
TEXT ·mul1(SB), NOSPLIT, $0-32
	ARGUMENTS

again:
	IMULQ R15, AX
	IMULQ R15, AX
	IMULQ R15, AX
	IMULQ R15, AX
	IMULQ R15, AX
	IMULQ R15, AX
	IMULQ R15, AX
	IMULQ R15, AX
	DECQ  CX
	JNZ   again
	MOVQ  AX, ret+24(FP)
	RET

// func mul2(seed, factor uint64, n int) uint64
//
// Two chains: while one waits for its multiplication, the other has one begun.
TEXT ·mul2(SB), NOSPLIT, $0-32
	ARGUMENTS
	LEAQ  1(AX), DX

again:
	IMULQ R15, AX
	IMULQ R15, DX
	IMULQ R15, AX
	IMULQ R15, DX
	IMULQ R15, AX
	IMULQ R15, DX
	IMULQ R15, AX
	IMULQ R15, DX
	DECQ  CX
	JNZ   again
	XORQ  DX, AX
	MOVQ  AX, ret+24(FP)
	RET

// func mul4(seed, factor uint64, n int) uint64
//
// Four chains: as many as the multiplier, of about three stages, can have under way at a time.
TEXT ·mul4(SB), NOSPLIT, $0-32
	ARGUMENTS
	LEAQ  1(AX), DX
	LEAQ  2(AX), R8
	LEAQ  3(AX), R9

again:
	IMULQ R15, AX
	IMULQ R15, DX
	IMULQ R15, R8
	IMULQ R15, R9
	IMULQ R15, AX
	IMULQ R15, DX
	IMULQ R15, R8
	IMULQ R15, R9
	DECQ  CX
	JNZ   again
	XORQ  DX, AX
	XORQ  R8, AX
	XORQ  R9, AX
	MOVQ  AX, ret+24(FP)
	RET

// func mul8(seed, factor uint64, n int) uint64
//
// Eight chains: no faster, when the multiplier takes one a cycle; it is the limit now, not the waiting.
TEXT ·mul8(SB), NOSPLIT, $0-32
	ARGUMENTS
	LEAQ  1(AX), DX
	LEAQ  2(AX), R8
	LEAQ  3(AX), R9
	LEAQ  4(AX), R10
	LEAQ  5(AX), R11
	LEAQ  6(AX), R12
	LEAQ  7(AX), R13

again:
	IMULQ R15, AX
	IMULQ R15, DX
	IMULQ R15, R8
	IMULQ R15, R9
	IMULQ R15, R10
	IMULQ R15, R11
	IMULQ R15, R12
	IMULQ R15, R13
	DECQ  CX
	JNZ   again
	XORQ  DX, AX
	XORQ  R8, AX
	XORQ  R9, AX
	XORQ  R10, AX
	XORQ  R11, AX
	XORQ  R12, AX
	XORQ  R13, AX
	MOVQ  AX, ret+24(FP)
	RET

// func add1(seed, factor uint64, n int) uint64
//
// One chain of additions, which take a cycle each: no time to wait for, and yet nothing to do beside it.
TEXT ·add1(SB), NOSPLIT, $0-32
	ARGUMENTS

again:
	ADDQ R15, AX
	ADDQ R15, AX
	ADDQ R15, AX
	ADDQ R15, AX
	ADDQ R15, AX
	ADDQ R15, AX
	ADDQ R15, AX
	ADDQ R15, AX
	DECQ  CX
	JNZ   again
	MOVQ  AX, ret+24(FP)
	RET

// func add2(seed, factor uint64, n int) uint64
//
// Two chains of additions.
TEXT ·add2(SB), NOSPLIT, $0-32
	ARGUMENTS
	LEAQ  1(AX), DX

again:
	ADDQ R15, AX
	ADDQ R15, DX
	ADDQ R15, AX
	ADDQ R15, DX
	ADDQ R15, AX
	ADDQ R15, DX
	ADDQ R15, AX
	ADDQ R15, DX
	DECQ  CX
	JNZ   again
	XORQ  DX, AX
	MOVQ  AX, ret+24(FP)
	RET

// func add4(seed, factor uint64, n int) uint64
//
// Four chains of additions: there are several adders, and one chain keeps one of them busy.
TEXT ·add4(SB), NOSPLIT, $0-32
	ARGUMENTS
	LEAQ  1(AX), DX
	LEAQ  2(AX), R8
	LEAQ  3(AX), R9

again:
	ADDQ R15, AX
	ADDQ R15, DX
	ADDQ R15, R8
	ADDQ R15, R9
	ADDQ R15, AX
	ADDQ R15, DX
	ADDQ R15, R8
	ADDQ R15, R9
	DECQ  CX
	JNZ   again
	XORQ  DX, AX
	XORQ  R8, AX
	XORQ  R9, AX
	MOVQ  AX, ret+24(FP)
	RET

// func add8(seed, factor uint64, n int) uint64
//
// Eight chains of additions: as many adders as there are work at a time.
TEXT ·add8(SB), NOSPLIT, $0-32
	ARGUMENTS
	LEAQ  1(AX), DX
	LEAQ  2(AX), R8
	LEAQ  3(AX), R9
	LEAQ  4(AX), R10
	LEAQ  5(AX), R11
	LEAQ  6(AX), R12
	LEAQ  7(AX), R13

again:
	ADDQ R15, AX
	ADDQ R15, DX
	ADDQ R15, R8
	ADDQ R15, R9
	ADDQ R15, R10
	ADDQ R15, R11
	ADDQ R15, R12
	ADDQ R15, R13
	DECQ  CX
	JNZ   again
	XORQ  DX, AX
	XORQ  R8, AX
	XORQ  R9, AX
	XORQ  R10, AX
	XORQ  R11, AX
	XORQ  R12, AX
	XORQ  R13, AX
	MOVQ  AX, ret+24(FP)
	RET

DATA ·mul1Entry(SB)/8, $·mul1(SB)
GLOBL ·mul1Entry(SB), RODATA|NOPTR, $8
DATA ·mul4Entry(SB)/8, $·mul4(SB)
GLOBL ·mul4Entry(SB), RODATA|NOPTR, $8
