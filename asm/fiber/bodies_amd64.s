//go:build linux

#include "go_asm.h"
#include "textflag.h"

// Bodies: in each, BX is the fiber's block on entry and at every yield, and CALL (BX) is the yield. Nothing
// else is known to survive it but R12 to R15 and BP. They use AX.

// count: word 0 += 1 in each turn; word 1 is how many turns.
TEXT count<>(SB), NOSPLIT, $0-0
again:
	MOVQ block_words+0(BX), AX
	CMPQ AX, block_words+8(BX)
	JCC  done
	INCQ AX
	MOVQ AX, block_words+0(BX)
	CMPQ AX, block_words+8(BX)
	JCC  done                  // the last turn ends by returning
	CALL (BX)
	JMP  again

done:
	RET

// spin: word 0 += 1 in each turn, for ever.
TEXT spin<>(SB), NOSPLIT, $0-0
again:
	INCQ block_words+0(BX)
	CALL (BX)
	JMP  again

// recurse: word 0 is how many levels are still to go; the deepest yields.
//
// Each level takes 64 bytes: 48 of locals, the frame pointer that the assembler saves above them, and the
// return address. The call goes through a register, because the linker adds up NOSPLIT calls that it can see,
// against the goroutine's stack, and this one has no end that it could see.
TEXT recurse<>(SB), NOSPLIT, $48-0
	MOVQ  $64, block_words+8(BX)
	CMPQ  block_words+0(BX), $0
	JEQ   deepest
	DECQ  block_words+0(BX)
	LEAQ  recurse<>(SB), AX
	CALL  AX
	RET

deepest:
	CALL (BX)
	RET

DATA ·Count(SB)/8, $count<>(SB)
GLOBL ·Count(SB), RODATA|NOPTR, $8
DATA ·Spin(SB)/8, $spin<>(SB)
GLOBL ·Spin(SB), RODATA|NOPTR, $8
DATA ·Recurse(SB)/8, $recurse<>(SB)
GLOBL ·Recurse(SB), RODATA|NOPTR, $8
