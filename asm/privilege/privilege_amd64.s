//go:build linux

#include "textflag.h"

// One function an instruction. All have the same shape:
//
//	func (out *[2]uint64)
//
//	in   out  0(FP)  DI   where to leave what was found
//	uses AX, CX, DX; rdtscForbidden SI and R11 too
//
// NOSPLIT and a frame of 0, because most of them fault: whoever looks at the stack then finds it as the caller
// left it. The registers that an instruction takes are set before it, to what does the least harm should it
// ever be carried out.

// The low two bits of CS are the current privilege level, which the processor compares before each of the
// instructions below. Anybody may read them.
TEXT ·readCS(SB), NOSPLIT, $0-8
	MOVQ out+0(FP), DI
	MOVW CS, AX
	MOVWQZX AX, AX
	MOVQ AX, 0(DI)
	RET

// POPF sets the flags, but at this level not the interrupt flag (bit 9): it leaves that as it was and says
// nothing. Hypervisors had to translate kernels before the processor helped them, because of this one: a
// kernel moved out of ring 0 asks for interrupts off, and nobody learns of it.
TEXT ·popf(SB), NOSPLIT, $0-8
	MOVQ out+0(FP), DI
	PUSHFQ
	POPQ AX
	MOVQ AX, 0(DI)    // flags before
	ANDQ $~0x200, AX
	PUSHQ AX
	POPFQ
	PUSHFQ
	POPQ AX
	MOVQ AX, 8(DI)    // flags after
	RET

TEXT ·hlt(SB), NOSPLIT, $0-8
	HLT
	RET

// Refused because the I/O privilege level in RFLAGS, 0, is less than ours, 3. Port instructions are refused
// for the same reason, but there a map of bits in the task segment can allow single ports (ioperm(2)).
TEXT ·cli(SB), NOSPLIT, $0-8
	CLI
	RET

// Port 0x80 takes the codes that firmware shows while it starts; nothing listens any more.
TEXT ·in(SB), NOSPLIT, $0-8
	MOVL $0x80, DX
	INB             // IN AL, DX
	RET

TEXT ·outb(SB), NOSPLIT, $0-8
	MOVL $0x80, DX
	XORL AX, AX
	OUTB            // OUT DX, AL
	RET

// Control registers cannot even be read: CR3 is where the page tables are, CR0 whether there are any.
TEXT ·readCR0(SB), NOSPLIT, $0-8
	MOVQ CR0, AX
	RET

TEXT ·writeCR3(SB), NOSPLIT, $0-8
	XORL AX, AX
	MOVQ AX, CR3
	RET

TEXT ·writeDR7(SB), NOSPLIT, $0-8
	XORL AX, AX
	MOVQ AX, DR7
	RET

// The level is looked at before the memory operand is, so that it does not matter what is there.
TEXT ·lgdt(SB), NOSPLIT, $0-8
	MOVQ out+0(FP), DI
	LGDT (DI)
	RET

TEXT ·lidt(SB), NOSPLIT, $0-8
	MOVQ out+0(FP), DI
	LIDT (DI)
	RET

// Model-specific register 0x10 is the time-stamp counter, which RDTSC reads for anybody.
TEXT ·rdmsr(SB), NOSPLIT, $0-8
	MOVL $0x10, CX
	RDMSR
	RET

// 0xC0000082, LSTAR, is where SYSCALL jumps to. Whoever could write it would own the kernel.
TEXT ·wrmsr(SB), NOSPLIT, $0-8
	MOVL $0xc0000082, CX
	XORL AX, AX
	XORL DX, DX
	WRMSR
	RET

TEXT ·invlpg(SB), NOSPLIT, $0-8
	MOVQ out+0(FP), DI
	INVLPG (DI)
	RET

TEXT ·wbinvd(SB), NOSPLIT, $0-8
	WBINVD
	RET

// The kernel's first instruction after SYSCALL: it makes GS point at the data of this CPU.
TEXT ·swapgs(SB), NOSPLIT, $0-8
	SWAPGS
	RET

// Going down is a privilege too: it loads the flags and the program counter from registers.
TEXT ·sysret(SB), NOSPLIT, $0-8
	SYSRET
	RET

// Intel refuses it with #GP like the rest. AMD has no SYSEXIT in 64-bit mode: #UD.
TEXT ·sysexit(SB), NOSPLIT, $0-8
	SYSEXIT
	RET

// The few instructions that are younger than 64-bit mode say #UD to the wrong level, as if they were unknown.
TEXT ·stac(SB), NOSPLIT, $0-8
	STAC
	RET

// A program may raise only those interrupts whose gate lets level 3 in: 3, 4 and, for 32-bit system calls,
// 0x80. Any other is a #GP whose error code names the gate: 14*8 + 2.
TEXT ·intPageFault(SB), NOSPLIT, $0-8
	INT $14
	RET

// Whether level 3 may read counters is a bit that the kernel sets, CR4.PCE: where a process has a perf event
// mapped, or everywhere (/sys/bus/event_source/devices/cpu/rdpmc). A bit of the same kind is CR4.TSD, below.
TEXT ·rdpmc(SB), NOSPLIT, $0-8
	MOVQ out+0(FP), DI
	XORL CX, CX
	RDPMC
	SHLQ $32, DX
	ORQ  DX, AX
	MOVQ AX, 0(DI)
	RET

TEXT ·rdtsc(SB), NOSPLIT, $0-8
	MOVQ out+0(FP), DI
	RDTSC
	SHLQ $32, DX
	ORQ  DX, AX
	MOVQ AX, 0(DI)
	RET

