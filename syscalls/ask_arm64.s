//go:build linux

#include "textflag.h"

#define SYS_exit_group 94
#define SYS_prctl      167
#define SYS_clone      220

#define PR_SET_DUMPABLE 4

// func askInChild(number, a1, a2, a3, a4, a5 uintptr) (pid int)
//
// The child has a copy of this stack, and reads its arguments there as the parent would.
TEXT ·askInChild(SB), NOSPLIT, $0-56
	MOVD $SYS_clone, R8
	MOVD ZR, R0           // flags: a fork, and no signal at its end
	MOVD ZR, R1           // the same stack, copied
	MOVD ZR, R2
	MOVD ZR, R3
	MOVD ZR, R4
	SVC
	CBZ  R0, child
	MOVD R0, pid+48(FP)
	RET

child:
	MOVD $SYS_prctl, R8   // no core dump, should a filter kill this
	MOVD $PR_SET_DUMPABLE, R0
	MOVD ZR, R1
	SVC

	MOVD number+0(FP), R8
	MOVD a1+8(FP), R0
	MOVD a2+16(FP), R1
	MOVD a3+24(FP), R2
	MOVD a4+32(FP), R3
	MOVD a5+40(FP), R4
	MOVD ZR, R5
	SVC

	CMN  $4095, R0        // MAX_ERRNO, as in raw_arm64.s
	BCS  failed
	MOVD ZR, R0
failed:
	NEG  R0, R0           // the status: errno, or 0
	MOVD $SYS_exit_group, R8
	SVC
	BRK  $0               // not reached
