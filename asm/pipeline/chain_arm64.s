//go:build linux

#include "textflag.h"

// Chains: each function multiplies (or adds) 8*n times in all, and differs in how many registers share the
// work. Within a register, an operation needs the result of the one before it; between registers, nothing
// needs anything. Eight operations stand in a row, so that the loop itself weighs little.
//
//	in   seed    0(FP)   R0, and seed+1, seed+2 ... in R1 to R7
//	     factor  8(FP)   R9
//	     n      16(FP)   R10  at least 1
//	out  ret    24(FP)   R0   all registers of the chains, combined by XOR

#define ARGUMENTS \
	MOVD seed+0(FP), R0;   \
	MOVD factor+8(FP), R9; \
	MOVD n+16(FP), R10

// func mul1(seed, factor uint64, n int) uint64
//
// One chain: each multiplication waits for the one before. The time of an iteration is 8 latencies.
TEXT ·mul1(SB), NOSPLIT, $0-32
	ARGUMENTS

again:
	MUL  R9, R0
	MUL  R9, R0
	MUL  R9, R0
	MUL  R9, R0
	MUL  R9, R0
	MUL  R9, R0
	MUL  R9, R0
	MUL  R9, R0
	SUB  $1, R10
	CBNZ R10, again
	MOVD R0, ret+24(FP)
	RET

// func mul2(seed, factor uint64, n int) uint64
//
// Two chains: while one waits for its multiplication, the other has one begun.
TEXT ·mul2(SB), NOSPLIT, $0-32
	ARGUMENTS
	ADD  $1, R0, R1

again:
	MUL  R9, R0
	MUL  R9, R1
	MUL  R9, R0
	MUL  R9, R1
	MUL  R9, R0
	MUL  R9, R1
	MUL  R9, R0
	MUL  R9, R1
	SUB  $1, R10
	CBNZ R10, again
	EOR  R1, R0
	MOVD R0, ret+24(FP)
	RET

// func mul4(seed, factor uint64, n int) uint64
//
// Four chains: as many as the multiplier, of about three stages, can have under way at a time.
TEXT ·mul4(SB), NOSPLIT, $0-32
	ARGUMENTS
	ADD  $1, R0, R1
	ADD  $2, R0, R2
	ADD  $3, R0, R3

again:
	MUL  R9, R0
	MUL  R9, R1
	MUL  R9, R2
	MUL  R9, R3
	MUL  R9, R0
	MUL  R9, R1
	MUL  R9, R2
	MUL  R9, R3
	SUB  $1, R10
	CBNZ R10, again
	EOR  R1, R0
	EOR  R2, R0
	EOR  R3, R0
	MOVD R0, ret+24(FP)
	RET

// func mul8(seed, factor uint64, n int) uint64
//
// Eight chains: no faster, when the multiplier takes one a cycle; it is the limit now, not the waiting.
TEXT ·mul8(SB), NOSPLIT, $0-32
	ARGUMENTS
	ADD  $1, R0, R1
	ADD  $2, R0, R2
	ADD  $3, R0, R3
	ADD  $4, R0, R4
	ADD  $5, R0, R5
	ADD  $6, R0, R6
	ADD  $7, R0, R7

again:
	MUL  R9, R0
	MUL  R9, R1
	MUL  R9, R2
	MUL  R9, R3
	MUL  R9, R4
	MUL  R9, R5
	MUL  R9, R6
	MUL  R9, R7
	SUB  $1, R10
	CBNZ R10, again
	EOR  R1, R0
	EOR  R2, R0
	EOR  R3, R0
	EOR  R4, R0
	EOR  R5, R0
	EOR  R6, R0
	EOR  R7, R0
	MOVD R0, ret+24(FP)
	RET

// func add1(seed, factor uint64, n int) uint64
//
// One chain of additions, which take a cycle each: no time to wait for, and yet nothing to do beside it.
TEXT ·add1(SB), NOSPLIT, $0-32
	ARGUMENTS

again:
	ADD  R9, R0
	ADD  R9, R0
	ADD  R9, R0
	ADD  R9, R0
	ADD  R9, R0
	ADD  R9, R0
	ADD  R9, R0
	ADD  R9, R0
	SUB  $1, R10
	CBNZ R10, again
	MOVD R0, ret+24(FP)
	RET

// func add2(seed, factor uint64, n int) uint64
//
// Two chains of additions.
TEXT ·add2(SB), NOSPLIT, $0-32
	ARGUMENTS
	ADD  $1, R0, R1

again:
	ADD  R9, R0
	ADD  R9, R1
	ADD  R9, R0
	ADD  R9, R1
	ADD  R9, R0
	ADD  R9, R1
	ADD  R9, R0
	ADD  R9, R1
	SUB  $1, R10
	CBNZ R10, again
	EOR  R1, R0
	MOVD R0, ret+24(FP)
	RET

// func add4(seed, factor uint64, n int) uint64
//
// Four chains of additions: there are several adders, and one chain keeps one of them busy.
TEXT ·add4(SB), NOSPLIT, $0-32
	ARGUMENTS
	ADD  $1, R0, R1
	ADD  $2, R0, R2
	ADD  $3, R0, R3

again:
	ADD  R9, R0
	ADD  R9, R1
	ADD  R9, R2
	ADD  R9, R3
	ADD  R9, R0
	ADD  R9, R1
	ADD  R9, R2
	ADD  R9, R3
	SUB  $1, R10
	CBNZ R10, again
	EOR  R1, R0
	EOR  R2, R0
	EOR  R3, R0
	MOVD R0, ret+24(FP)
	RET

// func add8(seed, factor uint64, n int) uint64
//
// Eight chains of additions: as many adders as there are work at a time.
TEXT ·add8(SB), NOSPLIT, $0-32
	ARGUMENTS
	ADD  $1, R0, R1
	ADD  $2, R0, R2
	ADD  $3, R0, R3
	ADD  $4, R0, R4
	ADD  $5, R0, R5
	ADD  $6, R0, R6
	ADD  $7, R0, R7

again:
	ADD  R9, R0
	ADD  R9, R1
	ADD  R9, R2
	ADD  R9, R3
	ADD  R9, R4
	ADD  R9, R5
	ADD  R9, R6
	ADD  R9, R7
	SUB  $1, R10
	CBNZ R10, again
	EOR  R1, R0
	EOR  R2, R0
	EOR  R3, R0
	EOR  R4, R0
	EOR  R5, R0
	EOR  R6, R0
	EOR  R7, R0
	MOVD R0, ret+24(FP)
	RET

DATA ·mul1Entry(SB)/8, $·mul1(SB)
GLOBL ·mul1Entry(SB), RODATA|NOPTR, $8
DATA ·mul4Entry(SB)/8, $·mul4(SB)
GLOBL ·mul4Entry(SB), RODATA|NOPTR, $8
