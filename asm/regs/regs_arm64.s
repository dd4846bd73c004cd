//go:build linux

#include "textflag.h"

// R0 to R30 are alike to the processor but for one: BL, the call, stores the address to return to in R30, the
// link register. Number 31 is the stack pointer (RSP) in addresses, and zero (ZR) elsewhere. Convention has:
//
//	R18  the system's, on some systems    R28  g, the goroutine: the signal handler trusts it
//	R27  the assembler's, for constants   R29  frame pointer    R30  link
//
// RSP must be a multiple of 16 wherever it is used as a base.
//
// FP and SB are not registers: FP is the assembler's name for where the arguments begin, SB for the beginning
// of everything that is named.

// func Add(a, b uint64, c uint8) (sum uint64, low uint8)
//
//	in   a     0(FP)   c takes one byte at 16, and
//	     b     8(FP)   seven more are left out, because
//	     c    16(FP)   results begin at a multiple of eight
//	out  sum  24(FP)
//	     low  32(FP)
//	uses R0            the sum
//	     R1            b, then c
//
// $0-33: no variables, 33 bytes of arguments and results. The caller has made room for both.
TEXT ·Add(SB), NOSPLIT, $0-33
	MOVD  a+0(FP), R0
	MOVD  b+8(FP), R1    // nothing but loads and stores has an operand in memory
	ADD   R1, R0
	MOVBU c+16(FP), R1
	ADD   R1, R0
	MOVD  R0, sum+24(FP)
	MOVB  R0, low+32(FP)
	RET

// func Where() (sp, fp, caller uintptr)
//
//	out  sp       0(FP)   the stack pointer here
//	     fp       8(FP)   address of the first result
//	     caller  16(FP)   the address that BL has stored in R30
//	uses R0, R1
//
// The stack from the stack pointer up, which is from what is newest to what is oldest:
//
//	sp-8    R29 of the caller
//	sp+0    R30, which the assembler saves where there is a frame
//	sp+8    two variables of ours, and 8 bytes that make it a multiple of 16
//	sp+32   the word that the caller keeps for its own R30
//	sp+40   arguments and results: FP
TEXT ·Where(SB), NOSPLIT, $16-24
	MOVD RSP, R0
	MOVD $sp+0(FP), R1
	MOVD R0, sp+0(FP)
	MOVD R1, fp+8(FP)
	MOVD R30, caller+16(FP) // still what it was: we have called nobody
	RET

// func Frame(x uint64) uint64
//
//	in   x    0(FP)
//	out  ret  8(FP)
//	uses R0
//
// A frame of 24: a word that twice may save R30 in, then its argument and its result. Who calls makes the room.
// What the assembler adds can be seen in the bytes: R30 and R29 are saved and loaded again, because BL
// overwrites the one, and without it nobody would find back from here.
TEXT ·Frame(SB), NOSPLIT, $24-16
	MOVD x+0(FP), R0
	MOVD R0, 8(RSP)    // to twice this is x+0(FP)
	BL   ·twice(SB)    // puts the address of the next line into R30, and jumps
	MOVD 16(RSP), R0   // its result
	ADD  $1, R0
	MOVD R0, ret+8(FP)
	RET

// func twice(x uint64) uint64
//
//	in   x    0(FP)
//	out  ret  8(FP)
//	uses R0
TEXT ·twice(SB), NOSPLIT, $0-16
	MOVD x+0(FP), R0
	ADD  R0, R0
	MOVD R0, ret+8(FP)
	RET

// func ByHand(x uint64) uint64
//
//	in   x    0(FP)   R0   argument of triple: where it is, is between the two of us
//	out  ret  8(FP)   R0   its result
//	uses R1                where triple begins
//	     R30               where it is to return to
//
// BL is: put the address of what follows into R30, jump. Each is a line here. The assembler sees no call and so
// does not care for our own R30, beyond storing it at the frame's beginning, where whoever unwinds the stack
// looks for it. To load it again is up to us.
TEXT ·ByHand(SB), NOSPLIT, $16-16
	MOVD x+0(FP), R0
	MOVD $·triple(SB), R1
	ADR  back, R30
	JMP  (R1)

back:
	MOVD 0(RSP), R30
	MOVD R0, ret+8(FP)
	RET

// func triple()
//
//	in   R0   a number
//	out  R0   three times that
//
// RET is no more than a jump to where R30 says, with a hint to the processor that a function ends.
TEXT ·triple(SB), NOSPLIT, $0-0
	ADD R0<<1, R0
	JMP (R30)

// A register is marked with a number of its own, so that one which got another's value is found out too.
#define MARK(n, reg) MOVD $(0xa00+n), reg

// Sets bit n of R0 where the register still has its mark. 2(PC) is the instruction after the next.
#define KEPT(n, reg) \
	CMP $(0xa00+n), reg \
	BNE 2(PC)           \
	ORR $(1<<n), R0

