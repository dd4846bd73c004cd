//go:build linux

#include "textflag.h"

// Both functions count the bytes that are at least limit, and do the same otherwise.
//
//	in   p      0(FP)   SI   first byte
//	     n      8(FP)   CX   how many, at least 1
//	     limit 16(FP)   R8
//	out  ret   24(FP)   AX   how many of them
//	uses DX  the byte
//	     BX  in countSet, what the comparison comes to

// func countBranch(p *byte, n int, limit uint64) int
//
// The jump is taken or not as the data says. The processor does not wait for the data to know: it guesses, goes
// on as guessed, and throws that away where it was wrong.
TEXT ·countBranch(SB), NOSPLIT, $0-32
	MOVQ p+0(FP), SI
	MOVQ n+8(FP), CX
	MOVQ limit+16(FP), R8
	XORL AX, AX

again:
	MOVBLZX (SI), DX
	CMPQ DX, R8
	JCS  less         // the branch in question
	INCQ AX

less:
	INCQ SI
	DECQ CX
	JNZ  again        // taken each time but the last: nothing to guess
	MOVQ AX, ret+24(FP)
	RET

// func countSet(p *byte, n int, limit uint64) int
//
// The comparison becomes a number, 0 or 1, which is added. Where there is no branch, there is no wrong guess:
// the time does not depend on the data.
TEXT ·countSet(SB), NOSPLIT, $0-32
	MOVQ p+0(FP), SI
	MOVQ n+8(FP), CX
	MOVQ limit+16(FP), R8
	XORL AX, AX
	XORL BX, BX       // SETCC writes the low byte; the others stay 0

again:
	MOVBLZX (SI), DX
	CMPQ DX, R8
	SETCC BX
	ADDQ BX, AX
	INCQ SI
	DECQ CX
	JNZ  again
	MOVQ AX, ret+24(FP)
	RET

DATA ·countBranchEntry(SB)/8, $·countBranch(SB)
GLOBL ·countBranchEntry(SB), RODATA|NOPTR, $8
DATA ·countSetEntry(SB)/8, $·countSet(SB)
GLOBL ·countSetEntry(SB), RODATA|NOPTR, $8
