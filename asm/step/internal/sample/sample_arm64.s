//go:build linux

#include "textflag.h"

// Each function is what its prototype in sample.go says.

// func Outer(x uint64) uint64
TEXT ·Outer(SB), NOSPLIT, $24-16
	MOVD x+0(FP), R0
	MOVD R0, 8(RSP)
	BL   ·Inner(SB)
	MOVD 16(RSP), R0
	ADD  $1, R0
	MOVD R0, ret+8(FP)
	RET

// func Inner(x uint64) uint64
TEXT ·Inner(SB), NOSPLIT, $0-16
	MOVD x+0(FP), R0
	ADD  R0, R0
	MOVD R0, ret+8(FP)
	RET

// func Foreign(x uint64) uint64
TEXT ·Foreign(SB), NOSPLIT, $24-16
	MOVD x+0(FP), R0
	MOVD R0, 8(RSP)
	BL   ·GoHelper(SB)
	MOVD 16(RSP), R0
	MOVD R0, ret+8(FP)
	RET

// func Break()
TEXT ·Break(SB), NOSPLIT, $0-0
	BRK $0
	RET

// func Trap()
TEXT ·Trap(SB), NOSPLIT, $0-0
	UNDEF
	RET

// func Forever()
TEXT ·Forever(SB), NOSPLIT, $0-0
again:
	B again

// func Add(addr uintptr, n uint64) uint64
TEXT ·Add(SB), NOSPLIT, $0-24
	MOVD addr+0(FP), R0
	MOVD n+8(FP), R1
again:
	LDAXR (R0), R2
	ADD   R1, R2
	STLXR R2, (R0), R3
	CBNZ  R3, again
	MOVD  R2, ret+16(FP)
	RET

// func Pid() uint64
TEXT ·Pid(SB), NOSPLIT, $0-8
	MOVD $172, R8
	SVC
	MOVD R0, ret+0(FP)
	RET

// func Stack(x uint64) uint64
TEXT ·Stack(SB), NOSPLIT, $0-16
	MOVD   x+0(FP), R0
	MOVD   RSP, R3
	MOVD.W R0, -16(R3)
	MOVD.P 16(R3), R1
	MOVD   R1, ret+8(FP)
	RET

// func Vector(dst, src uintptr)
TEXT ·Vector(SB), NOSPLIT, $0-16
	MOVD  dst+0(FP), R0
	MOVD  src+8(FP), R1
	FMOVQ (R1), F0
	FMOVQ F0, (R0)
	RET

// func Strange()
TEXT ·Strange(SB), NOSPLIT, $0-0
	MOVD $-16(RSP), R0
	WORD $0xf8200000   // LDADD: Arm v8.1, and the assembler would take it as LDADDD
	RET

// func Forms(base uintptr)
TEXT ·Forms(SB), NOSPLIT, $0-8
	MOVD    base+0(FP), R0
	MOVD    (R0), R1
	MOVD    R1, 16(R0)
	LDP     32(R0), (R1, R2)
	ADD     $64, R0, R3
	STP.W   (R1, R2), -16(R3)  // 48
	LDP.P   16(R3), (R1, R2)   // 48, then R3 is 64
	MOVD.P  -8(R3), R1         // 64
	MOVD    $10, R4
	MOVD    (R0)(R4<<3), R1    // 80
	MOVD    $0xffffffff0000000c, R5
	MOVD    (R0)(R5.UXTW<<3), R1 // 96
	ADD     $128, R0, R3
	MOVD    $0x00000000fffffffe, R5
	MOVW    (R3)(R5.SXTW<<2), R1 // 120
	MOVB    R1, 128(R0)
	MOVHU   144(R0), R1
	MOVW    160(R0), R1
	MOVW    R1, 176(R0)
	ADD     $192, R0, R3
	LDAR    (R3), R1
	ADD     $208, R0, R3
	STLRW   R1, (R3)
	FMOVQ   224(R0), F0
	FMOVS   F0, 240(R0)
	ADD     $256, R0, R3
	VLD1    (R3), [V0.B16, V1.B16]
	VST1.P  [V0.B8], 8(R3)     // 256
	FLDPQ   288(R0), (F0, F1)
	PRFM    (R0), PLDL1KEEP
	ADD     $320, R0, R3
	LDXRB   (R3), R1           // alone: no store follows
	MOVD    -1(R3), R1         // 319
	LDPSW   336(R0), (R1, R2)
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
DATA ·formsEntry(SB)/8, $·Forms(SB)
GLOBL ·formsEntry(SB), RODATA|NOPTR, $8
