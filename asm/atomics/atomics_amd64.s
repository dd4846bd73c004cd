//go:build linux

#include "textflag.h"

// ADDQ to memory is three things: load, add, store. One processor is not interrupted between them, but two
// processors can both load before either stores, and then one addition is lost. LOCK has the core keep the cache
// line to itself from the load to the store, and empties the store buffer, as MFENCE does. For XCHG with memory
// the processor does that without being asked.

// func addLock(p *uint64, delta uint64) (sum uint64)
//
//	in   p      0(FP)   DI
//	     delta  8(FP)   AX, then what was there
//	out  sum   16(FP)   AX
//	uses CX             delta, which AX loses
TEXT ·addLock(SB), NOSPLIT, $0-24
	MOVQ p+0(FP), DI
	MOVQ delta+8(FP), AX
	MOVQ AX, CX
	LOCK
	XADDQ AX, (DI)  // exchange and add: AX is what was there
	ADDQ CX, AX
	MOVQ AX, sum+16(FP)
	RET

// func swapLock(p *uint64, value uint64) (before uint64)
//
//	in   p        0(FP)   DI
//	     value    8(FP)   AX, then what was there
//	out  before  16(FP)   AX
TEXT ·swapLock(SB), NOSPLIT, $0-24
	MOVQ p+0(FP), DI
	MOVQ value+8(FP), AX
	XCHGQ AX, (DI)
	MOVQ AX, before+16(FP)
	RET

// func compareAndSwapLock(p *uint64, old, value uint64) (swapped bool)
//
//	in   p         0(FP)   DI
//	     old       8(FP)   AX   which CMPXCHG compares with; then what was there
//	     value    16(FP)   CX
//	out  swapped  24(FP)        the zero flag: they were equal
TEXT ·compareAndSwapLock(SB), NOSPLIT, $0-25
	MOVQ p+0(FP), DI
	MOVQ old+8(FP), AX
	MOVQ value+16(FP), CX
	LOCK
	CMPXCHGQ CX, (DI)
	SETEQ swapped+24(FP)
	RET

// func countLock(p *uint64, n uint64)
//
//	in   p  0(FP)   DI
//	     n  8(FP)   CX   additions left
//
// Nobody wants to know the sum, so that LOCK ADD will do.
TEXT ·countLock(SB), NOSPLIT, $0-16
	MOVQ p+0(FP), DI
	MOVQ n+8(FP), CX
	TESTQ CX, CX
	JEQ  done

next:
	LOCK
	ADDQ $1, (DI)
	DECQ CX
	JNE  next

done:
	RET

// func countPlain(p *uint64, n uint64)
//
//	in   p  0(FP)   DI
//	     n  8(FP)   CX   additions left
//
// The same without LOCK.
TEXT ·countPlain(SB), NOSPLIT, $0-16
	MOVQ p+0(FP), DI
	MOVQ n+8(FP), CX
	TESTQ CX, CX
	JEQ  done

next:
	ADDQ $1, (DI)
	DECQ CX
	JNE  next

done:
	RET

// func spinAcquire(word *uint32, tries uint32) (taken bool)
//
//	in   word    0(FP)   DI
//	     tries   8(FP)   CX   looks left
//	out  taken  16(FP)
//	uses AX
//
// Test, then test and set. XCHG takes the cache line away from everybody even when it finds the lock taken;
// MOV shares it. So who waits only looks, and all of them in their own caches, until the holder's store
// takes the line back and frees the lock.
TEXT ·spinAcquire(SB), NOSPLIT, $0-17
	MOVQ word+0(FP), DI
	MOVL tries+8(FP), CX

look:
	MOVL (DI), AX
	TESTL AX, AX
	JNE  again
	MOVL $1, AX
	XCHGL AX, (DI)  // nothing that follows can be seen before this
	TESTL AX, AX
	JEQ  won

again:
	PAUSE           // leave the core's resources to a sibling, and do not guess the end of the wait
	DECL CX
	JNE  look
	MOVB $0, taken+16(FP)
	RET

won:
	MOVB $1, taken+16(FP)
	RET

// func spinRelease(word *uint32)
//
//	in   word  0(FP)   DI
//
// A plain store: on amd64 it is seen after all loads and stores before it.
TEXT ·spinRelease(SB), NOSPLIT, $0-8
	MOVQ word+0(FP), DI
	MOVL $0, (DI)
	RET