// func Survivors(fn uintptr) uint64
//
//	in   fn   0(FP)   R0   the function to call
//	out  ret  8(FP)   R0   the mask
//	uses R1 to R17, R19 to R26
TEXT ·Survivors(SB), NOSPLIT, $16-16
	MOVD fn+0(FP), R0
	MARK(1, R1)
	MARK(2, R2)
	MARK(3, R3)
	MARK(4, R4)
	MARK(5, R5)
	MARK(6, R6)
	MARK(7, R7)
	MARK(8, R8)
	MARK(9, R9)
	MARK(10, R10)
	MARK(11, R11)
	MARK(12, R12)
	MARK(13, R13)
	MARK(14, R14)
	MARK(15, R15)
	MARK(16, R16)
	MARK(17, R17)
	MARK(19, R19)
	MARK(20, R20)
	MARK(21, R21)
	MARK(22, R22)
	MARK(23, R23)
	MARK(24, R24)
	MARK(25, R25)
	MARK(26, R26)
	BL   (R0)

	MOVD ZR, R0
	KEPT(1, R1)
	KEPT(2, R2)
	KEPT(3, R3)
	KEPT(4, R4)
	KEPT(5, R5)
	KEPT(6, R6)
	KEPT(7, R7)
	KEPT(8, R8)
	KEPT(9, R9)
	KEPT(10, R10)
	KEPT(11, R11)
	KEPT(12, R12)
	KEPT(13, R13)
	KEPT(14, R14)
	KEPT(15, R15)
	KEPT(16, R16)
	KEPT(17, R17)
	KEPT(19, R19)
	KEPT(20, R20)
	KEPT(21, R21)
	KEPT(22, R22)
	KEPT(23, R23)
	KEPT(24, R24)
	KEPT(25, R25)
	KEPT(26, R26)
	MOVD R0, ret+8(FP)
	RET

// Everything that both functions overwrite.
#define OVERWRITE \
	MOVD ZR, R0  \
	MOVD ZR, R1  \
	MOVD ZR, R2  \
	MOVD ZR, R3  \
	MOVD ZR, R4  \
	MOVD ZR, R5  \
	MOVD ZR, R6  \
	MOVD ZR, R7  \
	MOVD ZR, R8  \
	MOVD ZR, R9  \
	MOVD ZR, R10 \
	MOVD ZR, R11 \
	MOVD ZR, R12 \
	MOVD ZR, R13 \
	MOVD ZR, R14 \
	MOVD ZR, R15 \
	MOVD ZR, R16 \
	MOVD ZR, R17 \
	MOVD ZR, R19 \
	MOVD ZR, R20 \
	MOVD ZR, R21 \
	MOVD ZR, R22 \
	MOVD ZR, R23 \
	MOVD ZR, R24 \
	MOVD ZR, R25 \
	MOVD ZR, R26

// func careless()
//
//	uses R0 to R17, R19 to R26
//
// ABI0 asks for R28 and R29 only, besides the stack pointer and what R18 and R27 are for.
TEXT ·careless(SB), NOSPLIT, $0-0
	OVERWRITE
	RET

// func polite()
//
//	uses R0 to R17, R19 to R26
//	kept R19 to R26          what C calls callee-saved: whoever wants them saves them first
//
// C keeps R27 to R29 as well. The rest, R0 to R17, is the caller's to save, if it needs them.
TEXT ·polite(SB), NOSPLIT, $64-0
	STP (R19, R20), 8(RSP)
	STP (R21, R22), 24(RSP)
	STP (R23, R24), 40(RSP)
	STP (R25, R26), 56(RSP)

	OVERWRITE

	LDP 8(RSP), (R19, R20)
	LDP 24(RSP), (R21, R22)
	LDP 40(RSP), (R23, R24)
	LDP 56(RSP), (R25, R26)
	RET

// Where the functions begin; see lesson deref.
DATA ·addEntry(SB)/8, $·Add(SB)
GLOBL ·addEntry(SB), RODATA|NOPTR, $8
DATA ·whereEntry(SB)/8, $·Where(SB)
GLOBL ·whereEntry(SB), RODATA|NOPTR, $8
DATA ·frameEntry(SB)/8, $·Frame(SB)
GLOBL ·frameEntry(SB), RODATA|NOPTR, $8
DATA ·byHandEntry(SB)/8, $·ByHand(SB)
GLOBL ·byHandEntry(SB), RODATA|NOPTR, $8
DATA ·survivorsEntry(SB)/8, $·Survivors(SB)
GLOBL ·survivorsEntry(SB), RODATA|NOPTR, $8
DATA ·carelessEntry(SB)/8, $·careless(SB)
GLOBL ·carelessEntry(SB), RODATA|NOPTR, $8
DATA ·politeEntry(SB)/8, $·polite(SB)
GLOBL ·politeEntry(SB), RODATA|NOPTR, $8
