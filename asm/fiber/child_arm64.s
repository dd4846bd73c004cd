//go:build linux

#include "go_asm.h"
#include "textflag.h"

// From the kernel's asm-generic/unistd.h, linux/sched.h, linux/prctl.h and asm-generic/signal-defs.h.
#define SYS_exit_group     94
#define SYS_rt_sigaction   134
#define SYS_rt_sigprocmask 135
#define SYS_prctl          167
#define SYS_clone          220
#define PR_SET_PDEATHSIG   1
#define SIGBUS             7
#define SIGKILL            9
#define SIGSEGV            11
#define SIGCHLD            17
#define SIG_SETMASK        2

// In siginfo_t, and in ucontext_t: uc_mcontext is at 176 and has the fault's address, R0 to R30, SP and PC.
#define SI_CODE 8
#define SI_ADDR 16
#define UC_SP   432
#define UC_PC   440

// func startChild(s *sched, c *child) int
//
//	in   s     0(FP)  for run, in the child
//	     c     8(FP)  R20
//	out  ret  16(FP)  R0   process number of the child, or errno, negated
//
// One SVC returns twice. In the parent, this is a system call and no more. In the child, which has a copy of
// all memory but of the threads only this one, Go could not run: its collector would wait for threads that
// are not there. So everything until the exit is here.
TEXT ·startChild(SB), NOSPLIT, $16-24
	MOVD c+8(FP), R20

	// clone(SIGCHLD, same stack, none, none, none): fork(2), in its raw form.
	MOVD $SYS_clone, R8
	MOVD $SIGCHLD, R0
	MOVD ZR, R1
	MOVD ZR, R2
	MOVD ZR, R3
	MOVD ZR, R4
	SVC
	CBZ  R0, copy
	MOVD R0, ret+16(FP)
	RET

copy:
	// A fiber may never yield: when the thread that waits for the copy dies, the kernel is to kill the copy.
	MOVD $SYS_prctl, R8
	MOVD $PR_SET_PDEATHSIG, R0
	MOVD $SIGKILL, R1
	SVC

	// The handler is called by the kernel, with no argument of ours. What is written here is the child's copy.
	MOVD child_report(R20), R0
	MOVD R0, report<>(SB)

	// Faults come to our handler, and only they come.
	MOVD $SYS_rt_sigaction, R8
	MOVD $SIGSEGV, R0
	ADD  $child_action, R20, R1
	MOVD ZR, R2
	MOVD $8, R3
	SVC
	MOVD $SYS_rt_sigaction, R8
	MOVD $SIGBUS, R0
	ADD  $child_action, R20, R1
	MOVD ZR, R2
	MOVD $8, R3
	SVC
	MOVD $SYS_rt_sigprocmask, R8
	MOVD $SIG_SETMASK, R0
	ADD  $child_mask, R20, R1
	MOVD ZR, R2
	MOVD $8, R3
	SVC

	MOVD s+0(FP), R0
	MOVD R0, 8(RSP) // the argument of run: above the link register
	CALL ·run(SB)

	MOVD s+0(FP), R9
	MOVD sched_budget(R9), R1
	MOVD report<>(SB), R2
	MOVD R1, report_left(R2)
	MOVD ZR, R0
	MOVD $SYS_exit_group, R8
	SVC
	BRK // not reached

// fault is the signal handler, on the signal stack.
//
//	in   R0  signal   R1  *siginfo_t   R2  *ucontext_t, the registers at the fault
TEXT fault<>(SB), NOSPLIT|NOFRAME|TOPFRAME, $0-0
	MOVD report<>(SB), R3
	MOVWU R0, R0
	MOVD R0, report_signal(R3)
	MOVW SI_CODE(R1), R4
	MOVD R4, report_code(R3)
	MOVD SI_ADDR(R1), R4
	MOVD R4, report_addr(R3)
	MOVD UC_PC(R2), R4
	MOVD R4, report_pc(R3)
	MOVD UC_SP(R2), R4
	MOVD R4, report_sp(R3)
	MOVD $1, R0
	MOVD $SYS_exit_group, R8
	SVC
	BRK // not reached

GLOBL report<>(SB), NOPTR, $8

DATA ·faultEntry(SB)/8, $fault<>(SB)
GLOBL ·faultEntry(SB), RODATA|NOPTR, $8
