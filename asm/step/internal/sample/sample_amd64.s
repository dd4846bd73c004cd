//go:build linux

#include "textflag.h"

// Each function is what its prototype in sample.go says.

// func Outer(x uint64) uint64
TEXT ·Outer(SB), NOSPLIT, $16-16
	MOVQ x+0(FP), AX
	MOVQ AX, 0(SP)
	CALL ·Inner(SB)
	MOVQ 8(SP), AX
	INCQ AX
	MOVQ AX, ret+8(FP)
	RET

// func Inner(x uint64) uint64
TEXT ·Inner(SB), NOSPLIT, $0-16
	MOVQ x+0(FP), AX
	ADDQ AX, AX
	MOVQ AX, ret+8(FP)
	RET

// func Foreign(x uint64) uint64
TEXT ·Foreign(SB), NOSPLIT, $16-16
	MOVQ x+0(FP), AX
	MOVQ AX, 0(SP)
	CALL ·GoHelper(SB)
	MOVQ 8(SP), AX
	MOVQ AX, ret+8(FP)
	RET

// func Break()
TEXT ·Break(SB), NOSPLIT, $0-0
	INT $3
	RET

// func Trap()
TEXT ·Trap(SB), NOSPLIT, $0-0
	UD2
	RET

// func Forever()
TEXT ·Forever(SB), NOSPLIT, $0-0
again:
	JMP again

// func Add(addr uintptr, n uint64) uint64
TEXT ·Add(SB), NOSPLIT, $0-24
	MOVQ addr+0(FP), AX
	MOVQ n+8(FP), CX
	MOVQ CX, DX
	LOCK
	XADDQ DX, (AX)
	ADDQ CX, DX
	MOVQ DX, ret+16(FP)
	RET

// func Pid() uint64
TEXT ·Pid(SB), NOSPLIT, $0-8
	MOVQ $39, AX
	SYSCALL
	MOVQ AX, ret+0(FP)
	RET

// func Stack(x uint64) uint64
TEXT ·Stack(SB), NOSPLIT, $0-16
	MOVQ  x+0(FP), AX
	PUSHQ AX
	POPQ  CX
	MOVQ  CX, ret+8(FP)
	RET

// func Vector(dst, src uintptr)
TEXT ·Vector(SB), NOSPLIT, $0-16
	MOVQ  dst+0(FP), DI
	MOVQ  src+8(FP), SI
	MOVOU (SI), X0
	MOVOU X0, (DI)
	RET

// func Strange()
TEXT ·Strange(SB), NOSPLIT, $0-0
	BYTE $0xf3; BYTE $0x0f; BYTE $0x1e; BYTE $0xfa // ENDBR64: nothing, without control-flow enforcement
	RET

// func Copy(dst, src uintptr, n uint64)
TEXT ·Copy(SB), NOSPLIT, $0-24
	MOVQ dst+0(FP), DI
	MOVQ src+8(FP), SI
	MOVQ n+16(FP), CX
	REP; MOVSB
	RET

// func Find(addr uintptr, n uint64)
TEXT ·Find(SB), NOSPLIT, $0-16
	MOVQ addr+0(FP), DI
	MOVQ n+8(FP), CX
	XORL AX, AX
	REP; SCASB
	RET

// func Forms(base uintptr)
TEXT ·Forms(SB), NOSPLIT, $0-8
	MOVQ  base+0(FP), BX
	MOVQ  (BX), CX
	MOVQ  CX, 16(BX)
	ADDQ  CX, 32(BX)
	CMPQ  48(BX), $0
	MOVQ  $8, CX
	MOVQ  (BX)(CX*8), DX   // 64
	XCHGQ DX, 80(BX)
	MOVB  $1, 96(BX)
	MOVW  CX, 112(BX)
	MOVL  CX, 128(BX)
	MOVOU X0, 144(BX)
	LOCK
	CMPXCHGQ DX, 160(BX)
	SETEQ 176(BX)
	NOTQ  192(BX)
	MULQ  208(BX)
	BTL   $1, 224(BX)
	MOVNTIQ CX, 240(BX)
	LEAQ  256(BX), DX
	PREFETCHT0 256(BX)
	CLFLUSH 256(BX)
	LOCK
	CMPXCHG8B 272(BX)
	STMXCSR 288(BX)
	LEAQ  304(BX), DI
	STOSQ                  // 304
	MOVQ  $2, CX
	REP; STOSQ             // 312
	MOVQ  $-1, CX
	LEAQ  336(BX), DX
	MOVQ  8(DX)(CX*8), DX  // 336
	MOVBLZX 352(BX), DX
	MOVSD 360(BX), X0
	TESTB $1, 368(BX)
	RET

DATA ·outerEntry(SB)/8, $·Outer(SB)
GLOBL ·outerEntry(SB), RODATA|NOPTR, $8
DATA ·innerEntry(SB)/8, $·Inner(SB)
GLOBL ·innerEntry(SB), RODATA|NOPTR, $8
DATA ·foreignEntry(SB)/8, $·Foreign(SB)
GLOBL ·foreignEntry(SB), RODATA|NOPTR, $8
DATA ·breakEntry(SB)/8, $·Break(SB)
GLOBL ·breakEntry(SB), RODATA|NOPTR, $8
DATA ·trapEntry(SB)/8, $·Trap(SB)
GLOBL ·trapEntry(SB), RODATA|NOPTR, $8
DATA ·foreverEntry(SB)/8, $·Forever(SB)
GLOBL ·foreverEntry(SB), RODATA|NOPTR, $8
DATA ·addEntry(SB)/8, $·Add(SB)
GLOBL ·addEntry(SB), RODATA|NOPTR, $8
DATA ·pidEntry(SB)/8, $·Pid(SB)
GLOBL ·pidEntry(SB), RODATA|NOPTR, $8
DATA ·stackEntry(SB)/8, $·Stack(SB)
GLOBL ·stackEntry(SB), RODATA|NOPTR, $8
DATA ·vectorEntry(SB)/8, $·Vector(SB)
GLOBL ·vectorEntry(SB), RODATA|NOPTR, $8
DATA ·strangeEntry(SB)/8, $·Strange(SB)
GLOBL ·strangeEntry(SB), RODATA|NOPTR, $8
DATA ·copyEntry(SB)/8, $·Copy(SB)
GLOBL ·copyEntry(SB), RODATA|NOPTR, $8
DATA ·findEntry(SB)/8, $·Find(SB)
GLOBL ·findEntry(SB), RODATA|NOPTR, $8
DATA ·formsEntry(SB)/8, $·Forms(SB)
GLOBL ·formsEntry(SB), RODATA|NOPTR, $8
