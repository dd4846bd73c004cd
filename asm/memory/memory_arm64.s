//go:build linux

#include "textflag.h"

// func chase(p uintptr, n int) uintptr
//
//	in   p  0(FP)   R0   address of the first pointer
//	     n  8(FP)   R1   how many to follow, at least 1
//	out  ret 16(FP) R0   where that leads
//
// The address of each load is what the load before it brings, so that no two of them overlap: the time of one
// is the latency. SUB and CBNZ run while the load is under way, and cost nothing.
TEXT ·chase(SB), NOSPLIT, $0-24
	MOVD p+0(FP), R0
	MOVD n+8(FP), R1

again:
	MOVD (R0), R0
	SUB  $1, R1
	CBNZ R1, again
	MOVD R0, ret+16(FP)
	RET

// func gather(table *uint64, index *uint32, n int) uint64
//
//	in   table     0(FP)  R1
//	     index     8(FP)  R2
//	     n        16(FP)  R3   at least 1
//	out  ret      24(FP)  R0   the sum of table[index[i]], i < n
//	uses R5  index, R6 the word
//	     R9  0, and R7 0 that depends on the sum
//
// R7 makes each load wait for the one before it, as if the address came out of it: the processor cannot
// run ahead.
TEXT ·gather(SB), NOSPLIT, $0-32
	MOVD table+0(FP), R1
	MOVD index+8(FP), R2
	MOVD n+16(FP), R3
	MOVD ZR, R0
	MOVD ZR, R9

again:
	AND  R9, R0, R7      // 0, when the sum is there
	ADD  R1, R7
	MOVWU.P 4(R2), R5
	MOVD (R7)(R5<<3), R6
	ADD  R6, R0
	SUB  $1, R3
	CBNZ R3, again
	MOVD R0, ret+24(FP)
	RET

// func gatherAhead(table *uint64, index *uint32, n, distance int) uint64
//
//	in   as gather, but n + distance of index
//	     distance 24(FP)  R4   how far ahead to prefetch; R8 where that index is
//	out  ret      32(FP)  R0
//
// The same with a prefetch: the sum is not known ahead, but the index is. A prefetch waits for no sum, no
// load waits for it, and it faults never, whatever the address.
TEXT ·gatherAhead(SB), NOSPLIT, $0-40
	MOVD table+0(FP), R1
	MOVD index+8(FP), R2
	MOVD n+16(FP), R3
	MOVD distance+24(FP), R4
	ADD  R4<<2, R2, R8
	MOVD ZR, R0
	MOVD ZR, R9

again:
	MOVWU.P 4(R8), R5
	ADD  R5<<3, R1, R6
	PRFM (R6), PLDL1KEEP
	AND  R9, R0, R7
	ADD  R1, R7
	MOVWU.P 4(R2), R5
	MOVD (R7)(R5<<3), R6
	ADD  R6, R0
	SUB  $1, R3
	CBNZ R3, again
	MOVD R0, ret+32(FP)
	RET

// The three below do the same, but for one instruction: n times they add 1 to the word at p, do something about
// its cache line, and wait until that is done.
//
//	in   p  0(FP)  R0
//	     n  8(FP)  R1  at least 1
//
// DSB ISH (11) waits for the store and the maintenance to be complete. Linux sets SCTLR_EL1.UCI, without which
// DC would trap at EL0.

// func addOnly(p *uint64, n int)
TEXT ·addOnly(SB), NOSPLIT, $0-16
	MOVD p+0(FP), R0
	MOVD n+8(FP), R1

again:
	MOVD (R0), R2
	ADD  $1, R2
	MOVD R2, (R0)
	DSB  $11
	SUB  $1, R1
	CBNZ R1, again
	RET

// func addFlush(p *uint64, n int)
//
// DC CIVAC cleans the line, that is, writes it back, and invalidates it, to the point of coherency.
TEXT ·addFlush(SB), NOSPLIT, $0-16
	MOVD p+0(FP), R0
	MOVD n+8(FP), R1

again:
	MOVD (R0), R2
	ADD  $1, R2
	MOVD R2, (R0)
	DC   CIVAC, R0
	DSB  $11
	SUB  $1, R1
	CBNZ R1, again
	RET

// func addWriteBack(p *uint64, n int)
//
// DC CVAC cleans the line and keeps it.
TEXT ·addWriteBack(SB), NOSPLIT, $0-16
	MOVD p+0(FP), R0
	MOVD n+8(FP), R1

again:
	MOVD (R0), R2
	ADD  $1, R2
	MOVD R2, (R0)
	DC   CVAC, R0
	DSB  $11
	SUB  $1, R1
	CBNZ R1, again
	RET

DATA ·chaseEntry(SB)/8, $·chase(SB)
GLOBL ·chaseEntry(SB), RODATA|NOPTR, $8
DATA ·gatherEntry(SB)/8, $·gather(SB)
GLOBL ·gatherEntry(SB), RODATA|NOPTR, $8
DATA ·gatherAheadEntry(SB)/8, $·gatherAhead(SB)
GLOBL ·gatherAheadEntry(SB), RODATA|NOPTR, $8
DATA ·addFlushEntry(SB)/8, $·addFlush(SB)
GLOBL ·addFlushEntry(SB), RODATA|NOPTR, $8
