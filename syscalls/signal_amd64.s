//go:build linux

#include "textflag.h"

#define SYS_rt_sigreturn 15

// func sigreturn()
//
// A handler returns here: its return address, Restorer, was put on the signal stack by the kernel. What lies above,
// the frame with all registers, is what rt_sigreturn(2) takes for its argument, by way of SP, so that nothing may be
// pushed and no frame exists. The kernel goes on where the signal came: there is no return. Go never calls it.
TEXT ·sigreturn(SB), NOSPLIT|NOFRAME, $0
	MOVQ $SYS_rt_sigreturn, AX
	SYSCALL
	INT  $3 // not reached

// func sigreturnAddress() uintptr
//
//	out  ret  0(FP)   AX    address of the code above itself, where a Go func value would have one of a wrapper
TEXT ·sigreturnAddress(SB), NOSPLIT, $0-8
	LEAQ ·sigreturn(SB), AX
	MOVQ AX, ret+0(FP)
	RET