// The same after prctl(PR_SET_TSC, PR_TSC_SIGSEGV), by which a thread gives its clock up: record-and-replay
// debuggers do it, since the counter is an input that they must see. Between the two instructions nobody else
// may look at the clock on this thread, least of all the Go runtime: so both are here.
TEXT ·rdtscForbidden(SB), NOSPLIT, $0-8
	MOVQ $157, AX   // SYS_prctl
	MOVQ $26, DI    // PR_SET_TSC
	MOVQ $2, SI     // PR_TSC_SIGSEGV
	SYSCALL
	MOVQ out+0(FP), DI
	MOVQ AX, 8(DI)  // 0, or the error, negated
	RDTSC
	SHLQ $32, DX
	ORQ  DX, AX
	MOVQ AX, 0(DI)
	RET

// These four tell where the kernel has its tables, and for decades told everybody. With UMIP they are #GP at
// this level, but programs live that use them (Wine runs some), so the kernel carries them out in its handler,
// with values that tell nothing: see arch/x86/kernel/umip.c. What is stored is 2 bytes of limit, then 8 of
// base; six bytes into out, the base falls into the second word.
TEXT ·sgdt(SB), NOSPLIT, $0-8
	MOVQ out+0(FP), DI
	SGDT 6(DI)
	MOVWQZX 6(DI), AX
	MOVQ AX, 0(DI)
	RET

TEXT ·sidt(SB), NOSPLIT, $0-8
	MOVQ out+0(FP), DI
	SIDT 6(DI)
	MOVWQZX 6(DI), AX
	MOVQ AX, 0(DI)
	RET

TEXT ·smsw(SB), NOSPLIT, $0-8
	MOVQ out+0(FP), DI
	XORL AX, AX
	SMSWL AX
	MOVQ AX, 0(DI)
	RET

TEXT ·str(SB), NOSPLIT, $0-8
	MOVQ out+0(FP), DI
	XORL AX, AX
	STRL AX
	MOVQ AX, 0(DI)
	RET

// For comparison, two that are no matter of privilege: one that no processor will ever know, and one that is
// there to be caught. UD2 is a fault, so the program stands before it; INT3 is a trap, and it stands behind.
TEXT ·ud2(SB), NOSPLIT, $0-8
	UD2
	RET

TEXT ·int3(SB), NOSPLIT, $0-8
	INT $3
	RET

// The signal handler, which the kernel calls as a C function on the signal stack:
//
//	in   DI  number of the signal
//	     SI  siginfo_t: why it came
//	     DX  ucontext_t: all registers at that moment
//	uses R8  ucontext_t, while DX is a length; AX
//
// It writes both structures to descriptor 3 and returns, so that the instruction is carried out again; by
// then the kernel has put the default action back (SA_RESETHAND), and ends the process. The frame has to be
// none: RET takes the address of restorer, which the kernel put there, from the stack.
TEXT ·handler(SB), NOSPLIT|NOFRAME, $0-0
	MOVQ DX, R8
	MOVQ $1, AX     // SYS_write
	MOVQ $3, DI
	MOVQ $128, DX   // the size of siginfo_t
	SYSCALL
	MOVQ $1, AX
	MOVQ R8, SI
	MOVQ $512, DX   // of ucontext_t, what has the registers
	SYSCALL
	RET

// Has the kernel put all registers back from the ucontext_t, which is what the stack points at now.
TEXT ·restorer(SB), NOSPLIT|NOFRAME, $0-0
	MOVQ $15, AX    // SYS_rt_sigreturn
	SYSCALL
	UD2

DATA ·handlers+0(SB)/8, $·handler(SB)
DATA ·handlers+8(SB)/8, $·restorer(SB)
GLOBL ·handlers(SB), RODATA|NOPTR, $16

DATA ·entries+0(SB)/8, $·readCS(SB)
DATA ·entries+8(SB)/8, $·popf(SB)
DATA ·entries+16(SB)/8, $·hlt(SB)
DATA ·entries+24(SB)/8, $·cli(SB)
DATA ·entries+32(SB)/8, $·in(SB)
DATA ·entries+40(SB)/8, $·outb(SB)
DATA ·entries+48(SB)/8, $·readCR0(SB)
DATA ·entries+56(SB)/8, $·writeCR3(SB)
DATA ·entries+64(SB)/8, $·writeDR7(SB)
DATA ·entries+72(SB)/8, $·lgdt(SB)
DATA ·entries+80(SB)/8, $·lidt(SB)
DATA ·entries+88(SB)/8, $·rdmsr(SB)
DATA ·entries+96(SB)/8, $·wrmsr(SB)
DATA ·entries+104(SB)/8, $·invlpg(SB)
DATA ·entries+112(SB)/8, $·wbinvd(SB)
DATA ·entries+120(SB)/8, $·swapgs(SB)
DATA ·entries+128(SB)/8, $·sysret(SB)
DATA ·entries+136(SB)/8, $·sysexit(SB)
DATA ·entries+144(SB)/8, $·stac(SB)
DATA ·entries+152(SB)/8, $·intPageFault(SB)
DATA ·entries+160(SB)/8, $·rdpmc(SB)
DATA ·entries+168(SB)/8, $·rdtsc(SB)
DATA ·entries+176(SB)/8, $·rdtscForbidden(SB)
DATA ·entries+184(SB)/8, $·sgdt(SB)
DATA ·entries+192(SB)/8, $·sidt(SB)
DATA ·entries+200(SB)/8, $·smsw(SB)
DATA ·entries+208(SB)/8, $·str(SB)
DATA ·entries+216(SB)/8, $·ud2(SB)
DATA ·entries+224(SB)/8, $·int3(SB)
GLOBL ·entries(SB), RODATA|NOPTR, $232
