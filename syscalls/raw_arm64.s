//go:build linux

#include "textflag.h"

// A system call is one instruction, and the rest of this file puts seven numbers into the registers where the
// kernel looks for them. SVC takes the processor from exception level 0 to level 1: to the one vector that the
// kernel wrote into the register VBAR_EL1 when it booted, so a program may choose what it asks for and never
// where it arrives.
//
//	          Go (ABI0)     C function   system call
//	number     trap+0(FP)    -            R8
//	a1         a1+8(FP)      R0           R0
//	a2         a2+16(FP)     R1           R1
//	a3         a3+24(FP)     R2           R2
//	a4         a4+32(FP)     R3           R3
//	a5         a5+40(FP)     R4           R4
//	a6         a6+48(FP)     R5           R5
//	result     r1, r2        R0, R1       R0    and R1 is as it was: r2 is a2
//
// Lost is R0 alone, to the result. SVC needs no register of ours for the way back: the return address and the
// flags go to ELR_EL1 and SPSR_EL1, registers of the kernel's level, and that level has a stack pointer of its
// own. (amd64 has none of these, and pays with two registers.) The kernel saves R0 to R30 before it does
// anything else, and puts them back, R28 (Go's g) among them, so nothing is put back here. The vector
// registers come back too. Those of SVE, beyond the 128 bits that the vector registers share, do not, and Go
// keeps nothing there.
//
// An error comes back in R0, as a number from -4095 to -1: errno, negated. No result can be mistaken for one,
// because no address and no size that a call returns is up there (include/linux/err.h, MAX_ERRNO). C
// libraries turn it into -1 and the variable errno, which is theirs and not the kernel's.
//
// NOSPLIT, and no frame: nothing here needs a stack, and the kernel uses its own. It also keeps a promise. The
// arguments may be addresses of variables on the caller's stack, and to the garbage collector they are plain
// numbers by now. Without a check for space the stack cannot be moved from under them. (The step from Go's
// registers to this frame, which the compiler writes, has no such check either.)
#define MAX_ERRNO 4095

// func RawSyscall6(trap, a1, a2, a3, a4, a5, a6 uintptr) (r1, r2 uintptr, err unix.Errno)
TEXT ·RawSyscall6(SB), NOSPLIT, $0-80
	MOVD trap+0(FP), R8
	MOVD a1+8(FP), R0
	MOVD a2+16(FP), R1
	MOVD a3+24(FP), R2
	MOVD a4+32(FP), R3
	MOVD a5+40(FP), R4
	MOVD a6+48(FP), R5
	SVC                 // to level 1, and back

	CMN  $MAX_ERRNO, R0 // flags of R0 + 4095: a carry only for -4095 to -1
	BCS  failed
	MOVD R0, r1+56(FP)
	MOVD R1, r2+64(FP)
	MOVD ZR, err+72(FP)
	RET

failed:
	NEG  R0, R0
	MOVD $-1, R1
	MOVD R1, r1+56(FP)
	MOVD ZR, r2+64(FP)
	MOVD R0, err+72(FP)
	RET

// func RawSyscall(trap, a1, a2, a3 uintptr) (r1, r2 uintptr, err unix.Errno)
//
// The same with three arguments. The others are zeroed: a call that takes more than the caller knows would
// otherwise read what these registers happen to hold.
TEXT ·RawSyscall(SB), NOSPLIT, $0-56
	MOVD trap+0(FP), R8
	MOVD a1+8(FP), R0
	MOVD a2+16(FP), R1
	MOVD a3+24(FP), R2
	MOVD ZR, R3
	MOVD ZR, R4
	MOVD ZR, R5
	SVC

	CMN  $MAX_ERRNO, R0
	BCS  failed
	MOVD R0, r1+32(FP)
	MOVD R1, r2+40(FP)
	MOVD ZR, err+48(FP)
	RET

failed:
	NEG  R0, R0
	MOVD $-1, R1
	MOVD R1, r1+32(FP)
	MOVD ZR, r2+40(FP)
	MOVD R0, err+48(FP)
	RET

// The cooperative forms tell the scheduler before and after, by functions of the runtime that look at the
// caller's frame and may not be called from elsewhere. So these jump into the standard library, which is
// allowed to: the arguments lie where it expects them, it returns to our caller, and it too is NOSPLIT.

// func Syscall6(trap, a1, a2, a3, a4, a5, a6 uintptr) (r1, r2 uintptr, err unix.Errno)
TEXT ·Syscall6(SB), NOSPLIT, $0-80
	B syscall·Syscall6(SB)

// func Syscall(trap, a1, a2, a3 uintptr) (r1, r2 uintptr, err unix.Errno)
TEXT ·Syscall(SB), NOSPLIT, $0-56
	B syscall·Syscall(SB)
