//go:build linux

#include "textflag.h"

#define SYS_clone      56
#define SYS_prctl      157
#define SYS_exit_group 231

#define PR_SET_DUMPABLE 4

// func askInChild(number, a1, a2, a3, a4, a5 uintptr) (pid int)
//
// The child has a copy of this stack, and reads its arguments there as the parent would.
TEXT ·askInChild(SB), NOSPLIT, $0-56
	MOVL $SYS_clone, AX
	XORL DI, DI           // flags: a fork, and no signal at its end
	XORL SI, SI           // the same stack, copied
	XORL DX, DX
	XORL R10, R10
	XORL R8, R8
	SYSCALL
	TESTQ AX, AX
	JEQ  child
	MOVQ AX, pid+48(FP)
	RET

child:
	MOVL $SYS_prctl, AX   // no core dump, should a filter kill this
	MOVL $PR_SET_DUMPABLE, DI
	XORL SI, SI
	SYSCALL

	MOVQ number+0(FP), AX
	MOVQ a1+8(FP), DI
	MOVQ a2+16(FP), SI
	MOVQ a3+24(FP), DX
	MOVQ a4+32(FP), R10
	MOVQ a5+40(FP), R8
	XORL R9, R9
	SYSCALL

	XORL DI, DI
	CMPQ AX, $-4095       // MAX_ERRNO, as in raw_amd64.s
	JCS  done
	SUBQ AX, DI           // the status: errno, or 0
done:
	MOVL $SYS_exit_group, AX
	SYSCALL
	INT  $3               // not reached
