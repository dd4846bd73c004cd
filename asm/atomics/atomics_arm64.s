//go:build linux

#include "textflag.h"

// Here instructions either load or store, so that no single one adds to memory. The first way is a pair, LL/SC:
// LDXR loads and has the core watch the cache line; STXR stores only where nobody else has touched the line
// since, and says so (0: stored). Else all is done again. With A the load acquires (nothing after it is seen
// before it), with L the store releases (all before it is seen before it).
//
// Under contention such loops can fail for long, and a system of hundreds of cores moves the line around for
// nothing. Armv8.1 has single instructions (LSE), which may even be sent to where the line is.

// func addLLSC(p *uint64, delta uint64) (sum uint64)
//
//	in   p      0(FP)   R0
//	     delta  8(FP)   R1
//	out  sum   16(FP)   R2
//	uses R3: 0 when the store was made
TEXT ·addLLSC(SB), NOSPLIT, $0-24
	MOVD p+0(FP), R0
	MOVD delta+8(FP), R1

again:
	LDAXR (R0), R2
	ADD   R1, R2, R2
	STLXR R2, (R0), R3
	CBNZ  R3, again
	MOVD  R2, sum+16(FP)
	RET

// func swapLLSC(p *uint64, value uint64) (before uint64)
//
//	in   p        0(FP)   R0
//	     value    8(FP)   R1
//	out  before  16(FP)   R2
//	uses R3
TEXT ·swapLLSC(SB), NOSPLIT, $0-24
	MOVD p+0(FP), R0
	MOVD value+8(FP), R1

again:
	LDAXR (R0), R2
	STLXR R1, (R0), R3
	CBNZ  R3, again
	MOVD  R2, before+16(FP)
	RET

// func compareAndSwapLLSC(p *uint64, old, value uint64) (swapped bool)
//
//	in   p         0(FP)   R0
//	     old       8(FP)   R1
//	     value    16(FP)   R4
//	out  swapped  24(FP)
//	uses R2, R3
//
// CLREX ends the watch where nothing is to be stored.
TEXT ·compareAndSwapLLSC(SB), NOSPLIT, $0-25
	MOVD p+0(FP), R0
	MOVD old+8(FP), R1
	MOVD value+16(FP), R4

again:
	LDAXR (R0), R2
	CMP   R1, R2
	BNE   other
	STLXR R4, (R0), R3
	CBNZ  R3, again
	MOVD  $1, R3
	MOVB  R3, swapped+24(FP)
	RET

other:
	CLREX
	MOVB ZR, swapped+24(FP)
	RET

// func countLLSC(p *uint64, n uint64)
//
//	in   p  0(FP)   R0
//	     n  8(FP)   R1   additions left
//	uses R2, R3
TEXT ·countLLSC(SB), NOSPLIT, $0-16
	MOVD p+0(FP), R0
	MOVD n+8(FP), R1
	CBZ  R1, done

again:
	LDAXR (R0), R2
	ADD   $1, R2, R2
	STLXR R2, (R0), R3
	CBNZ  R3, again
	SUB   $1, R1, R1
	CBNZ  R1, again

done:
	RET

// func addLSE(p *uint64, delta uint64) (sum uint64)
//
//	in   p      0(FP)   R0
//	     delta  8(FP)   R1
//	out  sum   16(FP)   R2   what was there, then the sum
TEXT ·addLSE(SB), NOSPLIT, $0-24
	MOVD p+0(FP), R0
	MOVD delta+8(FP), R1
	LDADDALD R1, (R0), R2
	ADD  R1, R2, R2
	MOVD R2, sum+16(FP)
	RET

// func swapLSE(p *uint64, value uint64) (before uint64)
//
//	in   p        0(FP)   R0
//	     value    8(FP)   R1
//	out  before  16(FP)   R2
TEXT ·swapLSE(SB), NOSPLIT, $0-24
	MOVD p+0(FP), R0
	MOVD value+8(FP), R1
	SWPALD R1, (R0), R2
	MOVD R2, before+16(FP)
	RET

