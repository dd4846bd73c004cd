//go:build linux

#include "textflag.h"

// Everything between guardedBegin and guardedEnd may fault. The signal handler below knows the instruction by
// its address and has the thread go on at landed. That works because all of these functions have one shape,
//
//	func(a, b, n uintptr) (r uint64, sig uint32, code int32, at uintptr)
//
// and no frame: wherever one of them stops, RSP is where it was on entry and R30 still holds the way back, so
// that landed finds the result slots at the same offsets and returns to the same caller. Loads and stores
// leave the arguments alone that they do not need.
//
// No function here touches R28 (g), on which Go relies, or calls anything.

#define SUCCEED MOVW ZR, sig+32(FP)

TEXT ·guardedBegin(SB), NOSPLIT, $0-0
	UNDEF

// func load8(a, b, n uintptr) (r uint64, sig uint32, code int32, at uintptr)
//
//	in  a  where to load from
//	out r  what stands there, zero-extended
TEXT ·load8(SB), NOSPLIT, $0-48
	MOVD  a+0(FP), R0
	MOVBU (R0), R0
	MOVD  R0, r+24(FP)
	SUCCEED
	RET

// func load16(a, b, n uintptr) (r uint64, sig uint32, code int32, at uintptr)
TEXT ·load16(SB), NOSPLIT, $0-48
	MOVD  a+0(FP), R0
	MOVHU (R0), R0
	MOVD  R0, r+24(FP)
	SUCCEED
	RET

// func load32(a, b, n uintptr) (r uint64, sig uint32, code int32, at uintptr)
TEXT ·load32(SB), NOSPLIT, $0-48
	MOVD  a+0(FP), R0
	MOVWU (R0), R0
	MOVD  R0, r+24(FP)
	SUCCEED
	RET

// func load64(a, b, n uintptr) (r uint64, sig uint32, code int32, at uintptr)
TEXT ·load64(SB), NOSPLIT, $0-48
	MOVD a+0(FP), R0
	MOVD (R0), R0
	MOVD R0, r+24(FP)
	SUCCEED
	RET

// func store8(a, b, n uintptr) (r uint64, sig uint32, code int32, at uintptr)
//
//	in a  where to store
//	   b  what; its low bits where it is shorter
TEXT ·store8(SB), NOSPLIT, $0-48
	MOVD a+0(FP), R0
	MOVD b+8(FP), R1
	MOVB R1, (R0)
	SUCCEED
	RET

// func store16(a, b, n uintptr) (r uint64, sig uint32, code int32, at uintptr)
TEXT ·store16(SB), NOSPLIT, $0-48
	MOVD a+0(FP), R0
	MOVD b+8(FP), R1
	MOVH R1, (R0)
	SUCCEED
	RET

// func store32(a, b, n uintptr) (r uint64, sig uint32, code int32, at uintptr)
TEXT ·store32(SB), NOSPLIT, $0-48
	MOVD a+0(FP), R0
	MOVD b+8(FP), R1
	MOVW R1, (R0)
	SUCCEED
	RET

// func store64(a, b, n uintptr) (r uint64, sig uint32, code int32, at uintptr)
TEXT ·store64(SB), NOSPLIT, $0-48
	MOVD a+0(FP), R0
	MOVD b+8(FP), R1
	MOVD R1, (R0)
	SUCCEED
	RET

// func readBytes(a unsafe.Pointer, b, n uintptr) (r uint64, sig uint32, code int32, at uintptr)
//
// copyBytes into memory of Go's, which the pointer keeps alive and in its place.
TEXT ·readBytes(SB), NOSPLIT, $0-48
	JMP ·copyBytes(SB)

// func writeBytes(a uintptr, b unsafe.Pointer, n uintptr) (r uint64, sig uint32, code int32, at uintptr)
TEXT ·writeBytes(SB), NOSPLIT, $0-48
	JMP ·copyBytes(SB)

