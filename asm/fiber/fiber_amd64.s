//go:build linux

#include "go_asm.h"
#include "textflag.h"

// A context is what a switch leaves on the stack that it leaves, from SP upward. It is what the System V
// convention has a function keep for its caller, and nothing more: whoever calls the switch expects to lose
// the rest, as with any call.
//
//	 0  MXCSR (4 bytes): rounding and exceptions of SSE and AVX
//	 4  x87 control word (2 bytes), 2 bytes unused
//	 8  BX   16  BP   24  R12   32  R13   40  R14   48  R15
//	56  where to go on: the return address, pushed by the CALL of the switch
//
// R14 is g in Go code. It is kept like the others, so that the goroutine has it back.

// SAVE makes the context of the stack in use, and leaves SP pointing to it.
#define SAVE \
	LEAQ    -56(SP), SP; \
	STMXCSR 0(SP);       \
	FSTCW   4(SP);       \
	MOVQ    BX, 8(SP);   \
	MOVQ    BP, 16(SP);  \
	MOVQ    R12, 24(SP); \
	MOVQ    R13, 32(SP); \
	MOVQ    R14, 40(SP); \
	MOVQ    R15, 48(SP)

// LOAD takes up the context that SP points to and goes on where it stopped. AX is the context just saved.
//
// The x87 control word is nearly always the same on both sides, and a compare with a branch that is always
// predicted costs less than loading it. MXCSR is not worth that: its low 6 bits are flags that arithmetic
// sets, so that it differs often, and next to the STMXCSR of SAVE, which makes the processor wait, its load
// costs nothing.
//
// The way back is a jump, not a RET. A RET is predicted to go where the last CALL came from, and here it
// goes elsewhere; a jump is predicted to go where it went before.
#define LOAD \
	LDMXCSR 0(SP);        \
	MOVWLZX 4(AX), R10;   \
	CMPW    R10, 4(SP);   \
	JEQ     2(PC);        \
	FLDCW   4(SP);        \
	MOVQ    56(SP), R8;   \
	MOVQ    8(SP), BX;    \
	MOVQ    16(SP), BP;   \
	MOVQ    24(SP), R12;  \
	MOVQ    32(SP), R13;  \
	MOVQ    40(SP), R14;  \
	MOVQ    48(SP), R15;  \
	LEAQ    64(SP), SP;   \
	JMP     R8

// swap leaves this stack for another, whoever's they are. It returns when somebody swaps back.
//
//	in   DI  context to take up
//	out  AX  context that was left, by which to come back
//	lost R8, R10, and all that is not in a context
//
// It writes SP, so the assembler marks it SPWRITE, and a traceback that meets it goes no further.
TEXT swap<>(SB), NOSPLIT|NOFRAME, $0-0
	SAVE
	MOVQ SP, AX
	MOVQ DI, SP // from here on we are the other one
	LOAD

// func pingPong(context uintptr, rounds int) uintptr
//
//	in   context  0(FP)   DI   of the other side
//	     rounds   8(FP)   BX   at least 1; swap keeps BX
//	out  ret     16(FP)   AX   of the other side, where it is now
//
// NOSPLIT though it calls: it takes 72 bytes that the linker does not see, of the 800 that every Go
// function leaves for such chains.
TEXT ·pingPong(SB), NOSPLIT, $0-24
	MOVQ context+0(FP), DI
	MOVQ rounds+8(FP), BX

again:
	CALL swap<>(SB)
	MOVQ AX, DI
	DECQ BX
	JNZ  again
	MOVQ DI, ret+16(FP)
	RET

// pong is the other side: it goes back to where it came from, for ever. Its first AX is from the LOAD that
// brought it here. TOPFRAME: nobody called it, so a traceback ends here.
TEXT pong<>(SB), NOSPLIT|NOFRAME|TOPFRAME, $0-0
again:
	MOVQ AX, DI
	CALL swap<>(SB)
	JMP  again

// func run(s *sched)
//
//	in   s  0(FP)  R9   budget and current are set
//
// It returns when the budget is used up, stop is set or no fiber is left.
TEXT ·run(SB), NOSPLIT, $0-8
	MOVQ s+0(FP), R9
	CALL enter<>(SB)
	RET

// enter leaves the goroutine for the fiber whose turn it is.
//
//	in   R9  the sched
//	uses AX  the goroutine's context, for LOAD     CX  the fiber's block
TEXT enter<>(SB), NOSPLIT|NOFRAME, $0-0
	SAVE
	MOVQ SP, sched_sp(R9) // the way back to the goroutine
	MOVQ sched_current(R9), CX
	MOVQ SP, AX
	MOVQ block_sp(CX), SP
	LOAD

// start is where every fiber begins: the prepared context says so. It calls the body, so that the body can
// simply return, and ends the fiber then.
//
//	in   R12  the body
//	     BX   the fiber's block; the body has kept it when it returns
//	uses CX, DX   its neighbours     R9  the sched     AX  its context, for LOAD
//
// SP is a multiple of 16 before the CALL, as the convention asks. TOPFRAME: a traceback ends here.
TEXT start<>(SB), NOSPLIT|NOFRAME|TOPFRAME, $0-0
	CALL R12

	// Out of the ring. With one fiber in it, this changes nothing that anybody looks at again.
	MOVQ block_next(BX), CX
	MOVQ block_prev(BX), DX
	MOVQ CX, block_next(DX)
	MOVQ DX, block_prev(CX)
	MOVQ $1, block_done(BX)
	MOVQ block_sched(BX), R9
	DECQ sched_live(R9)
	JNE  others

	// Nobody is left to go on.
	SAVE
	MOVQ SP, AX
	DECQ sched_budget(R9)
	MOVQ sched_sp(R9), SP
	LOAD

others:
	JMP yield<>(SB)

// yield ends the turn of the fiber that calls it, CALL (BX), or that start has ended. It takes up the next in
// the ring, or the goroutine where the turns are used up or somebody asked for it.
//
//	in   BX  the fiber's block
//	uses CX  that of the next     R9  the sched     AX  the fiber's context, for LOAD
TEXT yield<>(SB), NOSPLIT|NOFRAME, $0-0
	SAVE
	MOVQ SP, AX
	MOVQ SP, block_sp(BX)
	MOVQ block_next(BX), CX
	MOVQ block_sched(BX), R9
	DECQ sched_budget(R9)
	JEQ  goroutine
	CMPL sched_stop(R9), $0 // set by another thread at any time; a turn later is early enough
	JNE  goroutine
	MOVQ block_sp(CX), SP
	LOAD

goroutine:
	MOVQ CX, sched_current(R9) // who goes on when we are back
	MOVQ sched_sp(R9), SP
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