// func compareAndSwapLSE(p *uint64, old, value uint64) (swapped bool)
//
//	in   p         0(FP)   R0
//	     old       8(FP)   R1
//	     value    16(FP)   R4
//	out  swapped  24(FP)
//	uses R2: what to compare with, then what was there
TEXT ·compareAndSwapLSE(SB), NOSPLIT, $0-25
	MOVD p+0(FP), R0
	MOVD old+8(FP), R1
	MOVD value+16(FP), R4
	MOVD R1, R2
	CASALD R2, (R0), R4
	CMP  R1, R2
	CSET EQ, R3
	MOVB R3, swapped+24(FP)
	RET

// func countLSE(p *uint64, n uint64)
//
//	in   p  0(FP)   R0
//	     n  8(FP)   R1   additions left
//	uses R2: 1; R3: what was there
TEXT ·countLSE(SB), NOSPLIT, $0-16
	MOVD p+0(FP), R0
	MOVD n+8(FP), R1
	MOVD $1, R2
	CBZ  R1, done

next:
	LDADDALD R2, (R0), R3
	SUB  $1, R1, R1
	CBNZ R1, next

done:
	RET

// func countPlain(p *uint64, n uint64)
//
//	in   p  0(FP)   R0
//	     n  8(FP)   R1   additions left
//	uses R2
//
// A load, an addition and a store: what another processor stores in between is lost.
TEXT ·countPlain(SB), NOSPLIT, $0-16
	MOVD p+0(FP), R0
	MOVD n+8(FP), R1
	CBZ  R1, done

next:
	MOVD (R0), R2
	ADD  $1, R2, R2
	MOVD R2, (R0)
	SUB  $1, R1, R1
	CBNZ R1, next

done:
	RET

// func spinAcquire(word *uint32, tries uint32) (taken bool)
//
//	in   word    0(FP)   R0
//	     tries   8(FP)   R1   looks left
//	out  taken  16(FP)
//	uses R2, R3; R4 is 1
//
// Test and set: LDAXR only looks, and shares the cache line with all others who look, until the word is 0.
// It acquires: nothing that follows, under the lock, is seen before it.
TEXT ·spinAcquire(SB), NOSPLIT, $0-17
	MOVD  word+0(FP), R0
	MOVWU tries+8(FP), R1
	MOVD  $1, R4

look:
	LDAXRW (R0), R2
	CBNZW  R2, taken
	STXRW  R4, (R0), R3
	CBZ    R3, won
	B      again

taken:
	CLREX

again:
	YIELD           // leave the core's resources to a sibling
	SUBW  $1, R1, R1
	CBNZW R1, look
	MOVB  ZR, taken+16(FP)
	RET

won:
	MOVB R4, taken+16(FP)
	RET

// func spinRelease(word *uint32)
//
//	in   word  0(FP)   R0
//
// STLR releases: all that was done under the lock is seen before it. A plain store might be seen first.
TEXT ·spinRelease(SB), NOSPLIT, $0-8
	MOVD  word+0(FP), R0
	STLRW ZR, (R0)
	RET

// func ticketTake(next *uint32) (mine uint32)
//
//	in   next  0(FP)   R0
//	out  mine  8(FP)   R1   what was there
//	uses R2, R3
//
// Without A and L: drawing a number orders nothing, but its turn will.
TEXT ·ticketTake(SB), NOSPLIT, $0-12
	MOVD next+0(FP), R0

again:
	LDXRW (R0), R1
	ADDW  $1, R1, R2
	STXRW R2, (R0), R3
	CBNZ  R3, again
	MOVW  R1, mine+8(FP)
	RET

// func ticketAwait(serving *uint32, mine, tries uint32) (turn bool)
//
//	in   serving  0(FP)   R0
//	     mine     8(FP)   R1
//	     tries   12(FP)   R2   looks left
//	out  turn    16(FP)
//	uses R3
TEXT ·ticketAwait(SB), NOSPLIT, $0-17
	MOVD  serving+0(FP), R0
	MOVWU mine+8(FP), R1
	MOVWU tries+12(FP), R2

look:
	LDARW (R0), R3  // acquires, like the lock above
	CMPW  R1, R3
	BEQ   called
	YIELD
	SUBW  $1, R2, R2
	CBNZW R2, look
	MOVB  ZR, turn+16(FP)
	RET

