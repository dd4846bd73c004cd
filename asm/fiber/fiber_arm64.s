//go:build linux

#include "go_asm.h"
#include "textflag.h"

// A context is what a switch leaves on the stack that it leaves, from RSP upward. It is what AAPCS64 has a
// function keep for its caller, and nothing more: whoever calls the switch expects to lose the rest, as with
// any call.
//
//	  0  R19 to R27, 8 bytes each. R28 is g, the same on every stack, and never touched
//	 72  R29, the frame pointer
//	 80  R30, the link register: where to go on, put there by the BL of the switch
//	 88  FPCR: rounding and exceptions. AAPCS64 leaves it to the threads library, and here we are that
//	 96  F8 to F15, of which the convention keeps the low 8 bytes
//
//	160  untouched: the word below a caller's RSP is where the assembler keeps that caller's R29
//
// 176 bytes, because RSP must be a multiple of 16 whenever it is used.

// SAVE makes the context of the stack in use, and leaves RSP pointing to it.
#define SAVE \
	SUB   $176, RSP;             \
	STP   (R19, R20), 0(RSP);    \
	STP   (R21, R22), 16(RSP);   \
	STP   (R23, R24), 32(RSP);   \
	STP   (R25, R26), 48(RSP);   \
	STP   (R27, R29), 64(RSP);   \
	MRS   FPCR, R10;             \
	STP   (R30, R10), 80(RSP);   \
	FSTPD (F8, F9), 96(RSP);     \
	FSTPD (F10, F11), 112(RSP);  \
	FSTPD (F12, F13), 128(RSP);  \
	FSTPD (F14, F15), 144(RSP)

// LOAD takes up the context that RSP points to and goes on where it stopped. R10 is the FPCR of the context
// just saved: it is nearly always the same on both sides, and writing it makes the processor wait for the
// instructions under way, so that only a difference is written.
//
// The way back is a jump, not a RET. A RET is predicted to go where the last BL came from, and here it goes
// elsewhere; a jump is predicted to go where it went before.
#define LOAD \
	LDP   0(RSP), (R19, R20);    \
	LDP   16(RSP), (R21, R22);   \
	LDP   32(RSP), (R23, R24);   \
	LDP   48(RSP), (R25, R26);   \
	LDP   64(RSP), (R27, R29);   \
	LDP   80(RSP), (R30, R11);   \
	FLDPD 96(RSP), (F8, F9);     \
	FLDPD 112(RSP), (F10, F11);  \
	FLDPD 128(RSP), (F12, F13);  \
	FLDPD 144(RSP), (F14, F15);  \
	ADD   $176, RSP;             \
	CMP   R10, R11;              \
	BEQ   2(PC);                 \
	MSR   R11, FPCR;             \
	JMP   (R30)

// swap leaves this stack for another, whoever's they are. It returns when somebody swaps back.
//
//	in   R0  context to take up
//	out  R0  context that was left, by which to come back
//	lost R1, R10, R11, and all that is not in a context
//
// It writes RSP, so the assembler marks it SPWRITE, and a traceback that meets it goes no further.
TEXT swap<>(SB), NOSPLIT|NOFRAME, $0-0
	SAVE
	MOVD RSP, R1
	MOVD R0, RSP // from here on we are the other one
	MOVD R1, R0
	LOAD

// func pingPong(context uintptr, rounds int) uintptr
//
//	in   context  0(FP)   R0    of the other side
//	     rounds   8(FP)   R19   at least 1; swap keeps R19
//	out  ret     16(FP)   R0    of the other side, where it is now
//
// NOSPLIT though it calls: it takes 176 bytes that the linker does not see, of the 800 that every Go
// function leaves for such chains.
TEXT ·pingPong(SB), NOSPLIT, $0-24
	MOVD context+0(FP), R0
	MOVD rounds+8(FP), R19

again:
	CALL swap<>(SB)
	SUB  $1, R19
	CBNZ R19, again
	MOVD R0, ret+16(FP)
	RET

