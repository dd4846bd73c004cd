#include "textflag.h"

#define SYS_write	64
#define SYS_exit_group	94

#define REPORT	3	// reportFD
#define INFO	128	// infoBytes
#define CONTEXT	1488	// contextBytes
#define CODE	16	// codeBytes

// Offsets in ucontext_t: the registers begin at 184.
#define UC_R20	344
#define UC_R21	352
#define UC_PC	440

DATA ·handlerAddresses+0(SB)/8, $·handlerThatReports(SB)
DATA ·handlerAddresses+8(SB)/8, $·handlerThatSkips(SB)
DATA ·handlerAddresses+16(SB)/8, $0	// the kernel has its own way back, in the vDSO
GLOBL ·handlerAddresses(SB), NOPTR, $24

// The kernel calls a handler with the C convention: R0 signal, R1 siginfo_t, R2 ucontext_t. This one never
// returns, so it keeps nothing.
//
//	R19 ucontext_t, R20 siginfo_t: kept by the kernel through its calls
TEXT ·handlerThatReports(SB), NOSPLIT|NOFRAME, $0
	MOVD	R1, R20
	MOVD	R2, R19
	MOVD	$REPORT, R0
	MOVD	R20, R1
	MOVD	$INFO, R2
	MOVD	$SYS_write, R8
	SVC
	MOVD	$REPORT, R0
	MOVD	R19, R1
	MOVD	$CONTEXT, R2
	MOVD	$SYS_write, R8
	SVC
	// The instruction. Where it cannot be read the kernel writes nothing, or what lies before the edge.
	MOVD	$REPORT, R0
	MOVD	UC_PC(R19), R1
	MOVD	$CODE, R2
	MOVD	$SYS_write, R8
	SVC
	MOVD	ZR, R0
	MOVD	$SYS_exit_group, R8
	SVC
	UNDEF	// not reached

// Has the program go on where its R20 says, with its R21 one higher.
TEXT ·handlerThatSkips(SB), NOSPLIT|NOFRAME, $0
	MOVD	UC_R20(R2), R3
	MOVD	R3, UC_PC(R2)
	MOVD	UC_R21(R2), R3
	ADD	$1, R3
	MOVD	R3, UC_R21(R2)
	RET	// to the vDSO, which calls rt_sigreturn

// func skipping(addr uintptr, write bool) (caught int)
//
//	R20 where to go on after a fault, R21 how many there were: see handlerThatSkips
TEXT ·skipping(SB), NOSPLIT|NOFRAME, $0-24
	MOVD	addr+0(FP), R0
	MOVD	ZR, R21
	MOVD	$resume<>(SB), R20
	MOVBU	write+8(FP), R1
	CBNZ	R1, store
	MOVBU	(R0), R2
	MOVD	R21, caught+16(FP)
	RET
store:
	MOVD	$1, R2
	MOVB	R2, (R0)
	MOVD	R21, caught+16(FP)
	RET

// Where skipping goes on: with its frame, which is none, its stack pointer and its R30.
TEXT resume<>(SB), NOSPLIT|NOFRAME, $0
	MOVD	R21, 24(RSP)	// caught
	RET

// func raise(number int, arg uintptr)
//
//	R0 number, R1 arg
TEXT ·raise(SB), NOSPLIT, $32-16
	MOVD	number+0(FP), R0
	MOVD	arg+8(FP), R1
	CMP	$0, R0
	BEQ	read
	CMP	$1, R0
	BEQ	write
	CMP	$2, R0
	BEQ	execute
	CMP	$3, R0
	BEQ	udf
	CMP	$4, R0
	BEQ	brk
	CMP	$5, R0
	BEQ	mrs
	CMP	$6, R0
	BEQ	pc
	CMP	$7, R0
	BEQ	sp
	CMP	$8, R0
	BEQ	exclusive
	CMP	$9, R0
	BEQ	hvc
	RET

read:
	MOVBU	(R1), R2
	RET
write:
	MOVD	$1, R2
	MOVB	R2, (R1)
	RET
execute:
	JMP	(R1)

udf:
	WORD	$0x00000000	// UDF #0
	RET
brk:
	BRK	$0
	RET
mrs:
	WORD	$0xd538c000	// MRS X0, VBAR_EL1
	RET
hvc:
	HVC	$0
	RET
pc:
	ADR	here, R1
	ADD	$1, R1
here:
	JMP	(R1)
sp:	// the check is made where memory is accessed by it
	MOVD	RSP, R4
	ADD	$1, R4, R2
	MOVD	R2, RSP
	WORD	$0xf94003e3	// LDR X3, [SP]
	MOVD	R4, RSP
	RET
exclusive:
	MOVD	RSP, R2
	ADD	$9, R2
	LDXR	(R2), R3
	RET
