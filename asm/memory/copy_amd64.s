//go:build linux

#include "textflag.h"

// Copies: each moves n bytes from src to dst, which do not overlap, upward, with one kind of instruction.
//
//	in   dst   0(FP)  DI
//	     src   8(FP)  SI
//	     n    16(FP)  CX   what is left
//	uses AX, and the vector registers 0 to 3
//
// What is left after the last whole block goes byte by byte.

#define ARGUMENTS \
	MOVQ dst+0(FP), DI; \
	MOVQ src+8(FP), SI; \
	MOVQ n+16(FP), CX

// func copyBytes(dst, src *byte, n int)
//
// One byte an iteration: the loop itself is the limit, whatever memory could do.
TEXT ·copyBytes(SB), NOSPLIT, $0-24
	ARGUMENTS
	JMP  check

again:
	MOVBLZX (SI), AX
	MOVB AX, (DI)
	INCQ SI
	INCQ DI
	DECQ CX

check:
	TESTQ CX, CX
	JNE  again
	RET

// func copyWords(dst, src *byte, n int)
//
// Eight bytes an iteration, the widest that a general register has.
TEXT ·copyWords(SB), NOSPLIT, $0-24
	ARGUMENTS
	JMP  check

again:
	MOVQ (SI), AX
	MOVQ AX, (DI)
	ADDQ $8, SI
	ADDQ $8, DI
	SUBQ $8, CX

check:
	CMPQ CX, $8
	JCC  again
	JMP  checkTail

tail:
	MOVBLZX (SI), AX
	MOVB AX, (DI)
	INCQ SI
	INCQ DI
	DECQ CX

checkTail:
	TESTQ CX, CX
	JNE  tail
	RET

// func copyRep(dst, src *byte, n int)
//
// One instruction: REP repeats MOVSB CX times. With ERMS the processor moves whole lines inside, and knows from
// the start how long the copy is. It may be interrupted, and goes on where CX, SI and DI say. CLD, as ever: the
// direction flag is clear in Go, and REP would go downward otherwise.
TEXT ·copyRep(SB), NOSPLIT, $0-24
	ARGUMENTS
	CLD
	REP; MOVSB
	RET

// func copySSE(dst, src *byte, n int)
//
// 64 bytes an iteration, in four registers of 16, all loaded before the first is stored. MOVOU takes any
// alignment; across a cache line it costs a second access.
TEXT ·copySSE(SB), NOSPLIT, $0-24
	ARGUMENTS
	JMP  check

again:
	MOVOU 0(SI), X0
	MOVOU 16(SI), X1
	MOVOU 32(SI), X2
	MOVOU 48(SI), X3
	MOVOU X0, 0(DI)
	MOVOU X1, 16(DI)
	MOVOU X2, 32(DI)
	MOVOU X3, 48(DI)
	ADDQ $64, SI
	ADDQ $64, DI
	SUBQ $64, CX

check:
	CMPQ CX, $64
	JCC  again
	JMP  checkTail

tail:
	MOVBLZX (SI), AX
	MOVB AX, (DI)
	INCQ SI
	INCQ DI
	DECQ CX

checkTail:
	TESTQ CX, CX
	JNE  tail
	RET

// func copyAVX(dst, src *byte, n int)
//
// 128 bytes an iteration, in four registers of 32. Needs AVX, in the processor and in what the kernel saves.
// VZEROUPPER at the end: without it, SSE code afterwards (Go's) would drag the upper halves along.
TEXT ·copyAVX(SB), NOSPLIT, $0-24
	ARGUMENTS
	JMP  check

again:
	VMOVDQU 0(SI), Y0
	VMOVDQU 32(SI), Y1
	VMOVDQU 64(SI), Y2
	VMOVDQU 96(SI), Y3
	VMOVDQU Y0, 0(DI)
	VMOVDQU Y1, 32(DI)
	VMOVDQU Y2, 64(DI)
	VMOVDQU Y3, 96(DI)
	ADDQ $128, SI
	ADDQ $128, DI
	SUBQ $128, CX

check:
	CMPQ CX, $128
	JCC  again
	VZEROUPPER
	JMP  checkTail

tail:
	MOVBLZX (SI), AX
	MOVB AX, (DI)
	INCQ SI
	INCQ DI
	DECQ CX

checkTail:
	TESTQ CX, CX
	JNE  tail
	RET

// func copyStream(dst, src *byte, n int)
//
// Non-temporal stores go to memory past the caches, a line at a time, and the line is not read first. They need
// dst at a multiple of 16, so that bytes come first, and they are ordered with nothing: SFENCE at the end makes
// other processors see them before what this one stores next.
TEXT ·copyStream(SB), NOSPLIT, $0-24
	ARGUMENTS
	JMP  checkHead

head:
	MOVBLZX (SI), AX
	MOVB AX, (DI)
	INCQ SI
	INCQ DI
	DECQ CX

checkHead:
	TESTQ CX, CX
	JEQ  done
	TESTQ $15, DI
	JNE  head
	JMP  check

again:
	MOVOU 0(SI), X0
	MOVOU 16(SI), X1
	MOVOU 32(SI), X2
	MOVOU 48(SI), X3
	MOVNTO X0, 0(DI)  // MOVNTDQ elsewhere
	MOVNTO X1, 16(DI)
	MOVNTO X2, 32(DI)
	MOVNTO X3, 48(DI)
	ADDQ $64, SI
	ADDQ $64, DI
	SUBQ $64, CX

check:
	CMPQ CX, $64
	JCC  again
	JMP  checkTail

tail:
	MOVBLZX (SI), AX
	MOVB AX, (DI)
	INCQ SI
	INCQ DI
	DECQ CX

checkTail:
	TESTQ CX, CX
	JNE  tail

done:
	SFENCE
	RET

DATA ·copyRepEntry(SB)/8, $·copyRep(SB)
GLOBL ·copyRepEntry(SB), RODATA|NOPTR, $8
DATA ·copyWordsEntry(SB)/8, $·copyWords(SB)
GLOBL ·copyWordsEntry(SB), RODATA|NOPTR, $8