// func copyBytes(a, b, n uintptr) (r uint64, sig uint32, code int32, at uintptr)
//
//	in   a  R0  to
//	     b  R1  from, at least n bytes away from a
//	     n  R2  how many
//	uses R3-R10  a round
//
// Nothing outside of the n bytes is touched. In what order they are is nobody's business: after a fault the
// caller copies again, slower, to find out how far that goes.
TEXT ·copyBytes(SB), NOSPLIT, $0-48
	MOVD a+0(FP), R0
	MOVD b+8(FP), R1
	MOVD n+16(FP), R2
	SUBS $64, R2
	BCC  words

long: // 64 bytes a round, in pairs of registers
	LDP    (R1), (R3, R4)
	LDP    16(R1), (R5, R6)
	LDP    32(R1), (R7, R8)
	LDP    48(R1), (R9, R10)
	ADD    $64, R1
	STP    (R3, R4), (R0)
	STP    (R5, R6), 16(R0)
	STP    (R7, R8), 32(R0)
	STP    (R9, R10), 48(R0)
	ADD    $64, R0
	SUBS   $64, R2
	BCS    long

words:
	ADD  $(64-8), R2
	TBNZ $63, R2, tail // below 0

word:
	MOVD.P 8(R1), R3
	MOVD.P R3, 8(R0)
	SUBS   $8, R2
	BCS    word

tail:
	ADDS $8, R2
	BEQ  done

byte:
	MOVBU.P 1(R1), R3
	MOVB.P  R3, 1(R0)
	SUBS    $1, R2
	BNE     byte

done:
	SUCCEED
	RET

// func zeroBytes(a, b, n uintptr) (r uint64, sig uint32, code int32, at uintptr)
//
//	in   a  R0  where from
//	     n  R2  how many
TEXT ·zeroBytes(SB), NOSPLIT, $0-48
	MOVD a+0(FP), R0
	MOVD n+16(FP), R2
	SUBS $64, R2
	BCC  few

block:
	STP  (ZR, ZR), (R0)
	STP  (ZR, ZR), 16(R0)
	STP  (ZR, ZR), 32(R0)
	STP  (ZR, ZR), 48(R0)
	ADD  $64, R0
	SUBS $64, R2
	BCS  block

few:
	ADDS $64, R2
	BEQ  zeroed

one:
	MOVB.P ZR, 1(R0)
	SUBS   $1, R2
	BNE    one

zeroed:
	SUCCEED
	RET

// func matchBytes(a, b, n uintptr) (r uint64, sig uint32, code int32, at uintptr)
//
//	in   a  R0
//	     b  R1
//	     n  R2  how many
//	out  r      how many are equal before the first that is not
//	uses R3     bytes seen
//	     R4, R5 words, or the bits in which they differ
TEXT ·matchBytes(SB), NOSPLIT, $0-48
	MOVD a+0(FP), R0
	MOVD b+8(FP), R1
	MOVD n+16(FP), R2
	MOVD ZR, R3
	SUBS $8, R2
	BCC  rest

eight:
	MOVD (R0)(R3), R4
	MOVD (R1)(R3), R5
	EOR  R4, R5, R5
	CBNZ R5, differ
	ADD  $8, R3
	SUBS $8, R2
	BCS  eight

rest:
	ADDS $8, R2
	BEQ  equal

single:
	MOVBU (R0)(R3), R4
	MOVBU (R1)(R3), R5
	CMP   R4, R5
	BNE   equal
	ADD   $1, R3
	SUBS  $1, R2
	BNE   single

equal:
	MOVD R3, r+24(FP)
	SUCCEED
	RET

differ: // the first byte is the lowest, and so are its bits
	RBIT R5, R5
	CLZ  R5, R5
	ADD  R5>>3, R3
	MOVD R3, r+24(FP)
	SUCCEED
	RET

TEXT ·guardedEnd(SB), NOSPLIT, $0-0
	UNDEF

