//go:build linux

#include "textflag.h"

// Everything between guardedBegin and guardedEnd may fault. The signal handler below knows the instruction by
// its address and has the thread go on at landed. That works because all of these functions have one shape,
//
//	func(a, b, n uintptr) (r uint64, sig uint32, code int32, at uintptr)
//
// and no frame: wherever one of them stops, SP is where it was on entry, so that landed finds the result
// slots at the same offsets and returns to the same caller. Loads and stores leave the arguments alone that
// they do not need.
//
// No function here touches R14 (g) or X15 (zero), on which Go relies, or calls anything.

#define SUCCEED MOVL $0, sig+32(FP)

TEXT ·guardedBegin(SB), NOSPLIT, $0-0
	UNDEF

// func load8(a, b, n uintptr) (r uint64, sig uint32, code int32, at uintptr)
//
//	in  a  where to load from
//	out r  what stands there, zero-extended
TEXT ·load8(SB), NOSPLIT, $0-48
	MOVQ    a+0(FP), AX
	MOVBLZX (AX), AX
	MOVQ    AX, r+24(FP)
	SUCCEED
	RET

// func load16(a, b, n uintptr) (r uint64, sig uint32, code int32, at uintptr)
TEXT ·load16(SB), NOSPLIT, $0-48
	MOVQ    a+0(FP), AX
	MOVWLZX (AX), AX
	MOVQ    AX, r+24(FP)
	SUCCEED
	RET

// func load32(a, b, n uintptr) (r uint64, sig uint32, code int32, at uintptr)
TEXT ·load32(SB), NOSPLIT, $0-48
	MOVQ a+0(FP), AX
	MOVL (AX), AX      // clears the upper half too
	MOVQ AX, r+24(FP)
	SUCCEED
	RET

// func load64(a, b, n uintptr) (r uint64, sig uint32, code int32, at uintptr)
TEXT ·load64(SB), NOSPLIT, $0-48
	MOVQ a+0(FP), AX
	MOVQ (AX), AX
	MOVQ AX, r+24(FP)
	SUCCEED
	RET

// func store8(a, b, n uintptr) (r uint64, sig uint32, code int32, at uintptr)
//
//	in a  where to store
//	   b  what; its low bits where it is shorter
TEXT ·store8(SB), NOSPLIT, $0-48
	MOVQ a+0(FP), AX
	MOVQ b+8(FP), CX
	MOVB CX, (AX)
	SUCCEED
	RET

// func store16(a, b, n uintptr) (r uint64, sig uint32, code int32, at uintptr)
TEXT ·store16(SB), NOSPLIT, $0-48
	MOVQ a+0(FP), AX
	MOVQ b+8(FP), CX
	MOVW CX, (AX)
	SUCCEED
	RET

// func store32(a, b, n uintptr) (r uint64, sig uint32, code int32, at uintptr)
TEXT ·store32(SB), NOSPLIT, $0-48
	MOVQ a+0(FP), AX
	MOVQ b+8(FP), CX
	MOVL CX, (AX)
	SUCCEED
	RET

// func store64(a, b, n uintptr) (r uint64, sig uint32, code int32, at uintptr)
TEXT ·store64(SB), NOSPLIT, $0-48
	MOVQ a+0(FP), AX
	MOVQ b+8(FP), CX
	MOVQ CX, (AX)
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
//	in   a  DI  to
//	     b  SI  from, at least n bytes away from a
//	     n  CX  how many
//	uses R8  to, of the last 32 bytes
//	     R9  how far to the first multiple of 32
//	     Y0-Y3 a round, Y4 the first 32 bytes, Y5 the last
//
// Nothing outside of the n bytes is touched. In what order they are is nobody's business: after a fault the
// caller copies again, slower, to find out how far that goes.
TEXT ·copyBytes(SB), NOSPLIT, $0-48
	MOVQ a+0(FP), DI
	MOVQ b+8(FP), SI
	MOVQ n+16(FP), CX
	CMPQ CX, $32
	JCS  words
	CMPB ·hasAVX(SB), $0
	JEQ  words

	// The first and the last 32 bytes by themselves, because stores are fast at multiples of 32, and the bytes
	// before the first and after the last multiple are fewer. What is between is copied twice: no harm.
	VMOVDQU (SI), Y4
	VMOVDQU -32(SI)(CX*1), Y5
	LEAQ    -32(DI)(CX*1), R8
	VMOVDQU Y4, (DI)
	MOVQ    DI, R9
	ANDQ    $31, R9
	SUBQ    $32, R9
	SUBQ    R9, DI
	SUBQ    R9, SI
	MOVQ    R8, CX
	SUBQ    DI, CX                   // bytes before the last 32; may be below 0
	SUBQ    $128, CX
	JLT     short
	PCALIGN $32

