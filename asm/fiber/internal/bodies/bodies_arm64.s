//go:build linux

#include "textflag.h"

// In a fiber's block, by its address in R19 (package fiber, block).
#define WORDS 64
#define YIELD \
	MOVD (R19), R16; \
	CALL (R16)

// COUNT counts a register that was lost, where the flags say so. R2 is the block.
#define COUNT \
	BEQ  4(PC);                \
	MOVD (WORDS+1*8)(R2), R4;  \
	ADD  $1, R4;               \
	MOVD R4, (WORDS+1*8)(R2)

// CHECK counts where register does not have seed + n. R0 is the seed, R2 the block.
#define CHECK(register, n) \
	ADD $n, R0, R3;    \
	CMP R3, register;  \
	COUNT

// FCHECK is the same for the low 8 bytes of a vector register.
#define FCHECK(register, n) \
	ADD   $n, R0, R3;    \
	FMOVD register, R4;  \
	CMP   R3, R4;        \
	COUNT

#define FILL(register, n) \
	ADD $n, R0, register

#define FFILL(n, register) \
	ADD   $n, R0, R3;   \
	FMOVD R3, register

// keep: see the words in bodies.go. Its frame has what it keeps for start; and the block, in case that R19 is
// lost. R29 is saved and restored by the assembler, and it is R29's turn to be filled like the others.
TEXT keep<>(SB), NOSPLIT, $176-0
	ADD  $192, RSP, R1 // the frame, and 16 bytes for the link register and R29
	MOVD R1, (WORDS+3*8)(R19)
	STP  (R20, R21), 8(RSP)
	STP  (R22, R23), 24(RSP)
	STP  (R24, R25), 40(RSP)
	STP  (R26, R27), 56(RSP)
	MOVD R19, 72(RSP)
	MRS  FPCR, R1
	MOVD R1, 80(RSP)
	FSTPD (F8, F9), 88(RSP)
	FSTPD (F10, F11), 104(RSP)
	FSTPD (F12, F13), 120(RSP)
	FSTPD (F14, F15), 136(RSP)
	MOVD (WORDS+4*8)(R19), R1
	MSR  R1, FPCR

again:
	MOVD (WORDS+2*8)(R19), R0
	FILL(R20, 1)
	FILL(R21, 2)
	FILL(R22, 3)
	FILL(R23, 4)
	FILL(R24, 5)
	FILL(R25, 6)
	FILL(R26, 7)
	FILL(R27, 8)
	FILL(R29, 9)
	FFILL(10, F8)
	FFILL(11, F9)
	FFILL(12, F10)
	FFILL(13, F11)
	FFILL(14, F12)
	FFILL(15, F13)
	FFILL(16, F14)
	FFILL(17, F15)
	YIELD

	MOVD 72(RSP), R2
	CMP  R2, R19
	COUNT
	MOVD R2, R19
	MOVD (WORDS+2*8)(R2), R0
	CHECK(R20, 1)
	CHECK(R21, 2)
	CHECK(R22, 3)
	CHECK(R23, 4)
	CHECK(R24, 5)
	CHECK(R25, 6)
	CHECK(R26, 7)
	CHECK(R27, 8)
	CHECK(R29, 9)
	FCHECK(F8, 10)
	FCHECK(F9, 11)
	FCHECK(F10, 12)
	FCHECK(F11, 13)
	FCHECK(F12, 14)
	FCHECK(F13, 15)
	FCHECK(F14, 16)
	FCHECK(F15, 17)
	MRS  FPCR, R3
	MOVD (WORDS+4*8)(R2), R4
	CMP  R3, R4
	COUNT

	MOVD (WORDS+6*8)(R2), R1
	ADD  $1, R1
	MOVD R1, (WORDS+6*8)(R2)
	MOVD (WORDS+0*8)(R2), R3
	CMP  R3, R1
	BLO  again

	MOVD 80(RSP), R1
	MSR  R1, FPCR
	LDP  8(RSP), (R20, R21)
	LDP  24(RSP), (R22, R23)
	LDP  40(RSP), (R24, R25)
	LDP  56(RSP), (R26, R27)
	FLDPD 88(RSP), (F8, F9)
	FLDPD 104(RSP), (F10, F11)
	FLDPD 120(RSP), (F12, F13)
	FLDPD 136(RSP), (F14, F15)
	RET

// ticket: word 0 is the address of the counter; words 1 to 7 are what the turns got.
TEXT ticket<>(SB), NOSPLIT, $16-0
	MOVD R20, 8(RSP)
	MOVD $1, R20

again:
	MOVD (WORDS+0*8)(R19), R1
	MOVD (R1), R2 // nobody else is at it: fibers of one scheduler run one after the other
	ADD  $1, R2, R3
	MOVD R3, (R1)
	ADD  $WORDS, R19, R4
	MOVD R2, (R4)(R20<<3)
	ADD  $1, R20
	CMP  $8, R20
	BEQ  done
	YIELD
	JMP  again

done:
	MOVD 8(RSP), R20
	RET

// hang: word 0 counts.
TEXT hang<>(SB), NOSPLIT, $0-0
again:
	MOVD (WORDS+0*8)(R19), R0
	ADD  $1, R0
	MOVD R0, (WORDS+0*8)(R19)
	JMP  again

// load: word 1 becomes what is at the address in word 0.
TEXT load<>(SB), NOSPLIT, $0-0
	MOVD (WORDS+0*8)(R19), R0
	MOVD (R0), R0
	MOVD R0, (WORDS+1*8)(R19)
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
TEXT ·Control(SB), NOSPLIT, $0-16
	MRS  FPCR, R0
	MOVD R0, control+0(FP)
	MOVD ZR, control2+8(FP)
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