// func landed(a, b, n uintptr) (r uint64, sig uint32, code int32, at uintptr)
//
// Where a thread goes on that faulted above, as if its function had jumped here.
//
//	in R0  address of the fault, without the tag in its top byte
//	   R1  si_code
//	   R2  number of the signal
//	   R3  ESR, 0 where the kernel does not say
TEXT ·landed(SB), NOSPLIT, $0-48
	MOVD R3, r+24(FP)
	MOVW R2, sig+32(FP)
	MOVW R1, code+36(FP)
	MOVD R0, at+40(FP)
	RET

// Offsets of arch/arm64/include/uapi/asm/ucontext.h and sigcontext.h, and of siginfo_t. sigcontext stands at
// 176: after 128 bytes that the signal mask may grow to, at a multiple of 16.
#define UC_R0 184
#define UC_R1 192
#define UC_R2 200
#define UC_R3 208
#define UC_PC 440
#define UC_RECORDS 464
#define UC_END 4560
#define ESR_MAGIC 0x45535201
#define SI_CODE 8
#define SI_ADDR 16
#define BUS_MCEERR_AO 5

// The handler of SIGSEGV and SIGBUS. The kernel calls it with the C convention, on the signal stack that Go
// gave the thread, with all signals blocked.
//
//	in   R0  number of the signal
//	     R1  *siginfo_t
//	     R2  *struct ucontext: the registers of the thread, which are put back when this returns
//	     R30 the trampoline that calls rt_sigreturn
//	uses R3-R6: the convention lets a function lose them
//
// What is no fault of the code above goes to the handler that was there before, with all registers and the
// stack as the kernel left them, so that it cannot tell the difference.
TEXT ·handler(SB), NOSPLIT|NOFRAME, $0
	MOVD UC_PC(R2), R3
	MOVD $·guardedBegin(SB), R4
	CMP  R4, R3
	BLO  other
	MOVD $·guardedEnd(SB), R4
	CMP  R4, R3
	BHS  other
	MOVW SI_CODE(R1), R5
	CMPW $0, R5
	BLE  other                  // a signal that somebody sent: the code above only happened to run
	CMPW $BUS_MCEERR_AO, R5
	BEQ  other                  // news of memory that is damaged elsewhere

	MOVD SI_ADDR(R1), R3
	MOVD R3, UC_R0(R2)
	MOVD R5, UC_R1(R2)
	MOVD R0, UC_R2(R2)

	// Records follow, each with a number of its kind and its size; ESR has one of its own.
	MOVD ZR, UC_R3(R2)
	ADD  $UC_RECORDS, R2, R3
	ADD  $(UC_END-16), R2, R4
	MOVD $ESR_MAGIC, R6

record:
	MOVWU (R3), R5
	CBZ   R5, found            // the last
	CMPW  R6, R5
	BEQ   esr
	MOVWU 4(R3), R5
	CMP   $16, R5
	BLO   found                // no record at all
	ADD   R5, R3
	CMP   R4, R3
	BLS   record
	B     found

esr:
	MOVD 8(R3), R5
	MOVD R5, UC_R3(R2)

found:
	MOVD $·landed(SB), R3
	MOVD R3, UC_PC(R2)
	RET

other:
	CMPW $7, R0                 // SIGBUS
	BEQ  bus
	MOVD ·nextSEGV(SB), R3
	JMP  (R3)

bus:
	MOVD ·nextBUS(SB), R3
	JMP  (R3)

// func handlerPC() uintptr
//
// The address of the handler itself; Go would give that of a wrapper.
TEXT ·handlerPC(SB), NOSPLIT, $0-8
	MOVD $·handler(SB), R0
	MOVD R0, ret+0(FP)
	RET

// func marks() (begin, end uintptr)
TEXT ·marks(SB), NOSPLIT, $0-16
	MOVD $·guardedBegin(SB), R0
	MOVD R0, begin+0(FP)
	MOVD $·guardedEnd(SB), R0
	MOVD R0, end+8(FP)
	RET