called:
	MOVD $1, R3
	MOVB R3, turn+16(FP)
	RET

// func ticketRelease(serving *uint32)
//
//	in   serving  0(FP)   R0
//	uses R1
//
// Only the holder writes this word, so that a load and a store will do; the store releases.
TEXT ·ticketRelease(SB), NOSPLIT, $0-8
	MOVD  serving+0(FP), R0
	MOVWU (R0), R1
	ADDW  $1, R1, R1
	STLRW R1, (R0)
	RET

// func seqStore(seq *uint64, words, from *[4]uint64)
//
//	in   seq     0(FP)   R0
//	     words   8(FP)   R1
//	     from   16(FP)   R2
//	uses R3; R4 to R7 are the words
//
// Odd, the words, even. DMB $10 (ISHST) keeps the words behind the odd number; STLR keeps the even number
// behind the words.
TEXT ·seqStore(SB), NOSPLIT, $0-24
	MOVD seq+0(FP), R0
	MOVD words+8(FP), R1
	MOVD from+16(FP), R2
	LDP  0(R2), (R4, R5)
	LDP  16(R2), (R6, R7)
	MOVD (R0), R3
	ADD  $1, R3, R3
	MOVD R3, (R0)
	DMB  $10
	STP  (R4, R5), 0(R1)
	STP  (R6, R7), 16(R1)
	ADD  $1, R3, R3
	STLR R3, (R0)
	RET

// func seqLoad(seq *uint64, words, to *[4]uint64) (whole bool)
//
//	in   seq     0(FP)   R0
//	     words   8(FP)   R1
//	     to     16(FP)   R2
//	out  whole  24(FP)
//	uses R3: the number before; R8: the number after; R4 to R7 are the words
//
// The words are of one writing where the number before is even and the number after is the same. LDAR keeps
// the words behind the first look at the number, DMB $9 (ISHLD) keeps the second look behind the words.
TEXT ·seqLoad(SB), NOSPLIT, $0-25
	MOVD seq+0(FP), R0
	MOVD words+8(FP), R1
	MOVD to+16(FP), R2
	LDAR (R0), R3
	TBNZ $0, R3, torn
	LDP  0(R1), (R4, R5)
	LDP  16(R1), (R6, R7)
	DMB  $9
	MOVD (R0), R8
	CMP  R3, R8
	BNE  torn
	STP  (R4, R5), 0(R2)
	STP  (R6, R7), 16(R2)
	MOVD $1, R3
	MOVB R3, whole+24(FP)
	RET

torn:
	MOVB ZR, whole+24(FP)
	RET

DATA ·wayEntries+0(SB)/8, $·addLLSC(SB)
DATA ·wayEntries+8(SB)/8, $·swapLLSC(SB)
DATA ·wayEntries+16(SB)/8, $·compareAndSwapLLSC(SB)
DATA ·wayEntries+24(SB)/8, $·countLLSC(SB)
DATA ·wayEntries+32(SB)/8, $·addLSE(SB)
DATA ·wayEntries+40(SB)/8, $·swapLSE(SB)
DATA ·wayEntries+48(SB)/8, $·compareAndSwapLSE(SB)
DATA ·wayEntries+56(SB)/8, $·countLSE(SB)
GLOBL ·wayEntries(SB), RODATA|NOPTR, $64

DATA ·lockEntries+0(SB)/8, $·countPlain(SB)
DATA ·lockEntries+8(SB)/8, $·spinAcquire(SB)
DATA ·lockEntries+16(SB)/8, $·spinRelease(SB)
DATA ·lockEntries+24(SB)/8, $·ticketTake(SB)
DATA ·lockEntries+32(SB)/8, $·ticketAwait(SB)
DATA ·lockEntries+40(SB)/8, $·ticketRelease(SB)
DATA ·lockEntries+48(SB)/8, $·seqStore(SB)
DATA ·lockEntries+56(SB)/8, $·seqLoad(SB)
GLOBL ·lockEntries(SB), RODATA|NOPTR, $64
