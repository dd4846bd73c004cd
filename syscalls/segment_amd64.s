//go:build linux

#include "textflag.h"

// func SegmentLimit(selector uint16) (limit uint64, ok bool)
//
//	in   selector  0(FP)   AX
//	out  limit     8(FP)   BX    last offset, in bytes whatever the descriptor counts in
//	     ok       16(FP)   ZF    there is such a segment, and this privilege level may see it
//
// LSL asks the processor, which reads the table itself. It loads nothing and cannot fault.
TEXT ·SegmentLimit(SB), NOSPLIT, $0-17
	MOVWLZX selector+0(FP), AX
	XORL    BX, BX
	LSLQ    AX, BX
	SETEQ   ok+16(FP)
	MOVQ    BX, limit+8(FP)
	RET