// pong is the other side: it goes back to where it came from, for ever. R0 is from the swap that brought it
// here. TOPFRAME: nobody called it, so a traceback ends here.
TEXT pong<>(SB), NOSPLIT|NOFRAME|TOPFRAME, $0-0
again:
	CALL swap<>(SB)
	JMP  again

// func run(s *sched)
//
//	in   s  0(FP)  R9   budget and current are set
//
// It returns when the budget is used up, stop is set or no fiber is left.
TEXT ·run(SB), NOSPLIT, $0-8
	MOVD s+0(FP), R9
	CALL enter<>(SB)
	RET

// enter leaves the goroutine for the fiber whose turn it is.
//
//	in   R9  the sched
//	uses R1  SP, which no load or store has for a value     R2  the fiber's block
TEXT enter<>(SB), NOSPLIT|NOFRAME, $0-0
	SAVE
	MOVD RSP, R1
	MOVD R1, sched_sp(R9) // the way back to the goroutine
	MOVD sched_current(R9), R2
	MOVD block_sp(R2), R1
	MOVD R1, RSP
	LOAD

// start is where every fiber begins: the prepared context says so. It calls the body, so that the body can
// simply return, and ends the fiber then.
//
//	in   R20  the body
//	     R19  the fiber's block; the body has kept it when it returns
//	uses R2, R3  its neighbours     R9  the sched     R1, R4  numbers on their way
//
// TOPFRAME: a traceback ends here.
TEXT start<>(SB), NOSPLIT|NOFRAME|TOPFRAME, $0-0
	CALL (R20)

	// Out of the ring. With one fiber in it, this changes nothing that anybody looks at again.
	MOVD block_next(R19), R2
	MOVD block_prev(R19), R3
	MOVD R2, block_next(R3)
	MOVD R3, block_prev(R2)
	MOVD $1, R4
	MOVD R4, block_done(R19)
	MOVD block_sched(R19), R9
	MOVD sched_live(R9), R4
	SUB  $1, R4
	MOVD R4, sched_live(R9)
	CBNZ R4, others

	// Nobody is left to go on.
	SAVE
	MOVD sched_budget(R9), R4
	SUB  $1, R4
	MOVD R4, sched_budget(R9)
	MOVD sched_sp(R9), R1
	MOVD R1, RSP
	LOAD

others:
	JMP yield<>(SB)

// yield ends the turn of the fiber that calls it, MOVD (R19), R16 and CALL (R16), or that start has ended. It
// takes up the next in the ring, or the goroutine where the turns are used up or somebody asked for it.
//
//	in   R19  the fiber's block
//	uses R2  that of the next     R9  the sched     R1, R4  numbers on their way
TEXT yield<>(SB), NOSPLIT|NOFRAME, $0-0
	SAVE
	MOVD RSP, R1
	MOVD R1, block_sp(R19)
	MOVD block_next(R19), R2
	MOVD block_sched(R19), R9
	MOVD sched_budget(R9), R4
	SUB  $1, R4
	MOVD R4, sched_budget(R9)
	CBZ  R4, goroutine
	MOVWU sched_stop(R9), R4 // set by another thread at any time; a turn later is early enough
	CBNZ R4, goroutine
	MOVD block_sp(R2), R1
	MOVD R1, RSP
	LOAD

goroutine:
	MOVD R2, sched_current(R9) // who goes on when we are back
	MOVD sched_sp(R9), R1
	MOVD R1, RSP
	LOAD

// The addresses that the Go part writes into prepared contexts and blocks.
DATA ·runEntry(SB)/8, $·run(SB)
GLOBL ·runEntry(SB), RODATA|NOPTR, $8
DATA ·pingPongEntry(SB)/8, $·pingPong(SB)
GLOBL ·pingPongEntry(SB), RODATA|NOPTR, $8
DATA ·startEntry(SB)/8, $start<>(SB)
GLOBL ·startEntry(SB), RODATA|NOPTR, $8
DATA ·yieldEntry(SB)/8, $yield<>(SB)
GLOBL ·yieldEntry(SB), RODATA|NOPTR, $8
DATA ·pongEntry(SB)/8, $pong<>(SB)
GLOBL ·pongEntry(SB), RODATA|NOPTR, $8
