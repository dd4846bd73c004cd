//go:build linux

#include "textflag.h"

// Both functions count the bytes that are at least limit, and do the same otherwise.
//
//	in   p      0(FP)   R1   first byte
//	     n      8(FP)   R2   how many, at least 1
//	     limit 16(FP)   R3
//	out  ret   24(FP)   R0   how many of them
//	uses R4  the byte

// func countBranch(p *byte, n int, limit uint64) int
//
// The branch is taken or not as the data says. The processor does not wait for the data to know: it guesses,
// goes on as guessed, and throws that away where it was wrong.
TEXT ·countBranch(SB), NOSPLIT, $0-32
	MOVD p+0(FP), R1
	MOVD n+8(FP), R2
	MOVD limit+16(FP), R3
	MOVD ZR, R0

again:
	MOVBU.P 1(R1), R4
	CMP  R3, R4
	BLO  less         // the branch in question
	ADD  $1, R0

less:
	SUB  $1, R2
	CBNZ R2, again    // taken each time but the last: nothing to guess
	MOVD R0, ret+24(FP)
	RET

// func countSet(p *byte, n int, limit uint64) int
//
// CINC adds 1 or nothing, by the flags. Where there is no branch, there is no wrong guess: the time does not
// depend on the data.
TEXT ·countSet(SB), NOSPLIT, $0-32
	MOVD p+0(FP), R1
	MOVD n+8(FP), R2
	MOVD limit+16(FP), R3
	MOVD ZR, R0

again:
	MOVBU.P 1(R1), R4
	CMP  R3, R4
	CINC HS, R0, R0
	SUB  $1, R2
	CBNZ R2, again
	MOVD R0, ret+24(FP)
	RET

DATA ·countBranchEntry(SB)/8, $·countBranch(SB)
GLOBL ·countBranchEntry(SB), RODATA|NOPTR, $8
DATA ·countSetEntry(SB)/8, $·countSet(SB)
GLOBL ·countSetEntry(SB), RODATA|NOPTR, $8
