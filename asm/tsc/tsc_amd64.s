//go:build linux

#include "textflag.h"

// func Now() (ticks uint64)
//
//	out  ticks  0(FP)   DX:AX, the halves of the counter
//
// RDTSC is old: it returns 64 bits in two registers, and waits for nothing.
TEXT ·Now(SB), NOSPLIT, $0-8
	RDTSC
	SHLQ $32, DX
	ORQ  DX, AX
	MOVQ AX, ticks+0(FP)
	RET

// func Ordered() (ticks uint64)
//
//	out  ticks  0(FP)   DX:AX
//
// LFENCE is named after loads, but what it does is older than the name: no later instruction begins before all
// earlier ones are done. (On AMD since Linux has told the processor so, in a model register.) The first
// keeps earlier work out of the reading's future, the second later work out of its past.
TEXT ·Ordered(SB), NOSPLIT, $0-8
	LFENCE
	RDTSC
	LFENCE
	SHLQ $32, DX
	ORQ  DX, AX
	MOVQ AX, ticks+0(FP)
	RET

// func NowP() (ticks uint64, aux uint32)
//
//	out  ticks  0(FP)   DX:AX
//	     aux    8(FP)   CX
//
// RDTSCP waits for earlier instructions, like LFENCE before RDTSC, but not for earlier stores to be seen, and
// does not hold later instructions back. With the counter it reads, at the same moment, a register in which
// Linux keeps the number of the CPU and of its node: a thread that is moved in between cannot mix two CPUs up.
TEXT ·NowP(SB), NOSPLIT, $0-12
	RDTSCP
	SHLQ $32, DX
	ORQ  DX, AX
	MOVQ AX, ticks+0(FP)
	MOVL CX, aux+8(FP)
	RET

// func chain(n uint64) (ticks uint64)
//
//	in   n      0(FP)   CX   multiplications left
//	out  ticks  8(FP)   AX   the second reading, less
//	R8   the first           R9   the product, which each multiplication waits for
//
// Nothing connects the second RDTSC with the chain: it may be carried out as soon as it has been fetched,
// while hundreds of multiplications still wait for each other.
TEXT ·chain(SB), NOSPLIT, $0-16
	MOVQ n+0(FP), CX
	MOVQ $3, R9
	LFENCE
	RDTSC
	SHLQ $32, DX
	ORQ  DX, AX
	MOVQ AX, R8

next:
	IMULQ R9, R9
	DECQ  CX
	JNE   next

	RDTSC
	SHLQ $32, DX
	ORQ  DX, AX
	SUBQ R8, AX
	MOVQ AX, ticks+8(FP)
	RET

// func chainOrdered(n uint64) (ticks uint64)
//
// As chain, but for the second LFENCE: the reading waits for the last product.
TEXT ·chainOrdered(SB), NOSPLIT, $0-16
	MOVQ n+0(FP), CX
	MOVQ $3, R9
	LFENCE
	RDTSC
	SHLQ $32, DX
	ORQ  DX, AX
	MOVQ AX, R8

next:
	IMULQ R9, R9
	DECQ  CX
	JNE   next

	LFENCE
	RDTSC
	SHLQ $32, DX
	ORQ  DX, AX
	SUBQ R8, AX
	MOVQ AX, ticks+8(FP)
	RET

// func fill(readings *uint64, n int)
//
//	in   readings  0(FP)  DI   where the next goes
//	     n         8(FP)  CX   how many are left
TEXT ·fill(SB), NOSPLIT, $0-16
	MOVQ readings+0(FP), DI
	MOVQ n+8(FP), CX

next:
	RDTSC
	SHLQ $32, DX
	ORQ  DX, AX
	MOVQ AX, (DI)
	ADDQ $8, DI
	DECQ CX
	JNE  next
	RET

// func fillOrdered(readings *uint64, n int)
//
//	in   readings  0(FP)  DI   where the next goes
//	     n         8(FP)  CX   how many are left
TEXT ·fillOrdered(SB), NOSPLIT, $0-16
	MOVQ readings+0(FP), DI
	MOVQ n+8(FP), CX

next:
	LFENCE
	RDTSC
	LFENCE
	SHLQ $32, DX
	ORQ  DX, AX
	MOVQ AX, (DI)
	ADDQ $8, DI
	DECQ CX
	JNE  next
	RET

// func cpuid(leaf uint32) (eax, ebx, ecx, edx uint32)
//
// What the processor says about its counter; CPUID is a lesson of its own.
TEXT ·cpuid(SB), NOSPLIT, $0-24
	MOVL leaf+0(FP), AX
	XORL CX, CX
	CPUID
	MOVL AX, eax+8(FP)
	MOVL BX, ebx+12(FP)
	MOVL CX, ecx+16(FP)
	MOVL DX, edx+20(FP)
	RET

DATA ·entries+0(SB)/8, $·Now(SB)
DATA ·entries+8(SB)/8, $·Ordered(SB)
DATA ·entries+16(SB)/8, $·chain(SB)
DATA ·entries+24(SB)/8, $·chainOrdered(SB)
DATA ·entries+32(SB)/8, $·fill(SB)
DATA ·entries+40(SB)/8, $·fillOrdered(SB)
GLOBL ·entries(SB), RODATA|NOPTR, $48
DATA ·nowPEntry(SB)/8, $·NowP(SB)
GLOBL ·nowPEntry(SB), RODATA|NOPTR, $8
