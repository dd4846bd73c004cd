//go:build linux

#include "textflag.h"

// Store forwarding: a value goes through memory n times, stored and at once loaded again, with 1 added in between.
// The store is then still in the store buffer, and a load that finds all of its bytes in one store there
// takes them from it. Otherwise it has to wait until the store has reached the cache. The functions differ in
// what is stored and what is loaded.
//
//	in   p     0(FP)   DI   16 bytes
//	     seed  8(FP)   AX   what goes through
//	     n    16(FP)   CX   at least 1
//	out  ret  24(FP)   AX

#define ARGUMENTS \
	MOVQ p+0(FP), DI;    \
	MOVQ seed+8(FP), AX; \
	MOVQ n+16(FP), CX

// func forwardSame(p *byte, seed uint64, n int) uint64
//
// Loads the whole word that was stored: the store hands it on.
TEXT ·forwardSame(SB), NOSPLIT, $0-32
	ARGUMENTS

again:
	MOVQ AX, (DI)
	MOVQ (DI), AX
	INCQ AX
	DECQ CX
	JNZ  again
	MOVQ AX, ret+24(FP)
	RET

// func forwardLow(p *byte, seed uint64, n int) uint64
//
// Loads its low half: inside of what was stored.
TEXT ·forwardLow(SB), NOSPLIT, $0-32
	ARGUMENTS

again:
	MOVQ AX, (DI)
	MOVL (DI), AX
	INCQ AX
	DECQ CX
	JNZ  again
	MOVQ AX, ret+24(FP)
	RET

// func forwardHigh(p *byte, seed uint64, n int) uint64
//
// Loads its high half: inside too, but not at its beginning.
TEXT ·forwardHigh(SB), NOSPLIT, $0-32
	ARGUMENTS

again:
	MOVQ AX, (DI)
	MOVL 4(DI), AX
	INCQ AX
	DECQ CX
	JNZ  again
	MOVQ AX, ret+24(FP)
	RET

// func forwardByte(p *byte, seed uint64, n int) uint64
//
// Loads its last byte.
TEXT ·forwardByte(SB), NOSPLIT, $0-32
	ARGUMENTS

again:
	MOVQ AX, (DI)
	MOVBLZX 7(DI), AX
	INCQ AX
	DECQ CX
	JNZ  again
	MOVQ AX, ret+24(FP)
	RET

// func forwardWide(p *byte, seed uint64, n int) uint64
//
// Loads eight bytes, of which the store has four: the rest is in the cache, and nobody puts halves together.
TEXT ·forwardWide(SB), NOSPLIT, $0-32
	ARGUMENTS

again:
	MOVL AX, (DI)
	MOVQ (DI), AX
	INCQ AX
	DECQ CX
	JNZ  again
	MOVQ AX, ret+24(FP)
	RET

// func forwardHalves(p *byte, seed uint64, n int) uint64
//
// Loads eight bytes, of which two stores have four each.
TEXT ·forwardHalves(SB), NOSPLIT, $0-32
	ARGUMENTS

again:
	MOVL AX, (DI)
	MOVL AX, 4(DI)
	MOVQ (DI), AX
	INCQ AX
	DECQ CX
	JNZ  again
	MOVQ AX, ret+24(FP)
	RET

// func forwardOverlap(p *byte, seed uint64, n int) uint64
//
// Loads eight bytes, of which the store has the first four.
TEXT ·forwardOverlap(SB), NOSPLIT, $0-32
	ARGUMENTS

again:
	MOVQ AX, (DI)
	MOVQ 4(DI), AX
	INCQ AX
	DECQ CX
	JNZ  again
	MOVQ AX, ret+24(FP)
	RET

DATA ·forwardSameEntry(SB)/8, $·forwardSame(SB)
GLOBL ·forwardSameEntry(SB), RODATA|NOPTR, $8
DATA ·forwardHalvesEntry(SB)/8, $·forwardHalves(SB)
GLOBL ·forwardHalvesEntry(SB), RODATA|NOPTR, $8
