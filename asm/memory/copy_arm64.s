//go:build linux

#include "textflag.h"

// Copies: each moves n bytes from src to dst, which do not overlap, upward, with one kind of instruction.
//
//	in   dst   0(FP)  R0
//	     src   8(FP)  R1
//	     n    16(FP)  R2   what is left
//	uses R3, R4, and the vector registers 0 to 3
//
// What is left after the last whole block goes byte by byte. There is no REP: what comes nearest, CPYF and its
// like (FEAT_MOPS, Armv8.8), is in no assembler of Go's yet and in few processors.

#define ARGUMENTS \
	MOVD dst+0(FP), R0; \
	MOVD src+8(FP), R1; \
	MOVD n+16(FP), R2

// func copyBytes(dst, src *byte, n int)
//
// One byte an iteration: the loop itself is the limit, whatever memory could do.
TEXT ·copyBytes(SB), NOSPLIT, $0-24
	ARGUMENTS
	JMP  check

again:
	MOVBU.P 1(R1), R3
	MOVB.P R3, 1(R0)
	SUB  $1, R2

check:
	CBNZ R2, again
	RET

// func copyWords(dst, src *byte, n int)
//
// 16 bytes an iteration: LDP and STP move two registers at a time.
TEXT ·copyWords(SB), NOSPLIT, $0-24
	ARGUMENTS
	JMP  check

again:
	LDP.P 16(R1), (R3, R4)
	STP.P (R3, R4), 16(R0)
	SUB  $16, R2

check:
	CMP  $16, R2
	BHS  again
	JMP  checkTail

tail:
	MOVBU.P 1(R1), R3
	MOVB.P R3, 1(R0)
	SUB  $1, R2

checkTail:
	CBNZ R2, tail
	RET

// func copyVector(dst, src *byte, n int)
//
// 64 bytes an iteration, in four NEON registers of 16.
TEXT ·copyVector(SB), NOSPLIT, $0-24
	ARGUMENTS
	JMP  check

again:
	VLD1.P 64(R1), [V0.B16, V1.B16, V2.B16, V3.B16]
	VST1.P [V0.B16, V1.B16, V2.B16, V3.B16], 64(R0)
	SUB  $64, R2

check:
	CMP  $64, R2
	BHS  again
	JMP  checkTail

tail:
	MOVBU.P 1(R1), R3
	MOVB.P R3, 1(R0)
	SUB  $1, R2

checkTail:
	CBNZ R2, tail
	RET

// func copyStream(dst, src *byte, n int)
//
// LDNP and STNP are loads and stores of pairs with a hint that the data will not be wanted again soon. What
// that does is the processor's own affair: nothing, often. Go's assembler has no names for them on vector
// registers. They are ordered as weakly as any store, so that no fence belongs here.
TEXT ·copyStream(SB), NOSPLIT, $0-24
	ARGUMENTS
	JMP  check

again:
	WORD $0xac400420 // LDNP (R1), (Q0, Q1)
	WORD $0xac410c22 // LDNP 32(R1), (Q2, Q3)
	WORD $0xac000400 // STNP (Q0, Q1), (R0)
	WORD $0xac010c02 // STNP (Q2, Q3), 32(R0)
	ADD  $64, R1
	ADD  $64, R0
	SUB  $64, R2

check:
	CMP  $64, R2
	BHS  again
	JMP  checkTail

tail:
	MOVBU.P 1(R1), R3
	MOVB.P R3, 1(R0)
	SUB  $1, R2

checkTail:
	CBNZ R2, tail
	RET

DATA ·copyStreamEntry(SB)/8, $·copyStream(SB)
GLOBL ·copyStreamEntry(SB), RODATA|NOPTR, $8
DATA ·copyWordsEntry(SB)/8, $·copyWords(SB)
GLOBL ·copyWordsEntry(SB), RODATA|NOPTR, $8
