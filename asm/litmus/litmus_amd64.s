//go:build linux

#include "go_asm.h"
#include "textflag.h"

// The threads of the tests. Each is what stands in the literature, with a fence between its two accesses or
// without:
//
//	SI  address of the variable of the first access      DI  of the second
//	AX  value to store first, or what the first found    DX  the same of the second
//
// MFENCE lets no later load be served before all earlier stores have left the store buffer. An instruction
// with LOCK in front does the same, and faster; MFENCE says what is meant.

// WR: the pair that amd64 reverses. The store goes to the store buffer, where only this processor sees it,
// and the load need not wait for it.
TEXT ·storeLoad(SB), NOSPLIT|NOFRAME, $0-0
	MOVQ AX, (SI)
	MOVQ (DI), DX
	RET

TEXT ·storeFenceLoad(SB), NOSPLIT|NOFRAME, $0-0
	MOVQ AX, (SI)
	MFENCE
	MOVQ (DI), DX
	RET

// RW: the store leaves only after the load has retired.
TEXT ·loadStore(SB), NOSPLIT|NOFRAME, $0-0
	MOVQ (SI), AX
	MOVQ DX, (DI)
	RET

TEXT ·loadFenceStore(SB), NOSPLIT|NOFRAME, $0-0
	MOVQ (SI), AX
	MFENCE
	MOVQ DX, (DI)
	RET

// WW: the store buffer is a queue; what came first leaves first.
TEXT ·storeStore(SB), NOSPLIT|NOFRAME, $0-0
	MOVQ AX, (SI)
	MOVQ DX, (DI)
	RET

TEXT ·storeFenceStore(SB), NOSPLIT|NOFRAME, $0-0
	MOVQ AX, (SI)
	MFENCE
	MOVQ DX, (DI)
	RET

// RR: the second may be served first, but if another processor takes its line away before the first is
// served, both are done again. So nobody can tell.
TEXT ·loadLoad(SB), NOSPLIT|NOFRAME, $0-0
	MOVQ (SI), AX
	MOVQ (DI), DX
	RET

TEXT ·loadFenceLoad(SB), NOSPLIT|NOFRAME, $0-0
	MOVQ (SI), AX
	MFENCE
	MOVQ (DI), DX
	RET

// W: the writers of IRIW.
TEXT ·storeOnly(SB), NOSPLIT|NOFRAME, $0-0
	MOVQ AX, (SI)
	RET

// func run(j *job) (done uint64)
//
//	in   j     0(FP)  BX
//	out  done  8(FP)        rounds carried out
//	SI, DI    variables of this round         R13  this round, from 1
//	AX, DX    values                          CX   patience left, a delay, then the thread's code
//	R8        where the values go             R9   where this thread says which round it has reached
//	R10..R12  where the others say it
//
// It never waits without an end: a thread that it waits for may have lost its processor, or may be held by
// the garbage collector, which in turn waits for us. NOSPLIT, because nothing here may move the stack;
// it calls nothing but the leaves above.
TEXT ·run(SB), NOSPLIT, $0-16
	MOVQ j+0(FP), BX
	MOVQ job_first(BX), SI
	MOVQ job_second(BX), DI
	MOVQ job_found(BX), R8
	MOVQ job_reached(BX), R9
	MOVQ job_others+0(BX), R10
	MOVQ job_others+8(BX), R11
	MOVQ job_others+16(BX), R12
	MOVQ $1, R13

round:
	CMPQ R13, job_rounds(BX)
	JGT  end

	// Meet: say that we are here, and wait until all others are here or further.
	MOVQ  R13, (R9)
	MOVQ  job_patience(BX), CX
	TESTQ CX, CX
	JEQ   body              // nobody to meet

wait:
	CMPQ (R10), R13
	JLT  pause
	CMPQ (R11), R13
	JLT  pause
	CMPQ (R12), R13
	JGE  met

pause:
	PAUSE                   // spinning: leave the core's resources to a sibling
	DECQ CX
	JNE  wait

	// Out of patience: tell the others, who must not wait for us in later rounds.
	MOVQ $const_never, CX
	MOVQ CX, (R9)
	JMP  end

	// Who came last leaves first, and always by the same time. A delay that differs from round to round,
	// and between threads, lets the accesses meet in every way.
met:
	MOVQ R13, CX
	IMULQ job_skew(BX), CX
	ANDQ $const_skewMask, CX

delay:
	DECQ CX
	JGE  delay

body:
	MOVQ job_values+0(BX), AX
	MOVQ job_values+8(BX), DX
	MOVQ job_body(BX), CX
	CALL CX
	MOVQ AX, 0(R8)
	MOVQ DX, 8(R8)

	// The next round has variables of its own, so that nothing need be set back to 0 meanwhile.
	ADDQ $const_stride, SI
	ADDQ $const_stride, DI
	ADDQ $16, R8
	INCQ R13
	JMP  round

end:
	DECQ R13
	MOVQ R13, done+8(FP)
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
