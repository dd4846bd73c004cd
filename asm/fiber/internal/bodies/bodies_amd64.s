//go:build linux

#include "textflag.h"

// In a fiber's block, by its address in BX (package fiber, block).
#define YIELD 0
#define WORDS 64

// What a body keeps for start, in its frame; and the block, in case that BX is lost.
#define SAVED_R12   0
#define SAVED_R13   8
#define SAVED_R14   16
#define SAVED_R15   24
#define SAVED_BX    32
#define SAVED_MXCSR 40
#define SAVED_X87CW 44
#define NOW         48

// CHECK counts where register does not have seed + n. AX is the seed, CX the block.
#define CHECK(register, n) \
	LEAQ n(AX), DX;          \
	CMPQ register, DX;       \
	JEQ  2(PC);              \
	INCQ (WORDS+1*8)(CX)

// keep: see the words in bodies.go. R14, which is g elsewhere, is filled like the others.
TEXT keep<>(SB), NOSPLIT, $64-0
	LEAQ 72(SP), AX // above the frame and the BP that the assembler has saved
	MOVQ AX, (WORDS+3*8)(BX)
	MOVQ R12, SAVED_R12(SP)
	MOVQ R13, SAVED_R13(SP)
	MOVQ R14, SAVED_R14(SP)
	MOVQ R15, SAVED_R15(SP)
	MOVQ BX, SAVED_BX(SP)
	STMXCSR SAVED_MXCSR(SP)
	FSTCW SAVED_X87CW(SP)
	LDMXCSR (WORDS+4*8)(BX)
	FLDCW (WORDS+5*8)(BX)

again:
	MOVQ (WORDS+2*8)(BX), AX
	LEAQ 1(AX), R12
	LEAQ 2(AX), R13
	LEAQ 3(AX), R14
	LEAQ 4(AX), R15
	LEAQ 5(AX), BP
	CALL YIELD(BX)

	MOVQ SAVED_BX(SP), CX
	CMPQ BX, CX
	JEQ  2(PC)
	INCQ (WORDS+1*8)(CX)
	MOVQ CX, BX
	MOVQ (WORDS+2*8)(CX), AX
	CHECK(R12, 1)
	CHECK(R13, 2)
	CHECK(R14, 3)
	CHECK(R15, 4)
	CHECK(BP, 5)
	STMXCSR NOW(SP)
	MOVL NOW(SP), DX
	XORL (WORDS+4*8)(CX), DX
	TESTL $0xffc0, DX // the low six bits are flags, which belong to nobody
	JEQ  2(PC)
	INCQ (WORDS+1*8)(CX)
	FSTCW NOW(SP)
	MOVWLZX NOW(SP), DX
	CMPW DX, (WORDS+5*8)(CX)
	JEQ  2(PC)
	INCQ (WORDS+1*8)(CX)

	INCQ (WORDS+6*8)(CX)
	MOVQ (WORDS+6*8)(CX), AX
	CMPQ AX, (WORDS+0*8)(CX)
	JCS  again

	LDMXCSR SAVED_MXCSR(SP)
	FLDCW SAVED_X87CW(SP)
	MOVQ SAVED_R12(SP), R12
	MOVQ SAVED_R13(SP), R13
	MOVQ SAVED_R14(SP), R14
	MOVQ SAVED_R15(SP), R15
	RET

// ticket: word 0 is the address of the counter; words 1 to 7 are what the turns got.
TEXT ticket<>(SB), NOSPLIT, $0-0
	PUSHQ R12
	MOVQ $1, R12

again:
	MOVQ (WORDS+0*8)(BX), DX
	MOVQ $1, AX
	XADDQ AX, (DX)
	MOVQ AX, WORDS(BX)(R12*8)
	INCQ R12
	CMPQ R12, $8
	JEQ  done
	CALL YIELD(BX)
	JMP  again

done:
	POPQ R12
	RET

// hang: word 0 counts.
TEXT hang<>(SB), NOSPLIT, $0-0
again:
	INCQ (WORDS+0*8)(BX)
	JMP again

// load: word 1 becomes what is at the address in word 0.
TEXT load<>(SB), NOSPLIT, $0-0
	MOVQ (WORDS+0*8)(BX), AX
	MOVQ (AX), AX
	MOVQ AX, (WORDS+1*8)(BX)
	RET

TEXT undefined<>(SB), NOSPLIT, $0-0
	UNDEF
	RET

TEXT splits<>(SB), 0, $64-0
	CALL undefined<>(SB)
	RET

TEXT splitsLarge<>(SB), 0, $2048-0
	CALL undefined<>(SB)
	RET

TEXT splitsHuge<>(SB), 0, $65536-0
	CALL undefined<>(SB)
	RET

// func Control() (control, control2 uint64)
TEXT ·Control(SB), NOSPLIT, $8-16
	STMXCSR 0(SP)
	FSTCW 4(SP)
	MOVL 0(SP), AX
	ANDL $0xffc0, AX
	MOVQ AX, control+0(FP)
	MOVWLZX 4(SP), AX
	MOVQ AX, control2+8(FP)
	RET

DATA ·Keep(SB)/8, $keep<>(SB)
GLOBL ·Keep(SB), RODATA|NOPTR, $8
DATA ·Ticket(SB)/8, $ticket<>(SB)
GLOBL ·Ticket(SB), RODATA|NOPTR, $8
DATA ·Hang(SB)/8, $hang<>(SB)
GLOBL ·Hang(SB), RODATA|NOPTR, $8
DATA ·Load(SB)/8, $load<>(SB)
GLOBL ·Load(SB), RODATA|NOPTR, $8
DATA ·Undefined(SB)/8, $undefined<>(SB)
GLOBL ·Undefined(SB), RODATA|NOPTR, $8
DATA ·Go(SB)/8, $·goBody(SB)
GLOBL ·Go(SB), RODATA|NOPTR, $8
DATA ·Splits(SB)/8, $splits<>(SB)
GLOBL ·Splits(SB), RODATA|NOPTR, $8
DATA ·SplitsLarge(SB)/8, $splitsLarge<>(SB)
GLOBL ·SplitsLarge(SB), RODATA|NOPTR, $8
DATA ·SplitsHuge(SB)/8, $splitsHuge<>(SB)
GLOBL ·SplitsHuge(SB), RODATA|NOPTR, $8
DATA ·Middle(SB)/8, $ticket<>+4(SB)
GLOBL ·Middle(SB), RODATA|NOPTR, $8
