//go:build linux

#include "textflag.h"

// The sixteen registers, by the number that they have in instructions:
//
//	0 AX   1 CX   2 DX   3 BX   4 SP   5 BP   6 SI   7 DI   8 R8 ... 15 R15
//
// SP is the stack pointer to PUSH, POP, CALL and RET. BP is the frame pointer: every function of Go with a
// frame saves it and leaves it as it was. R14 is g, the goroutine, and X15 is zero, to compiled code; when that
// has called assembly, it puts both back.
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
//	uses AX            the sum
//	     CX            c
//
// $0-33: no variables, 33 bytes of arguments and results. The caller has made room for both.
TEXT ·Add(SB), NOSPLIT, $0-33
	MOVQ    a+0(FP), AX
	ADDQ    b+8(FP), AX    // an operand in memory: load and add in one
	MOVBLZX c+16(FP), CX
	ADDQ    CX, AX
	MOVQ    AX, sum+24(FP)
	MOVB    AX, low+32(FP)
	RET

// func Where() (sp, fp, caller uintptr)
//
//	out  sp       0(FP)   the stack pointer here
//	     fp       8(FP)   address of the first result
//	     caller  16(FP)   the address that CALL has stored
//	uses AX, BX, CX
//
// The stack from the stack pointer up, which is from what is newest to what is oldest:
//
//	sp+0    two variables of ours
//	sp+16   BP of the caller, which the assembler saves where there is a frame
//	sp+24   where to return to, stored by CALL
//	sp+32   arguments and results: FP
TEXT ·Where(SB), NOSPLIT, $16-24
	LEAQ 0(SP), AX
	LEAQ sp+0(FP), BX
	MOVQ -8(BX), CX          // just below FP
	MOVQ AX, sp+0(FP)
	MOVQ BX, fp+8(FP)
	MOVQ CX, caller+16(FP)
	RET

// func Frame(x uint64) uint64
//
//	in   x    0(FP)
//	out  ret  8(FP)
//	uses AX
//
// A frame of 16: room for the argument and the result of twice. Who calls makes the room. What the assembler
// adds can be seen in the bytes: SP goes down at the beginning, and up again before RET.
TEXT ·Frame(SB), NOSPLIT, $16-16
	MOVQ x+0(FP), AX
	MOVQ AX, 0(SP)     // to twice this is x+0(FP)
	CALL ·twice(SB)    // stores the address of the next line, and jumps
	MOVQ 8(SP), AX     // its result
	INCQ AX
	MOVQ AX, ret+8(FP)
	RET

// func twice(x uint64) uint64
//
//	in   x    0(FP)
//	out  ret  8(FP)
//	uses AX
TEXT ·twice(SB), NOSPLIT, $0-16
	MOVQ x+0(FP), AX
	ADDQ AX, AX
	MOVQ AX, ret+8(FP)
	RET

// func ByHand(x uint64) uint64
//
//	in   x    0(FP)   DI   argument of triple: where it is, is between the two of us
//	out  ret  8(FP)   AX   its result
//	uses CX                where triple begins
//
// CALL is: store the address of what follows, move SP down by eight, jump. Each is a line here. Go's assembler
// has no way to name that address, so its bytes say it: LEAQ 12(IP), AX, with 12 bytes from there to back.
TEXT ·ByHand(SB), NOSPLIT, $0-16
	MOVQ x+0(FP), DI
	LEAQ ·triple(SB), CX
	BYTE $0x48; BYTE $0x8d; BYTE $0x05; LONG $12 // LEAQ 12(IP), AX
	MOVQ AX, -8(SP)                              // five bytes
	LEAQ -8(SP), SP                              // five
	JMP  CX                                      // two

	// back: triple has moved SP up again.
	MOVQ AX, ret+8(FP)
	RET

// func triple()
//
//	in   DI   a number
//	out  AX   three times that
//	uses CX
//
// RET is: load the address, move SP up by eight, jump there.
TEXT ·triple(SB), NOSPLIT, $0-0
	LEAQ (DI)(DI*2), AX // an address that nobody goes to: DI + DI*2
	MOVQ (SP), CX
	LEAQ 8(SP), SP
	JMP  CX

// A register is marked with a number of its own, so that one which got another's value is found out too.
#define MARK(n, reg) MOVQ $(0xa00+n), reg

// Sets bit n of AX where the register still has its mark. 2(PC) is the instruction after the next.
#define KEPT(n, reg) \
	CMPQ reg, $(0xa00+n) \
	JNE  2(PC)           \
	ORQ  $(1<<n), AX

// func Survivors(fn uintptr) uint64
//
//	in   fn   0(FP)   AX   the function to call
//	out  ret  8(FP)   AX   the mask
//	uses all but SP
//
// The frame of 8 is not needed for itself: with a frame, the assembler saves BP, which is marked too.
TEXT ·Survivors(SB), NOSPLIT, $8-16
	MOVQ fn+0(FP), AX
	MARK(1, CX)
	MARK(2, DX)
	MARK(3, BX)
	MARK(5, BP)
	MARK(6, SI)
	MARK(7, DI)
	MARK(8, R8)
	MARK(9, R9)
	MARK(10, R10)
	MARK(11, R11)
	MARK(12, R12)
	MARK(13, R13)
	MARK(14, R14)
	MARK(15, R15)
	CALL AX

	XORL AX, AX
	KEPT(1, CX)
	KEPT(2, DX)
	KEPT(3, BX)
	KEPT(5, BP)
	KEPT(6, SI)
	KEPT(7, DI)
	KEPT(8, R8)
	KEPT(9, R9)
	KEPT(10, R10)
	KEPT(11, R11)
	KEPT(12, R12)
	KEPT(13, R13)
	KEPT(14, R14)
	KEPT(15, R15)
	MOVQ AX, ret+8(FP)
	RET

// func careless()
//
//	uses all but SP
//
// ABI0 asks for one thing: BP. With a frame the assembler sees to it.
TEXT ·careless(SB), NOSPLIT, $8-0
	XORL AX, AX // 32 bits: the upper half becomes zero too, in one byte less
	XORL CX, CX
	XORL DX, DX
	XORL BX, BX
	XORL BP, BP
	XORL SI, SI
	XORL DI, DI
	XORL R8, R8
	XORL R9, R9
	XORL R10, R10
	XORL R11, R11
	XORL R12, R12
	XORL R13, R13
	XORL R14, R14
	XORL R15, R15
	RET

// func polite()
//
//	uses all but SP
//	kept BX, BP, R12 to R15   what C calls callee-saved: whoever wants them saves them first
//
// The other half, AX, CX, DX, SI, DI and R8 to R11, is the caller's to save, if it needs them.
TEXT ·polite(SB), NOSPLIT, $40-0
	MOVQ BX, 0(SP)
	MOVQ R12, 8(SP)
	MOVQ R13, 16(SP)
	MOVQ R14, 24(SP)
	MOVQ R15, 32(SP)

	XORL AX, AX
	XORL CX, CX
	XORL DX, DX
	XORL BX, BX
	XORL BP, BP
	XORL SI, SI
	XORL DI, DI
	XORL R8, R8
	XORL R9, R9
	XORL R10, R10
	XORL R11, R11
	XORL R12, R12
	XORL R13, R13
	XORL R14, R14
	XORL R15, R15

	MOVQ 0(SP), BX
	MOVQ 8(SP), R12
	MOVQ 16(SP), R13
	MOVQ 24(SP), R14
	MOVQ 32(SP), R15
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
