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
// keeps earlier work out of the reading's future, the second later work out of its past. A store is done in this
// sense when it is in the store buffer: see timeStore below.
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

// The six that follow time one access to memory that is in no cache. All have the same shape:
//
//	func (p *uint64) (ticks uint64)
//
//	in   p      0(FP)   DI   a word whose cache line is flushed first
//	out  ticks  8(FP)   AX   the second reading, less
//	R8   the first           R9   what is loaded or stored
//	DX   half of a reading
//
// They differ in the access and in what stands between it and the second reading. BEGIN flushes the line, waits
// until it is gone and all is quiet, and reads the counter; END reads it again.
#define BEGIN \
	MOVQ $1, R9  \
	CLFLUSH (DI) \
	MFENCE       \
	LFENCE       \
	RDTSC        \
	SHLQ $32, DX \
	ORQ  DX, AX  \
	MOVQ AX, R8

#define END \
	RDTSC        \
	SHLQ $32, DX \
	ORQ  DX, AX  \
	SUBQ R8, AX

// Nothing connects the second reading with the load: it is carried out while the load still waits for memory.
TEXT ·timeLoad(SB), NOSPLIT, $0-16
	MOVQ p+0(FP), DI
	BEGIN
	MOVQ (DI), R9
	END
	MOVQ AX, ticks+8(FP)
	RET

// LFENCE waits for the load.
TEXT ·timeLoadFenced(SB), NOSPLIT, $0-16
	MOVQ p+0(FP), DI
	BEGIN
	MOVQ (DI), R9
	LFENCE
	END
	MOVQ AX, ticks+8(FP)
	RET

// MFENCE has nothing more to wait for.
TEXT ·timeLoadDrained(SB), NOSPLIT, $0-16
	MOVQ p+0(FP), DI
	BEGIN
	MOVQ (DI), R9
	MFENCE
	LFENCE
	END
	MOVQ AX, ticks+8(FP)
	RET

TEXT ·timeStore(SB), NOSPLIT, $0-16
	MOVQ p+0(FP), DI
	BEGIN
	MOVQ R9, (DI)
	END
	MOVQ AX, ticks+8(FP)
	RET

// For LFENCE a store is done when it is in the store buffer, long before its line has come.
TEXT ·timeStoreFenced(SB), NOSPLIT, $0-16
	MOVQ p+0(FP), DI
	BEGIN
	MOVQ R9, (DI)
	LFENCE
	END
	MOVQ AX, ticks+8(FP)
	RET

// MFENCE waits until the store buffer is empty; LFENCE keeps the reading behind MFENCE.
TEXT ·timeStoreDrained(SB), NOSPLIT, $0-16
	MOVQ p+0(FP), DI
	BEGIN
	MOVQ R9, (DI)
	MFENCE
	LFENCE
	END
	MOVQ AX, ticks+8(FP)
	RET

// func fill(readings *uint64, n int)
//
//	in   readings  0(FP)  DI   where the next goes
//	     n         8(FP)  CX   how many are left, at least 1
//	uses DX:AX  a reading
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
//	     n         8(FP)  CX   how many are left, at least 1
//	uses DX:AX  a reading
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
DATA ·entries+16(SB)/8, $·timeLoad(SB)
DATA ·entries+24(SB)/8, $·timeLoadFenced(SB)
DATA ·entries+32(SB)/8, $·timeLoadDrained(SB)
DATA ·entries+40(SB)/8, $·timeStore(SB)
DATA ·entries+48(SB)/8, $·timeStoreFenced(SB)
DATA ·entries+56(SB)/8, $·timeStoreDrained(SB)
DATA ·entries+64(SB)/8, $·fill(SB)
DATA ·entries+72(SB)/8, $·fillOrdered(SB)
GLOBL ·entries(SB), RODATA|NOPTR, $80
DATA ·nowPEntry(SB)/8, $·NowP(SB)
GLOBL ·nowPEntry(SB), RODATA|NOPTR, $8
