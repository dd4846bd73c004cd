//go:build linux

#include "go_asm.h"
#include "textflag.h"

#define SYS_write 64
#define SYS_exit_group 94
#define SYS_rt_sigprocmask 135
#define SYS_execve 221
#define SYS_clone3 435

#define SIG_SETMASK 2
#define SIGSET_SIZE 8

// func cloneChild(c *cloneCall) (pid uintptr, errno unix.Errno)
//
//	in   c      0(FP)   R19   through all of it: a call changes R0 only
//	out  pid    8(FP)   R20   from clone3
//	     errno 16(FP)
//
// One thread goes in and two processes come out, with the same registers, the same stack pointer and the same
// memory, the child's a copy. Nobody else is in the child: a lock that another thread holds stays locked there, and
// the stack could not grow. So nothing may be called, and a signal handler of Go's least of all.
TEXT ·cloneChild(SB), NOSPLIT, $0-24
	MOVD c+0(FP), R19

	// Block all signals, for this thread and thus for the child. It cannot fail.
	MOVD $SYS_rt_sigprocmask, R8
	MOVD $SIG_SETMASK, R0
	ADD  $cloneCall_all, R19, R1
	ADD  $cloneCall_old, R19, R2
	MOVD $SIGSET_SIZE, R3
	SVC

	MOVD $SYS_clone3, R8
	ADD  $cloneCall_args, R19, R0
	MOVD $cloneArgs__size, R1
	SVC
	CBZ  R0, child
	MOVD R0, R20

	// Parent, or nobody's: unblock, and return the child or the error.
	MOVD $SYS_rt_sigprocmask, R8
	MOVD $SIG_SETMASK, R0
	ADD  $cloneCall_old, R19, R1
	MOVD ZR, R2
	MOVD $SIGSET_SIZE, R3
	SVC
	TBNZ $63, R20, failed
	MOVD R20, pid+8(FP)
	MOVD ZR, errno+16(FP)
	RET

failed:
	NEG  R20, R20
	MOVD ZR, pid+8(FP)
	MOVD R20, errno+16(FP)
	RET

child:
	MOVD cloneCall_code(R19), R20
	MOVD cloneCall_path(R19), R21
	CBZ  R21, exit

	// A program starts with the mask of its parent. No handler is left that a signal could find: the kernel has
	// cleared them (CLONE_CLEAR_SIGHAND).
	MOVD $SYS_rt_sigprocmask, R8
	MOVD $SIG_SETMASK, R0
	ADD  $cloneCall_old, R19, R1
	MOVD ZR, R2
	MOVD $SIGSET_SIZE, R3
	SVC

	MOVD $SYS_execve, R8
	MOVD R21, R0
	MOVD cloneCall_argv(R19), R1
	MOVD cloneCall_env(R19), R2
	SVC // returns only to say why it could not

	NEG  R0, R0
	MOVD R0, cloneCall_errno(R19)
	MOVD $SYS_write, R8
	MOVD cloneCall_errors(R19), R0
	ADD  $cloneCall_errno, R19, R1
	MOVD $8, R2
	SVC
	MOVD $127, R20

exit:
	MOVD $SYS_exit_group, R8
	MOVD R20, R0
	SVC
	UNDEF // not reached
