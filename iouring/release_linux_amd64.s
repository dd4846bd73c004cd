#include "textflag.h"

// func storeRelease(p *uint32, v uint32)
//
//	in   p  0(FP)   where
//	in   v  8(FP)   what
//	uses AX, BX
//
// A plain MOV: amd64 makes neither loads nor stores wait behind a later store (x86-TSO), and what is behind a call
// the compiler does not move before it.
TEXT ·storeRelease(SB), NOSPLIT, $0-12
	MOVQ p+0(FP), AX
	MOVL v+8(FP), BX
	MOVL BX, (AX)
	RET
