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
// earlier work out of the reading's future, the second later work out of its past. A load or store under way need
// not be complete for that: see timeLoad below.
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

// The six that follow time one access to memory that is in no cache. All have the same shape:
//
//	func (p *uint64) (ticks uint64)
//
//	in   p      0(FP)   R1   a word whose cache line is flushed first
//	out  ticks  8(FP)   R0   the second reading, less
//	R2   the first           R3   what is loaded or stored
//
// They differ in the access and in what stands between it and the second reading. BEGIN flushes the line, waits
// until it is gone and all is quiet (DSB $15 is DSB SY: memory accesses and flushes are complete), and reads the
// counter; END reads it again.
#define BEGIN \
	MOVD $1, R3    \
	DC   CIVAC, R1 \
	DSB  $15       \
	ISB  $15       \
	MRS  CNTVCT_EL0, R2

#define END \
	MRS  CNTVCT_EL0, R0 \
	SUB  R2, R0, R0

// Nothing connects the second reading with the load: it may be carried out while the load waits for memory.
TEXT ·timeLoad(SB), NOSPLIT, $0-16
	MOVD p+0(FP), R1
	BEGIN
	MOVD (R1), R3
	END
	MOVD R0, ticks+8(FP)
	RET

// ISB waits until the load can no longer fault, which is not the same as until it is done.
TEXT ·timeLoadFenced(SB), NOSPLIT, $0-16
	MOVD p+0(FP), R1
	BEGIN
	MOVD (R1), R3
	ISB  $15
	END
	MOVD R0, ticks+8(FP)
	RET

// DSB waits until the load is done; ISB keeps the reading behind DSB.
TEXT ·timeLoadDrained(SB), NOSPLIT, $0-16
	MOVD p+0(FP), R1
	BEGIN
	MOVD (R1), R3
	DSB  $15
	ISB  $15
	END
	MOVD R0, ticks+8(FP)
	RET

TEXT ·timeStore(SB), NOSPLIT, $0-16
	MOVD p+0(FP), R1
	BEGIN
	MOVD R3, (R1)
	END
	MOVD R0, ticks+8(FP)
	RET

// For ISB a store is done when it is in the store buffer, long before its line has come.
TEXT ·timeStoreFenced(SB), NOSPLIT, $0-16
	MOVD p+0(FP), R1
	BEGIN
	MOVD R3, (R1)
	ISB  $15
	END
	MOVD R0, ticks+8(FP)
	RET

// DSB waits until the store is seen by all.
TEXT ·timeStoreDrained(SB), NOSPLIT, $0-16
	MOVD p+0(FP), R1
	BEGIN
	MOVD R3, (R1)
	DSB  $15
	ISB  $15
	END
	MOVD R0, ticks+8(FP)
	RET

// func fill(readings *uint64, n int)
//
//	in   readings  0(FP)  R1   where the next goes
//	     n         8(FP)  R2   how many are left, at least 1
//	uses R0   a reading
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
//	     n         8(FP)  R2   how many are left, at least 1
//	uses R0   a reading
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
DATA ·entries+16(SB)/8, $·timeLoad(SB)
DATA ·entries+24(SB)/8, $·timeLoadFenced(SB)
DATA ·entries+32(SB)/8, $·timeLoadDrained(SB)
DATA ·entries+40(SB)/8, $·timeStore(SB)
DATA ·entries+48(SB)/8, $·timeStoreFenced(SB)
DATA ·entries+56(SB)/8, $·timeStoreDrained(SB)
DATA ·entries+64(SB)/8, $·fill(SB)
DATA ·entries+72(SB)/8, $·fillOrdered(SB)
GLOBL ·entries(SB), RODATA|NOPTR, $80
DATA ·frequencyEntry(SB)/8, $·frequency(SB)
GLOBL ·frequencyEntry(SB), RODATA|NOPTR, $8
