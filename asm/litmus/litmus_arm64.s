//go:build linux

#include "go_asm.h"
#include "textflag.h"

// The threads of the tests. Each is what stands in the literature, with a fence between its two accesses or
// without:
//
//	R0  address of the variable of the first access      R1  of the second
//	R2  value to store first, or what the first found    R3  the same of the second
//
// Without a fence arm64 promises no order for any of these pairs: the two accesses are to different
// variables, and neither depends on the other. DMB $11 is DMB ISH, a full barrier between all accesses
// before and all after it, for the processors that run one kernel (the inner shareable domain).

// WR: the store waits in the store buffer, as on amd64.
TEXT ·storeLoad(SB), NOSPLIT|NOFRAME, $0-0
	MOVD R2, (R0)
	MOVD (R1), R3
	RET

TEXT ·storeFenceLoad(SB), NOSPLIT|NOFRAME, $0-0
	MOVD R2, (R0)
	DMB  $11
	MOVD (R1), R3
	RET

// RW: a store may leave while an earlier load still waits for its line.
TEXT ·loadStore(SB), NOSPLIT|NOFRAME, $0-0
	MOVD (R0), R2
	MOVD R3, (R1)
	RET

TEXT ·loadFenceStore(SB), NOSPLIT|NOFRAME, $0-0
	MOVD (R0), R2
	DMB  $11
	MOVD R3, (R1)
	RET

// WW: the store whose line is at hand may leave first.
TEXT ·storeStore(SB), NOSPLIT|NOFRAME, $0-0
	MOVD R2, (R0)
	MOVD R3, (R1)
	RET

TEXT ·storeFenceStore(SB), NOSPLIT|NOFRAME, $0-0
	MOVD R2, (R0)
	DMB  $11
	MOVD R3, (R1)
	RET

// RR: the second may be served first, and nobody does it again.
TEXT ·loadLoad(SB), NOSPLIT|NOFRAME, $0-0
	MOVD (R0), R2
	MOVD (R1), R3
	RET

TEXT ·loadFenceLoad(SB), NOSPLIT|NOFRAME, $0-0
	MOVD (R0), R2
	DMB  $11
	MOVD (R1), R3
	RET

// W: the writers of IRIW.
TEXT ·storeOnly(SB), NOSPLIT|NOFRAME, $0-0
	MOVD R2, (R0)
	RET

// func run(j *job) (done uint64)
//
//	in   j     0(FP)  R4
//	out  done  8(FP)        rounds carried out
//	R0, R1    variables of this round         R7   this round, from 1
//	R2, R3    values                          R6   patience left, a delay, then the thread's code
//	R8        where the values go             R9   where this thread says which round it has reached
//	R10..R12  where the others say it         R13, R14  scratch
//
// It never waits without an end: a thread that it waits for may have lost its processor, or may be held by
// the garbage collector, which in turn waits for us. NOSPLIT, because nothing here may move the stack;
// it calls nothing but the leaves above. The assembler saves R30 (the return address) in a frame, since
// there is a call.
TEXT ·run(SB), NOSPLIT, $0-16
	MOVD j+0(FP), R4
	MOVD job_first(R4), R0
	MOVD job_second(R4), R1
	MOVD job_found(R4), R8
	MOVD job_reached(R4), R9
	MOVD (job_others+0)(R4), R10
	MOVD (job_others+8)(R4), R11
	MOVD (job_others+16)(R4), R12
	MOVD $1, R7

round:
	MOVD job_rounds(R4), R13
	CMP  R13, R7
	BGT  end

	// Meet: say that we are here, and wait until all others are here or further.
	MOVD R7, (R9)
	MOVD job_patience(R4), R6
	CBZ  R6, body           // nobody to meet

wait:
	MOVD (R10), R14
	CMP  R7, R14
	BLT  pause
	MOVD (R11), R14
	CMP  R7, R14
	BLT  pause
	MOVD (R12), R14
	CMP  R7, R14
	BGE  met

pause:
	YIELD                   // spinning: leave the core's resources to a sibling
	SUB  $1, R6
	CBNZ R6, wait

	// Out of patience: tell the others, who must not wait for us in later rounds.
	MOVD $const_never, R6
	MOVD R6, (R9)
	B    end

	// Who came last leaves first, and always by the same time. A delay that differs from round to round,
	// and between threads, lets the accesses meet in every way.
met:
	MOVD job_skew(R4), R6
	MUL  R7, R6, R6
	AND  $const_skewMask, R6, R6

delay:
	SUBS $1, R6, R6
	BGE  delay

body:
	MOVD (job_values+0)(R4), R2
	MOVD (job_values+8)(R4), R3
	MOVD job_body(R4), R6
	CALL (R6)
	MOVD R2, 0(R8)
	MOVD R3, 8(R8)

	// The next round has variables of its own, so that nothing need be set back to 0 meanwhile.
	ADD $const_stride, R0, R0
	ADD $const_stride, R1, R1
	ADD $16, R8, R8
	ADD $1, R7, R7
	B   round

end:
	SUB  $1, R7, R7
	MOVD R7, done+8(FP)
	RET

// Where each thread's code begins. A Go function value would lead to a wrapper.
DATA ·bodies+0(SB)/8, $·storeLoad(SB)
DATA ·bodies+8(SB)/8, $·storeFenceLoad(SB)
DATA ·bodies+16(SB)/8, $·loadStore(SB)
DATA ·bodies+24(SB)/8, $·loadFenceStore(SB)
DATA ·bodies+32(SB)/8, $·storeStore(SB)
DATA ·bodies+40(SB)/8, $·storeFenceStore(SB)
DATA ·bodies+48(SB)/8, $·loadLoad(SB)
DATA ·bodies+56(SB)/8, $·loadFenceLoad(SB)
DATA ·bodies+64(SB)/8, $·storeOnly(SB)
GLOBL ·bodies(SB), RODATA|NOPTR, $72