long: // 128 bytes a round: four loads under way at a time
	VMOVDQU (SI), Y0
	VMOVDQU 32(SI), Y1
	VMOVDQU 64(SI), Y2
	VMOVDQU 96(SI), Y3
	ADDQ    $128, SI
	VMOVDQA Y0, (DI)
	VMOVDQA Y1, 32(DI)
	VMOVDQA Y2, 64(DI)
	VMOVDQA Y3, 96(DI)
	ADDQ    $128, DI
	SUBQ    $128, CX
	JGE     long

short:
	ADDQ $128, CX
	JLE  last

vector:
	VMOVDQU (SI), Y0
	VMOVDQA Y0, (DI)
	ADDQ    $32, SI
	ADDQ    $32, DI
	SUBQ    $32, CX
	JGT     vector

last:
	VMOVDQU Y5, (R8)
	VZEROUPPER       // or SSE instructions after this are slow
	SUCCEED
	RET

words: // 8 bytes a round: few bytes, or an old processor
	SUBQ $8, CX
	JCS  tail

word:
	MOVQ (SI), AX
	MOVQ AX, (DI)
	ADDQ $8, SI
	ADDQ $8, DI
	SUBQ $8, CX
	JCC  word

tail:
	ADDQ $8, CX
	JEQ  done

byte:
	MOVB (SI), AX
	MOVB AX, (DI)
	INCQ SI
	INCQ DI
	DECQ CX
	JNE  byte

done:
	SUCCEED
	RET

// func zeroBytes(a, b, n uintptr) (r uint64, sig uint32, code int32, at uintptr)
//
//	in   a  DI  where from
//	     n  CX  how many
//	uses X0  zero
TEXT ·zeroBytes(SB), NOSPLIT, $0-48
	MOVQ a+0(FP), DI
	MOVQ n+16(FP), CX
	XORQ AX, AX
	PXOR X0, X0
	SUBQ $64, CX
	JCS  few

block:
	MOVOU X0, (DI)
	MOVOU X0, 16(DI)
	MOVOU X0, 32(DI)
	MOVOU X0, 48(DI)
	ADDQ  $64, DI
	SUBQ  $64, CX
	JCC   block

few:
	ADDQ $64, CX
	JEQ  zeroed

one:
	MOVB AX, (DI)
	INCQ DI
	DECQ CX
	JNE  one

zeroed:
	SUCCEED
	RET

// func matchBytes(a, b, n uintptr) (r uint64, sig uint32, code int32, at uintptr)
//
//	in   a   SI
//	     b   DI
//	     n   CX  how many
//	out  r       how many are equal before the first that is not
//	uses BX      bytes seen
//	     AX, DX  words, or a bit for each equal byte
TEXT ·matchBytes(SB), NOSPLIT, $0-48
	MOVQ a+0(FP), SI
	MOVQ b+8(FP), DI
	MOVQ n+16(FP), CX
	XORQ BX, BX
	SUBQ $16, CX
	JCS  rest

sixteen:
	MOVOU    (SI)(BX*1), X0
	MOVOU    (DI)(BX*1), X1
	PCMPEQB  X1, X0
	PMOVMSKB X0, AX
	XORL     $0xffff, AX       // a bit for each that differs
	JNE      differ
	ADDQ     $16, BX
	SUBQ     $16, CX
	JCC      sixteen

rest:
	ADDQ $16, CX
	JEQ  equal

