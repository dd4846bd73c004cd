//go:build linux

#include "textflag.h"

// SYSCALL changes the ring, and that is nearly all:
//
//	AX                      number of the call, then its answer
//	DI SI DX R10 R8 R9      arguments; C has the fourth in CX, but
//	CX R11                  are overwritten: SYSCALL leaves the address to return to and the flags in them,
//	                        because it has no stack to push them on, SP being still the program's
//	everything else         comes back as it was, R14 (g) and X15 (zero) among it
//
// All functions are NOSPLIT without a frame where they can be: the kernel uses a stack of its own.

#define SYS_write  1
#define NO_SUCH    0xfffff // a number that no kernel gives

DATA hello<>+0(SB)/8, $"hello fr"
DATA hello<>+8(SB)/8, $"om ring "
DATA hello<>+16(SB)/2, $"3\n"
GLOBL hello<>(SB), RODATA|NOPTR, $18

// func Hello() int64
//
//	out  ret  0(FP)   AX
//	uses DI, SI, DX; CX and R11 are lost
//
// The whole of it: no C library, no Go.
TEXT ·Hello(SB), NOSPLIT, $0-8
	MOVL $SYS_write, AX
	MOVL $1, DI          // standard output
	LEAQ hello<>(SB), SI // what
	MOVL $18, DX         // how much
	SYSCALL
	MOVQ AX, ret+0(FP)
	RET

// func Write(fd int64, p uintptr, n uint64) int64
//
//	in   fd    0(FP)  DI
//	     p     8(FP)  SI
//	     n    16(FP)  DX
//	out  ret  24(FP)  AX
//	lost CX, R11
TEXT ·Write(SB), NOSPLIT, $0-32
	MOVQ fd+0(FP), DI
	MOVQ p+8(FP), SI
	MOVQ n+16(FP), DX
	MOVL $SYS_write, AX
	SYSCALL
	MOVQ AX, ret+24(FP) // errno stands for nothing else than a negative answer
	RET

// func Nothing() int64
//
//	out  ret  0(FP)   AX
//	lost CX, R11
//
// The shortest way into the kernel and back: it looks the number up, finds nothing, and says so.
TEXT ·Nothing(SB), NOSPLIT, $0-8
	MOVL $NO_SUCH, AX
	SYSCALL
	MOVQ AX, ret+0(FP)
	RET

#define MARK(n, reg) MOVQ $(0xa00+n), reg

#define KEPT(n, reg) \
	CMPQ reg, $(0xa00+n) \
	JNE  2(PC)           \
	ORQ  $(1<<n), AX

// func Kept() uint64
//
//	out  ret  0(FP)   AX
//	uses all but SP, and BP, which does not need to be tried
TEXT ·Kept(SB), NOSPLIT, $0-8
	MARK(1, CX)
	MARK(2, DX)
	MARK(3, BX)
	MARK(6, SI)
	MARK(7, DI)
	MARK(8, R8)
	MARK(9, R9)
	MARK(10, R10)
	MARK(11, R11)
	MARK(12, R12)
	MARK(13, R13)
	MARK(14, R14)
	MARK(15, R15)
	MOVL $NO_SUCH, AX
	SYSCALL

	XORL AX, AX
	KEPT(1, CX)
	KEPT(2, DX)
	KEPT(3, BX)
	KEPT(6, SI)
	KEPT(7, DI)
	KEPT(8, R8)
	KEPT(9, R9)
	KEPT(10, R10)
	KEPT(11, R11)
	KEPT(12, R12)
	KEPT(13, R13)
	KEPT(14, R14)
	KEPT(15, R15)
	MOVQ AX, ret+0(FP)
	RET

// func call(fn uintptr, clock int64, ts *[2]int64, base unsafe.Pointer) int64
//
//	in   fn      0(FP)  AX   a function by the rules of C
//	     clock   8(FP)  DI   its first argument
//	     ts     16(FP)  SI   its second
//	     base   24(FP)       is for arm64: here a signal handler finds the goroutine in thread-local storage
//	out  ret    32(FP)  AX
//	kept R12                 by the function, as C has it
//
// Two things C wants and Go does not give. Stack: a goroutine's is small and grows where a function asks for
// more, which C does not do; so this one is not NOSPLIT, and asks for 6 KiB. And SP must be a multiple of 16
// where CALL stands; to Go 8 is enough.
TEXT ·call(SB), 0, $6144-40
	MOVQ fn+0(FP), AX
	MOVQ clock+8(FP), DI
	MOVQ ts+16(FP), SI
	MOVQ SP, R12
	ANDQ $~15, SP
	CALL AX
	MOVQ R12, SP
	MOVQ AX, ret+32(FP)
	RET

// Where the functions begin; see lesson deref.
DATA ·helloEntry(SB)/8, $·Hello(SB)
GLOBL ·helloEntry(SB), RODATA|NOPTR, $8
DATA ·writeEntry(SB)/8, $·Write(SB)
GLOBL ·writeEntry(SB), RODATA|NOPTR, $8
DATA ·nothingEntry(SB)/8, $·Nothing(SB)
GLOBL ·nothingEntry(SB), RODATA|NOPTR, $8
DATA ·keptEntry(SB)/8, $·Kept(SB)
GLOBL ·keptEntry(SB), RODATA|NOPTR, $8
DATA ·callEntry(SB)/8, $·call(SB)
GLOBL ·callEntry(SB), RODATA|NOPTR, $8
