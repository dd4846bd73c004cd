#include "textflag.h"

#define SYS_write	1
#define SYS_rt_sigreturn	15
#define SYS_exit_group	231

#define REPORT	3	// reportFD
#define INFO	128	// infoBytes
#define CONTEXT	512	// contextBytes
#define CODE	16	// codeBytes

// Offsets in ucontext_t.
#define UC_R12	0x48
#define UC_R13	0x50
#define UC_RIP	0xa8
#define UC_TRAPNO	0xc8

DATA ·handlerAddresses+0(SB)/8, $·handlerThatReports(SB)
DATA ·handlerAddresses+8(SB)/8, $·handlerThatSkips(SB)
DATA ·handlerAddresses+16(SB)/8, $·returnFromHandler(SB)
GLOBL ·handlerAddresses(SB), NOPTR, $24

// The kernel calls a handler with the C convention: DI signal, SI siginfo_t, DX ucontext_t. This one never
// returns, so it keeps nothing.
//
//	R12 ucontext_t, R13 siginfo_t: kept by the kernel through its calls
TEXT ·handlerThatReports(SB), NOSPLIT|NOFRAME, $0
	MOVQ	SI, R13
	MOVQ	DX, R12
	MOVQ	$SYS_write, AX
	MOVQ	$REPORT, DI
	MOVQ	R13, SI
	MOVQ	$INFO, DX
	SYSCALL
	MOVQ	$SYS_write, AX
	MOVQ	$REPORT, DI
	MOVQ	R12, SI
	MOVQ	$CONTEXT, DX
	SYSCALL
	// The instruction. Where it cannot be read the kernel writes nothing, or what lies before the edge. After #DB, #BP
	// and #OF it lies behind: two bytes at the most.
	MOVQ	UC_RIP(R12), SI
	MOVQ	UC_TRAPNO(R12), AX
	CMPQ	AX, $1
	JEQ	behind
	CMPQ	AX, $3
	JEQ	behind
	CMPQ	AX, $4
	JNE	code
behind:
	SUBQ	$2, SI
code:
	MOVQ	$SYS_write, AX
	MOVQ	$REPORT, DI
	MOVQ	$CODE, DX
	SYSCALL
	MOVQ	$SYS_exit_group, AX
	XORL	DI, DI
	SYSCALL
	INT	$3	// not reached

// Has the program go on where its R12 says, with its R13 one higher.
TEXT ·handlerThatSkips(SB), NOSPLIT|NOFRAME, $0
	MOVQ	UC_R12(DX), AX
	MOVQ	AX, UC_RIP(DX)
	INCQ	UC_R13(DX)
	RET	// to the restorer

TEXT ·returnFromHandler(SB), NOSPLIT|NOFRAME, $0
	MOVQ	$SYS_rt_sigreturn, AX
	SYSCALL
	INT	$3	// not reached

// func skipping(addr uintptr, write bool) (caught int)
//
//	R12 where to go on after a fault, R13 how many there were: see handlerThatSkips
TEXT ·skipping(SB), NOSPLIT, $0-24
	MOVQ	addr+0(FP), AX
	XORL	R13, R13
	LEAQ	resume<>(SB), R12
	MOVBLZX	write+8(FP), CX
	TESTL	CX, CX
	JNZ	store
	MOVB	(AX), BX
	MOVQ	R13, caught+16(FP)
	RET
store:
	MOVB	$1, (AX)
	MOVQ	R13, caught+16(FP)
	RET

// Where skipping goes on: with its frame, which is none, and its stack pointer.
TEXT resume<>(SB), NOSPLIT|NOFRAME, $0
	MOVQ	R13, 24(SP)	// caught
	RET

// func raise(number int, arg uintptr)
//
//	AX number, BX arg
TEXT ·raise(SB), NOSPLIT, $16-16
	MOVQ	number+0(FP), AX
	MOVQ	arg+8(FP), BX
	CMPQ	AX, $0
	JEQ	read
	CMPQ	AX, $1
	JEQ	write
	CMPQ	AX, $2
	JEQ	execute
	CMPQ	AX, $3
	JEQ	divide
	CMPQ	AX, $4
	JEQ	overflow
	CMPQ	AX, $5
	JEQ	step
	CMPQ	AX, $6
	JEQ	int1
	CMPQ	AX, $7
	JEQ	int3
	CMPQ	AX, $8
	JEQ	int4
	CMPQ	AX, $9
	JEQ	ud2
	CMPQ	AX, $10
	JEQ	stack
	CMPQ	AX, $11
	JEQ	hlt
	CMPQ	AX, $12
	JEQ	int13
	CMPQ	AX, $13
	JEQ	x87
	CMPQ	AX, $14
	JEQ	alignment
	CMPQ	AX, $15
	JEQ	sse
	RET

read:
	MOVB	(BX), AX
	RET
write:
	MOVB	$1, (BX)
	RET
execute:
	JMP	BX

divide:
	XORL	DX, DX
	XORL	CX, CX
	DIVQ	CX
	RET
overflow:	// the quotient, 2^63, has no room
	MOVQ	$(1<<63), AX
	MOVQ	$-1, DX
	MOVQ	$-1, CX
	IDIVQ	CX
	RET

step:	// the trap comes after the instruction that follows POPFQ
	PUSHFQ
	ORQ	$0x100, 0(SP)
	POPFQ
	XORL	AX, AX
	RET
int1:
	BYTE	$0xf1
	RET
int3:
	BYTE	$0xcc
	RET
int4:
	INT	$4
	RET
int13:
	INT	$13
	RET
ud2:
	UD2
	RET
hlt:
	HLT
	RET

stack:	// an address by BP belongs to the stack segment
	MOVQ	BP, CX
	MOVQ	BX, BP
	MOVB	(BP), AX
	MOVQ	CX, BP
	RET

x87:	// the control word without the bit that masks division by zero; the exception comes with the next instruction
	MOVW	$0x37b, 0(SP)
	FLDCW	0(SP)
	BYTE	$0xd9; BYTE	$0xe8	// FLD1
	BYTE	$0xd9; BYTE	$0xee	// FLDZ
	BYTE	$0xde; BYTE	$0xf9	// FDIVP
	BYTE	$0x9b	// FWAIT
	RET

alignment:	// the kernel has CR0.AM set; the flag is the program's
	LEAQ	0(SP), CX
	PUSHFQ
	ORQ	$0x40000, 0(SP)
	POPFQ
	MOVL	1(CX), AX
	PUSHFQ
	ANDQ	$~0x40000, 0(SP)
	POPFQ
	RET

sse:	// MXCSR likewise
	MOVL	$0x1d80, 0(SP)
	LDMXCSR	0(SP)
	MOVL	$0x3f800000, AX
	MOVQ	AX, X0
	XORPS	X1, X1
	DIVSS	X1, X0
	MOVL	$0x1f80, 0(SP)
	LDMXCSR	0(SP)
	RET
