//go:build linux

#include "textflag.h"

// func chase(p uintptr, n int) uintptr
//
//	in   p  0(FP)   AX   address of the first pointer
//	     n  8(FP)   CX   how many to follow, at least 1
//	out  ret 16(FP) AX   where that leads
//
// The address of each load is what the load before it brings, so that no two of them overlap: the time of one
// is the latency. DECQ and JNZ run while the load is under way, and cost nothing.
TEXT ·chase(SB), NOSPLIT, $0-24
	MOVQ p+0(FP), AX
	MOVQ n+8(FP), CX

again:
	MOVQ (AX), AX
	DECQ CX
	JNZ  again
	MOVQ AX, ret+16(FP)
	RET

// func gather(table *uint64, index *uint32, n int) uint64
//
//	in   table     0(FP)  SI
//	     index     8(FP)  DI
//	     n        16(FP)  CX   at least 1
//	out  ret      24(FP)  AX   the sum of table[index[i]], i < n
//	uses BX  index
//	     DX  0, and R9 0 that depends on the sum
//
// R9 makes each load wait for the one before it, as if the address came out of it: the processor cannot
// run ahead.
TEXT ·gather(SB), NOSPLIT, $0-32
	MOVQ table+0(FP), SI
	MOVQ index+8(FP), DI
	MOVQ n+16(FP), CX
	XORL AX, AX
	XORL DX, DX

again:
	MOVQ AX, R9
	ANDQ DX, R9          // 0, when the sum is there
	ADDQ SI, R9
	MOVL (DI), BX
	ADDQ (R9)(BX*8), AX
	ADDQ $4, DI
	DECQ CX
	JNZ  again
	MOVQ AX, ret+24(FP)
	RET

// func gatherAhead(table *uint64, index *uint32, n, distance int) uint64
//
//	in   as gather, but n + distance of index
//	     distance 24(FP)  R8   how far ahead to prefetch
//	out  ret      32(FP)  AX
//
// The same with a prefetch: the sum is not known ahead, but the index is. A prefetch waits for no sum, no
// load waits for it, and it faults never, whatever the address.
TEXT ·gatherAhead(SB), NOSPLIT, $0-40
	MOVQ table+0(FP), SI
	MOVQ index+8(FP), DI
	MOVQ n+16(FP), CX
	MOVQ distance+24(FP), R8
	XORL AX, AX
	XORL DX, DX

again:
	MOVL (DI)(R8*4), BX
	PREFETCHT0 (SI)(BX*8)
	MOVQ AX, R9
	ANDQ DX, R9
	ADDQ SI, R9
	MOVL (DI), BX
	ADDQ (R9)(BX*8), AX
	ADDQ $4, DI
	DECQ CX
	JNZ  again
	MOVQ AX, ret+32(FP)
	RET

// The four below do the same, but for one instruction: n times they add 1 to the word at p, do something about
// its cache line, and wait until that is done.
//
//	in   p  0(FP)  DI
//	     n  8(FP)  CX  at least 1
//
// MFENCE makes the next access wait for the store and the flush; CLFLUSHOPT and CLWB are ordered by nothing
// else. A flush faults where a load would.

// func addOnly(p *uint64, n int)
TEXT ·addOnly(SB), NOSPLIT, $0-16
	MOVQ p+0(FP), DI
	MOVQ n+8(FP), CX

again:
	INCQ (DI)
	MFENCE
	DECQ CX
	JNZ  again
	RET

// func addFlush(p *uint64, n int)
//
// CLFLUSH writes the line back and drops it from every cache of every processor.
TEXT ·addFlush(SB), NOSPLIT, $0-16
	MOVQ p+0(FP), DI
	MOVQ n+8(FP), CX

again:
	INCQ (DI)
	CLFLUSH (DI)
	MFENCE
	DECQ CX
	JNZ  again
	RET

// func addFlushOpt(p *uint64, n int)
//
// CLFLUSHOPT does the same, not ordered with other flushes: many of them overlap. Needs the CPUID bit.
TEXT ·addFlushOpt(SB), NOSPLIT, $0-16
	MOVQ p+0(FP), DI
	MOVQ n+8(FP), CX

again:
	INCQ (DI)
	CLFLUSHOPT (DI)
	MFENCE
	DECQ CX
	JNZ  again
	RET

// func addWriteBack(p *uint64, n int)
//
// CLWB writes the line back and may keep it. Needs the CPUID bit.
TEXT ·addWriteBack(SB), NOSPLIT, $0-16
	MOVQ p+0(FP), DI
	MOVQ n+8(FP), CX

again:
	INCQ (DI)
	CLWB (DI)
	MFENCE
	DECQ CX
	JNZ  again
	RET

// func cpuid7() (maxLeaf, ebx uint32)
//
//	out  maxLeaf  0(FP)   the highest leaf there is
//	     ebx      4(FP)   of leaf 7, subleaf 0, where there is one: bit 23 CLFLUSHOPT, bit 24 CLWB
TEXT ·cpuid7(SB), NOSPLIT, $0-8
	XORL AX, AX
	XORL CX, CX
	CPUID
	MOVL AX, maxLeaf+0(FP)
	XORL R8, R8
	CMPL AX, $7
	JCS  done
	MOVL $7, AX
	XORL CX, CX
	CPUID
	MOVL BX, R8

done:
	MOVL R8, ebx+4(FP)
	RET

DATA ·chaseEntry(SB)/8, $·chase(SB)
GLOBL ·chaseEntry(SB), RODATA|NOPTR, $8
DATA ·gatherEntry(SB)/8, $·gather(SB)
GLOBL ·gatherEntry(SB), RODATA|NOPTR, $8
DATA ·gatherAheadEntry(SB)/8, $·gatherAhead(SB)
GLOBL ·gatherAheadEntry(SB), RODATA|NOPTR, $8
DATA ·addFlushEntry(SB)/8, $·addFlush(SB)
GLOBL ·addFlushEntry(SB), RODATA|NOPTR, $8
