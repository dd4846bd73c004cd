//go:build linux

#include "funcdata.h"
#include "textflag.h"

// Calling C from Go, without cgo: what the vDSO's functions want, and Go's do not provide.
//
//	stack      Go's begins small and grows by a check at the top of each function; C code has no such check.
//	           6 KiB are reserved here, and these functions are not NOSPLIT, so it is our check that
//	           makes the stack grow. A vDSO function takes a few hundred bytes. That is more because a kernel
//	           that is built with stack probes touches a word beyond the next page as well.
//	alignment  Both keep RSP a multiple of 16: the processor insists on it.
//	registers  C keeps R19 to R29, among them R28, Go's g. While C code runs R28 may be something else. C may
//	           change all other registers, and in this calling convention (ABI0) so may we.
//
//	           C function      result
//	argument   R0 R1 R2 R3 R4  R0 (an int is its lower half)
//
// A signal that arrives while R28 is something else finds no goroutine there, and arm64 has no thread-local
// storage of Go's to look in. The runtime's own way out: before such a call it stores g at the base of the
// thread's signal stack, and a handler that finds itself in the vDSO takes it from there. Without it such a
// signal would end the process, unless it is the profiler's. So we do the same:
//
//	g + mOffset              the thread (m)
//	m + gsignalOffset        the goroutine that handles its signals
//	first word of that       the lower end of its stack: the base
//
// and afterwards put back the zero that means "not in the vDSO". With cgo g is in thread-local storage, and
// saveG is 0. The offsets are the runtime's secret; signal_linux_arm64.go finds them, and makes sure of them.
//
// The goroutine is not preempted in here, and so stays on this thread: in assembly, and in code that is not
// Go's, the scheduler's signal does nothing.

// The function is in R9, its arguments are in place.
#define CALL_C \
	MOVBU ·saveG(SB), R10         \
	CBZ   R10, direct             \
	MOVD  ·mOffset(SB), R10       \
	MOVD  (g)(R10), R10           \
	MOVD  ·gsignalOffset(SB), R11 \
	MOVD  (R10)(R11), R10         \
	MOVD  (R10), R19              \
	MOVD  g, (R19)                \
	BL    (R9)                    \
	MOVD  ZR, (R19)               \
	B     done                    \
direct:                           \
	BL    (R9)                    \
done:

// func callClockGettime(fn uintptr, clock int32, ts *unix.Timespec) int32
TEXT ·callClockGettime(SB), 0, $6144-28
	NO_LOCAL_POINTERS
	MOVD fn+0(FP), R9
	MOVW clock+8(FP), R0
	MOVD ts+16(FP), R1
	CALL_C
	MOVW R0, ret+24(FP)
	RET

// func callPointers(fn uintptr, a1, a2 unsafe.Pointer) int32
TEXT ·callPointers(SB), 0, $6144-28
	NO_LOCAL_POINTERS
	MOVD fn+0(FP), R9
	MOVD a1+8(FP), R0
	MOVD a2+16(FP), R1
	MOVD ZR, R2
	CALL_C
	MOVW R0, ret+24(FP)
	RET

// func callGetrandom(fn uintptr, p unsafe.Pointer, n uintptr, flags uint32, state unsafe.Pointer, size uintptr) int64
TEXT ·callGetrandom(SB), 0, $6144-56
	NO_LOCAL_POINTERS
	MOVD  fn+0(FP), R9
	MOVD  p+8(FP), R0
	MOVD  n+16(FP), R1
	MOVWU flags+24(FP), R2
	MOVD  state+32(FP), R3
	MOVD  size+40(FP), R4
	CALL_C
	MOVD  R0, ret+48(FP)
	RET

// func goroutine() uintptr
TEXT ·goroutine(SB), NOSPLIT, $0-8
	MOVD g, ret+0(FP)
	RET

// func hasCgo() bool
TEXT ·hasCgo(SB), NOSPLIT, $0-1
	MOVBU runtime·iscgo(SB), R0
	MOVB  R0, ret+0(FP)
	RET
