//go:build linux

#include "textflag.h"

// SVC changes the exception level (EL0 is ring 3, EL1 ring 0), and that is nearly all:
//
//	R8                 number of the call
//	R0 to R5           arguments; R0 then has the answer
//	everything else    comes back as it was: the address to return to and the flags go to registers of the
//	                   kernel's level, ELR_EL1 and SPSR_EL1, and nothing of the program's is needed for them
//
// All functions are NOSPLIT without a frame where they can be: the kernel uses a stack of its own.

#define SYS_write  64
#define NO_SUCH    0xffff // a number that no kernel gives

DATA hello<>+0(SB)/8, $"hello fr"
DATA hello<>+8(SB)/8, $"om ring "
DATA hello<>+16(SB)/2, $"3\n"
GLOBL hello<>(SB), RODATA|NOPTR, $18

// func Hello() int64
//
//	out  ret  0(FP)   R0
//	uses R1, R2, R8
//
// The whole of it: no C library, no Go.
TEXT ·Hello(SB), NOSPLIT, $0-8
	MOVD $SYS_write, R8
	MOVD $1, R0           // standard output
	MOVD $hello<>(SB), R1 // what
	MOVD $18, R2          // how much
	SVC
	MOVD R0, ret+0(FP)
	RET

// func Write(fd int64, p uintptr, n uint64) int64
//
//	in   fd    0(FP)  R0
//	     p     8(FP)  R1
//	     n    16(FP)  R2
//	out  ret  24(FP)  R0
//	uses R8
TEXT ·Write(SB), NOSPLIT, $0-32
	MOVD fd+0(FP), R0
	MOVD p+8(FP), R1
	MOVD n+16(FP), R2
	MOVD $SYS_write, R8
	SVC
	MOVD R0, ret+24(FP) // errno stands for nothing else than a negative answer
	RET

// func Nothing() int64
//
//	out  ret  0(FP)   R0
//	uses R8
//
// The shortest way into the kernel and back: it looks the number up, finds nothing, and says so.
TEXT ·Nothing(SB), NOSPLIT, $0-8
	MOVD $NO_SUCH, R8
	SVC
	MOVD R0, ret+0(FP)
	RET

#define MARK(n, reg) MOVD $(0xa00+n), reg

#define KEPT(n, reg) \
	CMP $(0xa00+n), reg \
	BNE 2(PC)           \
	ORR $(1<<n), R0

// func Kept() uint64
//
//	out  ret  0(FP)   R0
//	uses R1 to R17, R19 to R26; R8, which has the number, is not tried
TEXT ·Kept(SB), NOSPLIT, $0-8
	MARK(1, R1)
	MARK(2, R2)
	MARK(3, R3)
	MARK(4, R4)
	MARK(5, R5)
	MARK(6, R6)
	MARK(7, R7)
	MARK(9, R9)
	MARK(10, R10)
	MARK(11, R11)
	MARK(12, R12)
	MARK(13, R13)
	MARK(14, R14)
	MARK(15, R15)
	MARK(16, R16)
	MARK(17, R17)
	MARK(19, R19)
	MARK(20, R20)
	MARK(21, R21)
	MARK(22, R22)
	MARK(23, R23)
	MARK(24, R24)
	MARK(25, R25)
	MARK(26, R26)
	MOVD $NO_SUCH, R8
	SVC

	MOVD ZR, R0
	KEPT(1, R1)
	KEPT(2, R2)
	KEPT(3, R3)
	KEPT(4, R4)
	KEPT(5, R5)
	KEPT(6, R6)
	KEPT(7, R7)
	KEPT(9, R9)
	KEPT(10, R10)
	KEPT(11, R11)
	KEPT(12, R12)
	KEPT(13, R13)
	KEPT(14, R14)
	KEPT(15, R15)
	KEPT(16, R16)
	KEPT(17, R17)
	KEPT(19, R19)
	KEPT(20, R20)
	KEPT(21, R21)
	KEPT(22, R22)
	KEPT(23, R23)
	KEPT(24, R24)
	KEPT(25, R25)
	KEPT(26, R26)
	MOVD R0, ret+0(FP)
	RET

// func call(fn uintptr, clock int64, ts *[2]int64, base unsafe.Pointer) int64
//
//	in   fn      0(FP)  R9   a function by the rules of C
//	     clock   8(FP)  R0   its first argument
//	     ts     16(FP)  R1   its second
//	     base   24(FP)  R19  where the goroutine is noted, or nil; kept by the function, as C has it
//	out  ret    32(FP)  R0
//	     R20            what was at base
//
// Two things C wants and Go does not give. Stack: a goroutine's is small and grows where a function asks for
// more, which C does not do; so this one is not NOSPLIT, and asks for 6 KiB. And a place for g: C may put
// something else into R28 for a while. A signal handler that finds the thread in the vDSO takes the goroutine
// from the base of the signal stack, where the runtime notes it before such a call; so do we.
TEXT ·call(SB), 0, $6144-40
	MOVD fn+0(FP), R9
	MOVD clock+8(FP), R0
	MOVD ts+16(FP), R1
	MOVD base+24(FP), R19
	CBZ  R19, direct
	MOVD (R19), R20
	MOVD g, (R19)
	BL   (R9)
	MOVD R20, (R19)
	MOVD R0, ret+32(FP)
	RET

direct:
	BL   (R9)
	MOVD R0, ret+32(FP)
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
