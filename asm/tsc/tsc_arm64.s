//go:build linux

#include "textflag.h"

// func Now() (ticks uint64)
//
//	out  ticks  0(FP)   R0
//
// The virtual counter: the physical one less what the hypervisor has set, so that a guest counts from its own
// start. It is outside of the cores, one for all, and runs at a rate that never changes: much slower than
// they do, some 25 to 1000 MHz.
TEXT ·Now(SB), NOSPLIT, $0-8
	MRS  CNTVCT_EL0, R0
	MOVD R0, ticks+0(FP)
	RET

// func Ordered() (ticks uint64)
//
//	out  ticks  0(FP)   R0
//
// ISB $15 has the processor fetch everything after it anew: by then all before it is done. The first keeps
// earlier work out of the reading's future, the second later work out of its past.
TEXT ·Ordered(SB), NOSPLIT, $0-8
	ISB  $15
	MRS  CNTVCT_EL0, R0
	ISB  $15
	MOVD R0, ticks+0(FP)
	RET

// func frequency() (hz uint64)
//
//	out  hz  0(FP)   R0
//
// The rate is not measured: firmware writes it into this register, for the kernel and everybody else.
TEXT ·frequency(SB), NOSPLIT, $0-8
	MRS  CNTFRQ_EL0, R0
	MOVD R0, hz+0(FP)
	RET

// func chain(n uint64) (ticks uint64)
//
//	in   n      0(FP)   R1   multiplications left
//	out  ticks  8(FP)   R0   the second reading, less
//	R2   the first           R3   the product, which each multiplication waits for
//
// Nothing connects the second MRS with the chain: it may be carried out as soon as it has been fetched, while
// hundreds of multiplications still wait for each other.
TEXT ·chain(SB), NOSPLIT, $0-16
	MOVD n+0(FP), R1
	MOVD $3, R3
	ISB  $15
	MRS  CNTVCT_EL0, R2

next:
	MUL  R3, R3, R3
	SUBS $1, R1, R1
	BNE  next

	MRS  CNTVCT_EL0, R0
	SUB  R2, R0, R0
	MOVD R0, ticks+8(FP)
	RET

// func chainOrdered(n uint64) (ticks uint64)
//
// As chain, but for the second ISB: the reading waits for the last product.
TEXT ·chainOrdered(SB), NOSPLIT, $0-16
	MOVD n+0(FP), R1
	MOVD $3, R3
	ISB  $15
	MRS  CNTVCT_EL0, R2

next:
	MUL  R3, R3, R3
	SUBS $1, R1, R1
	BNE  next

	ISB  $15
	MRS  CNTVCT_EL0, R0
	SUB  R2, R0, R0
	MOVD R0, ticks+8(FP)
	RET

// func fill(readings *uint64, n int)
//
//	in   readings  0(FP)  R1   where the next goes
//	     n         8(FP)  R2   how many are left
TEXT ·fill(SB), NOSPLIT, $0-16
	MOVD readings+0(FP), R1
	MOVD n+8(FP), R2

next:
	MRS    CNTVCT_EL0, R0
	MOVD.P R0, 8(R1)
	SUBS   $1, R2, R2
	BNE    next
	RET

// func fillOrdered(readings *uint64, n int)
//
//	in   readings  0(FP)  R1   where the next goes
//	     n         8(FP)  R2   how many are left
TEXT ·fillOrdered(SB), NOSPLIT, $0-16
	MOVD readings+0(FP), R1
	MOVD n+8(FP), R2

next:
	ISB    $15
	MRS    CNTVCT_EL0, R0
	ISB    $15
	MOVD.P R0, 8(R1)
	SUBS   $1, R2, R2
	BNE    next
	RET

DATA ·entries+0(SB)/8, $·Now(SB)
DATA ·entries+8(SB)/8, $·Ordered(SB)
DATA ·entries+16(SB)/8, $·chain(SB)
DATA ·entries+24(SB)/8, $·chainOrdered(SB)
DATA ·entries+32(SB)/8, $·fill(SB)
DATA ·entries+40(SB)/8, $·fillOrdered(SB)
GLOBL ·entries(SB), RODATA|NOPTR, $48
DATA ·frequencyEntry(SB)/8, $·frequency(SB)
GLOBL ·frequencyEntry(SB), RODATA|NOPTR, $8
