//go:build linux

#include "funcdata.h"
#include "textflag.h"

// Calling C from Go, without cgo: what the vDSO's functions want, and Go's do not provide.
//
//	stack      Go's begins small and grows by a check at the top of each function; C code has no such check.
//	           6 KiB are reserved here, and these functions are not NOSPLIT, so it is our check that
//	           makes the stack grow. A vDSO function takes a few hundred bytes. That is more because a kernel
//	           that is built with stack probes touches a word 4,128 bytes below the stack pointer as well.
//	alignment  C wants SP to be a multiple of 16 at a call; Go keeps a multiple of 8.
//	registers  C keeps BX, BP and R12 to R15, among them R14, Go's g; R12 holds our SP meanwhile. While C code
//	           runs R14 may be something else. A signal handler does not mind: it takes g from thread-local
//	           storage. C may change all other registers, and in this calling convention (ABI0) so may we.
//
//	           C function      result
//	argument   DI SI DX CX R8  AX (an int is its lower half)
//
// The goroutine is not preempted in here: in code that is not Go's the scheduler's signal does nothing.

// The function is in AX, its arguments are in place.
#define CALL_C \
	MOVQ SP, R12  \
	ANDQ $~15, SP \
	CALL AX       \
	MOVQ R12, SP

// func callClockGettime(fn uintptr, clock int32, ts *unix.Timespec) int32
TEXT ·callClockGettime(SB), 0, $6144-28
	NO_LOCAL_POINTERS
	MOVQ fn+0(FP), AX
	MOVL clock+8(FP), DI
	MOVQ ts+16(FP), SI
	CALL_C
	MOVL AX, ret+24(FP)
	RET

// func callPointers(fn uintptr, a1, a2 unsafe.Pointer) int32
TEXT ·callPointers(SB), 0, $6144-28
	NO_LOCAL_POINTERS
	MOVQ fn+0(FP), AX
	MOVQ a1+8(FP), DI
	MOVQ a2+16(FP), SI
	XORL DX, DX
	CALL_C
	MOVL AX, ret+24(FP)
	RET

// func callGetrandom(fn uintptr, p unsafe.Pointer, n uintptr, flags uint32, state unsafe.Pointer, size uintptr) int64
TEXT ·callGetrandom(SB), 0, $6144-56
	NO_LOCAL_POINTERS
	MOVQ fn+0(FP), AX
	MOVQ p+8(FP), DI
	MOVQ n+16(FP), SI
	MOVL flags+24(FP), DX
	MOVQ state+32(FP), CX
	MOVQ size+40(FP), R8
	CALL_C
	MOVQ AX, ret+48(FP)
	RET
