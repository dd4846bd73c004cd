//go:build linux

#include "go_asm.h"
#include "textflag.h"

// From the kernel's asm/unistd_64.h, linux/sched.h, linux/prctl.h and asm-generic/signal-defs.h.
#define SYS_rt_sigaction   13
#define SYS_rt_sigprocmask 14
#define SYS_clone          56
#define SYS_prctl          157
#define SYS_exit_group     231
#define PR_SET_PDEATHSIG   1
#define SIGBUS             7
#define SIGKILL            9
#define SIGSEGV            11
#define SIGCHLD            17
#define SIG_SETMASK        2

// In siginfo_t, and in ucontext_t: uc_mcontext is at 40 and has the registers R8 to R15, DI, SI, BP, BX, DX, AX,
// CX, SP, IP.
#define SI_CODE 8
#define SI_ADDR 16
#define UC_SP   160
#define UC_IP   168

// func startChild(s *sched, c *child) int
//
//	in   s     0(FP)  for run, in the child
//	     c     8(FP)  R12
//	out  ret  16(FP)  AX   process number of the child, or errno, negated
//
// One CALL of the kernel returns twice. In the parent, this is a system call and no more. In the child, which
// has a copy of all memory but of the threads only this one, Go could not run: its collector would wait
// for threads that are not there. So everything until the exit is here.
TEXT ·startChild(SB), NOSPLIT, $8-24
	MOVQ c+8(FP), R12

	// clone(SIGCHLD, same stack, none, none, none): fork(2), in its raw form.
	MOVL $SYS_clone, AX
	MOVL $SIGCHLD, DI
	XORL SI, SI
	XORL DX, DX
	XORL R10, R10
	XORL R8, R8
	SYSCALL
	TESTQ AX, AX
	JEQ  copy
	MOVQ AX, ret+16(FP)
	RET

copy:
	// A fiber may never yield: when the thread that waits for the copy dies, the kernel is to kill the copy.
	MOVL $SYS_prctl, AX
	MOVL $PR_SET_PDEATHSIG, DI
	MOVL $SIGKILL, SI
	SYSCALL

	// The handler is called by the kernel, with no argument of ours. What is written here is the child's copy.
	MOVQ child_report(R12), AX
	MOVQ AX, report<>(SB)

	// Faults come to our handler, and only they come.
	MOVL $SYS_rt_sigaction, AX
	MOVL $SIGSEGV, DI
	LEAQ child_action(R12), SI
	XORL DX, DX
	MOVL $8, R10
	SYSCALL
	MOVL $SYS_rt_sigaction, AX
	MOVL $SIGBUS, DI
	LEAQ child_action(R12), SI
	XORL DX, DX
	MOVL $8, R10
	SYSCALL
	MOVL $SYS_rt_sigprocmask, AX
	MOVL $SIG_SETMASK, DI
	LEAQ child_mask(R12), SI
	XORL DX, DX
	MOVL $8, R10
	SYSCALL

	MOVQ s+0(FP), AX
	MOVQ AX, 0(SP) // the argument of run
	CALL ·run(SB)

	MOVQ s+0(FP), R9
	MOVQ sched_budget(R9), CX
	MOVQ report<>(SB), AX
	MOVQ CX, report_left(AX)
	XORL DI, DI
	MOVL $SYS_exit_group, AX
	SYSCALL
	INT $3 // not reached

// fault is the signal handler, on the signal stack.
//
//	in   DI  signal   SI  *siginfo_t   DX  *ucontext_t, the registers at the fault
TEXT fault<>(SB), NOSPLIT|NOFRAME|TOPFRAME, $0-0
	MOVQ report<>(SB), AX
	MOVLQZX DI, DI
	MOVQ DI, report_signal(AX)
	MOVLQSX SI_CODE(SI), CX
	MOVQ CX, report_code(AX)
	MOVQ SI_ADDR(SI), CX
	MOVQ CX, report_addr(AX)
	MOVQ UC_IP(DX), CX
	MOVQ CX, report_pc(AX)
	MOVQ UC_SP(DX), CX
	MOVQ CX, report_sp(AX)
	MOVL $1, DI
	MOVL $SYS_exit_group, AX
	SYSCALL
	INT $3 // not reached

GLOBL report<>(SB), NOPTR, $8

DATA ·faultEntry(SB)/8, $fault<>(SB)
GLOBL ·faultEntry(SB), RODATA|NOPTR, $8