single:
	MOVBLZX (SI)(BX*1), AX
	MOVBLZX (DI)(BX*1), DX
	CMPL    AX, DX
	JNE     equal
	INCQ    BX
	DECQ    CX
	JNE     single

equal:
	MOVQ BX, r+24(FP)
	SUCCEED
	RET

differ:
	BSFL AX, AX
	ADDQ AX, BX
	MOVQ BX, r+24(FP)
	SUCCEED
	RET

TEXT ·guardedEnd(SB), NOSPLIT, $0-0
	UNDEF

// func landed(a, b, n uintptr) (r uint64, sig uint32, code int32, at uintptr)
//
// Where a thread goes on that faulted above, as if its function had jumped here.
//
//	in AX  address of the fault, 0 where the processor gives none
//	   BX  what the processor said: vector in the upper half, error code in the lower
//	   CX  si_code
//	   DX  number of the signal
TEXT ·landed(SB), NOSPLIT, $0-48
	CMPB ·hasAVX(SB), $0
	JEQ  clean
	VZEROUPPER

clean:
	MOVQ BX, r+24(FP)
	MOVL DX, sig+32(FP)
	MOVL CX, code+36(FP)
	MOVQ AX, at+40(FP)
	RET

// Offsets of arch/x86/include/uapi/asm/sigcontext.h within struct ucontext, and of siginfo_t.
#define UC_RBX 128
#define UC_RDX 136
#define UC_RAX 144
#define UC_RCX 152
#define UC_RIP 168
#define UC_ERR 192
#define UC_TRAPNO 200
#define SI_CODE 8
#define SI_ADDR 16
#define BUS_MCEERR_AO 5

// The handler of SIGSEGV and SIGBUS. The kernel calls it with the C convention, on the signal stack that Go
// gave the thread, with all signals blocked.
//
//	in   DI  number of the signal
//	     SI  *siginfo_t
//	     DX  *struct ucontext: the registers of the thread, which are put back when this returns
//	uses AX, CX: the convention lets a function lose them
//
// What is no fault of the code above goes to the handler that was there before, with all registers and the
// stack as the kernel left them, so that it cannot tell the difference.
TEXT ·handler(SB), NOSPLIT|NOFRAME, $0
	MOVQ UC_RIP(DX), AX
	LEAQ ·guardedBegin(SB), CX
	CMPQ AX, CX
	JCS  other
	LEAQ ·guardedEnd(SB), CX
	CMPQ AX, CX
	JCC  other
	MOVL SI_CODE(SI), CX
	CMPL CX, $0
	JLE  other                 // a signal that somebody sent: the code above only happened to run
	CMPL CX, $BUS_MCEERR_AO
	JEQ  other                 // news of memory that is damaged elsewhere

	MOVQ SI_ADDR(SI), AX
	MOVQ AX, UC_RAX(DX)
	MOVQ CX, UC_RCX(DX)
	MOVQ DI, UC_RDX(DX)
	MOVQ UC_TRAPNO(DX), AX
	SHLQ $32, AX
	MOVL UC_ERR(DX), CX        // clears the upper half too
	ORQ  CX, AX
	MOVQ AX, UC_RBX(DX)
	LEAQ ·landed(SB), AX
	MOVQ AX, UC_RIP(DX)
	RET                        // to the trampoline that calls rt_sigreturn

other:
	CMPL DI, $7                // SIGBUS
	JEQ  bus
	MOVQ ·nextSEGV(SB), AX
	JMP  AX

bus:
	MOVQ ·nextBUS(SB), AX
	JMP  AX

// func handlerPC() uintptr
//
// The address of the handler itself; Go would give that of a wrapper.
TEXT ·handlerPC(SB), NOSPLIT, $0-8
	LEAQ ·handler(SB), AX
	MOVQ AX, ret+0(FP)
	RET

// func marks() (begin, end uintptr)
TEXT ·marks(SB), NOSPLIT, $0-16
	LEAQ ·guardedBegin(SB), AX
	MOVQ AX, begin+0(FP)
	LEAQ ·guardedEnd(SB), AX
	MOVQ AX, end+8(FP)
	RET