// func ticketTake(next *uint32) (mine uint32)
//
//	in   next  0(FP)   DI
//	out  mine  8(FP)   AX   what was there
TEXT ·ticketTake(SB), NOSPLIT, $0-12
	MOVQ next+0(FP), DI
	MOVL $1, AX
	LOCK
	XADDL AX, (DI)
	MOVL AX, mine+8(FP)
	RET

// func ticketAwait(serving *uint32, mine, tries uint32) (turn bool)
//
//	in   serving  0(FP)   DI
//	     mine     8(FP)   AX
//	     tries   12(FP)   CX   looks left
//	out  turn    16(FP)
//
// Nothing is written here: whose number is called has the lock.
TEXT ·ticketAwait(SB), NOSPLIT, $0-17
	MOVQ serving+0(FP), DI
	MOVL mine+8(FP), AX
	MOVL tries+12(FP), CX

look:
	CMPL AX, (DI)
	JEQ  called
	PAUSE
	DECL CX
	JNE  look
	MOVB $0, turn+16(FP)
	RET

called:
	MOVB $1, turn+16(FP)
	RET

// func ticketRelease(serving *uint32)
//
//	in   serving  0(FP)   DI
//
// No LOCK: only the holder writes this word.
TEXT ·ticketRelease(SB), NOSPLIT, $0-8
	MOVQ serving+0(FP), DI
	ADDL $1, (DI)
	RET

// func seqStore(seq *uint64, words, from *[4]uint64)
//
//	in   seq     0(FP)   DI
//	     words   8(FP)   SI
//	     from   16(FP)   DX
//	uses AX
//
// Odd, the words, even. Stores are seen in this order without anything in between.
TEXT ·seqStore(SB), NOSPLIT, $0-24
	MOVQ seq+0(FP), DI
	MOVQ words+8(FP), SI
	MOVQ from+16(FP), DX
	ADDQ $1, (DI)
	MOVQ 0(DX), AX
	MOVQ AX, 0(SI)
	MOVQ 8(DX), AX
	MOVQ AX, 8(SI)
	MOVQ 16(DX), AX
	MOVQ AX, 16(SI)
	MOVQ 24(DX), AX
	MOVQ AX, 24(SI)
	ADDQ $1, (DI)
	RET

// func seqLoad(seq *uint64, words, to *[4]uint64) (whole bool)
//
//	in   seq     0(FP)   DI
//	     words   8(FP)   SI
//	     to     16(FP)   DX
//	out  whole  24(FP)
//	uses AX; CX is the number before
//
// The words are of one writing where the number before is even and the number after is the same. Loads are
// served in this order, as far as anybody can tell.
TEXT ·seqLoad(SB), NOSPLIT, $0-25
	MOVQ seq+0(FP), DI
	MOVQ words+8(FP), SI
	MOVQ to+16(FP), DX
	MOVQ (DI), CX
	TESTQ $1, CX
	JNE  torn
	MOVQ 0(SI), AX
	MOVQ AX, 0(DX)
	MOVQ 8(SI), AX
	MOVQ AX, 8(DX)
	MOVQ 16(SI), AX
	MOVQ AX, 16(DX)
	MOVQ 24(SI), AX
	MOVQ AX, 24(DX)
	CMPQ CX, (DI)
	JNE  torn
	MOVB $1, whole+24(FP)
	RET

torn:
	MOVB $0, whole+24(FP)
	RET

DATA ·wayEntries+0(SB)/8, $·addLock(SB)
DATA ·wayEntries+8(SB)/8, $·swapLock(SB)
DATA ·wayEntries+16(SB)/8, $·compareAndSwapLock(SB)
DATA ·wayEntries+24(SB)/8, $·countLock(SB)
GLOBL ·wayEntries(SB), RODATA|NOPTR, $32

DATA ·lockEntries+0(SB)/8, $·countPlain(SB)
DATA ·lockEntries+8(SB)/8, $·spinAcquire(SB)
DATA ·lockEntries+16(SB)/8, $·spinRelease(SB)
DATA ·lockEntries+24(SB)/8, $·ticketTake(SB)
DATA ·lockEntries+32(SB)/8, $·ticketAwait(SB)
DATA ·lockEntries+40(SB)/8, $·ticketRelease(SB)
DATA ·lockEntries+48(SB)/8, $·seqStore(SB)
DATA ·lockEntries+56(SB)/8, $·seqLoad(SB)
GLOBL ·lockEntries(SB), RODATA|NOPTR, $64
