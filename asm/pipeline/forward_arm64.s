//go:build linux

#include "textflag.h"

// Store forwarding: a value goes through memory n times, stored and at once loaded again, with 1 added in between.
// The store is then still in the store buffer, and a load that finds all of its bytes in one store there
// takes them from it. Otherwise it has to wait until the store has reached the cache. The functions differ in
// what is stored and what is loaded.
//
//	in   p     0(FP)   R1   16 bytes
//	     seed  8(FP)   R0   what goes through
//	     n    16(FP)   R2   at least 1
//	out  ret  24(FP)   R0

#define ARGUMENTS \
	MOVD p+0(FP), R1;    \
	MOVD seed+8(FP), R0; \
	MOVD n+16(FP), R2

// func forwardSame(p *byte, seed uint64, n int) uint64
//
// Loads the whole word that was stored: the store hands it on.
TEXT ·forwardSame(SB), NOSPLIT, $0-32
	ARGUMENTS

again:
	MOVD R0, (R1)
	MOVD (R1), R0
	ADD  $1, R0
	SUB  $1, R2
	CBNZ R2, again
	MOVD R0, ret+24(FP)
	RET

// func forwardLow(p *byte, seed uint64, n int) uint64
//
// Loads its low half: inside of what was stored.
TEXT ·forwardLow(SB), NOSPLIT, $0-32
	ARGUMENTS

again:
	MOVD R0, (R1)
	MOVWU (R1), R0
	ADD  $1, R0
	SUB  $1, R2
	CBNZ R2, again
	MOVD R0, ret+24(FP)
	RET

// func forwardHigh(p *byte, seed uint64, n int) uint64
//
// Loads its high half: inside too, but not at its beginning.
TEXT ·forwardHigh(SB), NOSPLIT, $0-32
	ARGUMENTS

again:
	MOVD R0, (R1)
	MOVWU 4(R1), R0
	ADD  $1, R0
	SUB  $1, R2
	CBNZ R2, again
	MOVD R0, ret+24(FP)
	RET

// func forwardByte(p *byte, seed uint64, n int) uint64
//
// Loads its last byte.
TEXT ·forwardByte(SB), NOSPLIT, $0-32
	ARGUMENTS

again:
	MOVD R0, (R1)
	MOVBU 7(R1), R0
	ADD  $1, R0
	SUB  $1, R2
	CBNZ R2, again
	MOVD R0, ret+24(FP)
	RET

// func forwardWide(p *byte, seed uint64, n int) uint64
//
// Loads eight bytes, of which the store has four: the rest is in the cache, and nobody puts halves together.
TEXT ·forwardWide(SB), NOSPLIT, $0-32
	ARGUMENTS

again:
	MOVW R0, (R1)
	MOVD (R1), R0
	ADD  $1, R0
	SUB  $1, R2
	CBNZ R2, again
	MOVD R0, ret+24(FP)
	RET

// func forwardHalves(p *byte, seed uint64, n int) uint64
//
// Loads eight bytes, of which two stores have four each.
TEXT ·forwardHalves(SB), NOSPLIT, $0-32
	ARGUMENTS

again:
	MOVW R0, (R1)
	MOVW R0, 4(R1)
	MOVD (R1), R0
	ADD  $1, R0
	SUB  $1, R2
	CBNZ R2, again
	MOVD R0, ret+24(FP)
	RET

// func forwardOverlap(p *byte, seed uint64, n int) uint64
//
// Loads eight bytes, of which the store has the first four.
TEXT ·forwardOverlap(SB), NOSPLIT, $0-32
	ARGUMENTS

again:
	MOVD R0, (R1)
	MOVD 4(R1), R0
	ADD  $1, R0
	SUB  $1, R2
	CBNZ R2, again
	MOVD R0, ret+24(FP)
	RET

DATA ·forwardSameEntry(SB)/8, $·forwardSame(SB)
GLOBL ·forwardSameEntry(SB), RODATA|NOPTR, $8
DATA ·forwardHalvesEntry(SB)/8, $·forwardHalves(SB)
GLOBL ·forwardHalvesEntry(SB), RODATA|NOPTR, $8
