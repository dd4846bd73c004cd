//go:build linux

#include "textflag.h"

// A system call is one instruction, and the rest of this file puts seven numbers into the registers where the
// kernel looks for them. SYSCALL takes the processor from ring 3 to ring 0: to the one address that the kernel
// wrote into the register MSR_LSTAR when it booted, so a program may choose what it asks for and never where
// it arrives.
//
//	          Go (ABI0)     C function   system call
//	number     trap+0(FP)    -            AX
//	a1         a1+8(FP)      DI           DI
//	a2         a2+16(FP)     SI           SI
//	a3         a3+24(FP)     DX           DX
//	a4         a4+32(FP)     CX           R10   SYSCALL overwrites CX, so the kernel looks elsewhere
//	a5         a5+40(FP)     R8           R8
//	a6         a6+48(FP)     R9           R9
//	result     r1, r2        AX, DX       AX    and DX is as it was: r2 is a3
//
// Lost are CX and R11, to the processor itself: SYSCALL has neither a stack to save anything on (SP is still
// the program's, and the kernel would be a fool to trust it) nor a second set of registers, so it puts the
// return address into CX and the flags into R11, and SYSRET takes them from there. The kernel saves all
// others before it does anything else, and puts them back. R14 (Go's g) and X15 (Go's zero) are among them,
// so nothing is put back here.
//
// An error comes back in AX, as a number from -4095 to -1: errno, negated. No result can be mistaken for one,
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
	MOVQ trap+0(FP), AX
	MOVQ a1+8(FP), DI
	MOVQ a2+16(FP), SI
	MOVQ a3+24(FP), DX
	MOVQ a4+32(FP), R10
	MOVQ a5+40(FP), R8
	MOVQ a6+48(FP), R9
	SYSCALL              // to ring 0, and back

	CMPQ AX, $-MAX_ERRNO // as unsigned numbers only -4095 to -1 are at or above it
	JCC  failed
	MOVQ AX, r1+56(FP)
	MOVQ DX, r2+64(FP)
	MOVQ $0, err+72(FP)
	RET

failed:
	NEGQ AX
	MOVQ $-1, r1+56(FP)
	MOVQ $0, r2+64(FP)
	MOVQ AX, err+72(FP)
	RET

// func RawSyscall(trap, a1, a2, a3 uintptr) (r1, r2 uintptr, err unix.Errno)
//
// The same with three arguments. The others are zeroed: a call that takes more than the caller knows would
// otherwise read what these registers happen to hold.
TEXT ·RawSyscall(SB), NOSPLIT, $0-56
	MOVQ trap+0(FP), AX
	MOVQ a1+8(FP), DI
	MOVQ a2+16(FP), SI
	MOVQ a3+24(FP), DX
	XORL R10, R10
	XORL R8, R8
	XORL R9, R9
	SYSCALL

	CMPQ AX, $-MAX_ERRNO
	JCC  failed
	MOVQ AX, r1+32(FP)
	MOVQ DX, r2+40(FP)
	MOVQ $0, err+48(FP)
	RET

failed:
	NEGQ AX
	MOVQ $-1, r1+32(FP)
	MOVQ $0, r2+40(FP)
	MOVQ AX, err+48(FP)
	RET

// The cooperative forms tell the scheduler before and after, by functions of the runtime that look at the
// caller's frame and may not be called from elsewhere. So these jump into the standard library, which is
// allowed to: the arguments lie where it expects them, it returns to our caller, and it too is NOSPLIT.

// func Syscall6(trap, a1, a2, a3, a4, a5, a6 uintptr) (r1, r2 uintptr, err unix.Errno)
TEXT ·Syscall6(SB), NOSPLIT, $0-80
	JMP syscall·Syscall6(SB)

// func Syscall(trap, a1, a2, a3 uintptr) (r1, r2 uintptr, err unix.Errno)
TEXT ·Syscall(SB), NOSPLIT, $0-56
	JMP syscall·Syscall(SB)
