//go:build linux

#include "go_asm.h"
#include "textflag.h"

// Bodies: in each, R19 is the fiber's block on entry and at every yield, and the yield is at its address 0.
// Nothing else is known to survive it but R20 to R27 and R29. Their frames are the assembler's: it saves R30
// where a function calls, and the traceback of a profile reads it there. They use R0, R1 and R16.
#define YIELD \
	MOVD (R19), R16; \
	CALL (R16)

// count: word 0 += 1 in each turn; word 1 is how many turns.
TEXT count<>(SB), NOSPLIT, $0-0
again:
	MOVD block_words+0(R19), R0
	MOVD block_words+8(R19), R1
	CMP  R1, R0
	BHS  done
	ADD  $1, R0
	MOVD R0, block_words+0(R19)
	CMP  R1, R0
	BHS  done                   // the last turn ends by returning
	YIELD
	JMP  again

done:
	RET

// spin: word 0 += 1 in each turn, for ever.
TEXT spin<>(SB), NOSPLIT, $0-0
again:
	MOVD block_words+0(R19), R0
	ADD  $1, R0
	MOVD R0, block_words+0(R19)
	YIELD
	JMP  again

// recurse: word 0 is how many levels are still to go; the deepest yields.
//
// Each level takes 64 bytes: 48 of locals, and the link register and the frame pointer, which the assembler
// saves. The call goes through a register, because the linker adds up NOSPLIT calls that it can see, against
// the goroutine's stack, and this one has no end that it could see.
TEXT recurse<>(SB), NOSPLIT, $48-0
	MOVD $64, R1
	MOVD R1, block_words+8(R19)
	MOVD block_words+0(R19), R0
	CBZ  R0, deepest
	SUB  $1, R0
	MOVD R0, block_words+0(R19)
	MOVD $recurse<>(SB), R16
	CALL (R16)
	RET

deepest:
	YIELD
	RET

DATA ·Count(SB)/8, $count<>(SB)
GLOBL ·Count(SB), RODATA|NOPTR, $8
DATA ·Spin(SB)/8, $spin<>(SB)
GLOBL ·Spin(SB), RODATA|NOPTR, $8
DATA ·Recurse(SB)/8, $recurse<>(SB)
GLOBL ·Recurse(SB), RODATA|NOPTR, $8
