//go:build linux

#include "go_asm.h"
#include "textflag.h"

#define SYS_write 1
#define SYS_rt_sigprocmask 14
#define SYS_execve 59
#define SYS_exit_group 231
#define SYS_clone3 435

#define SIG_SETMASK 2
#define SIGSET_SIZE 8

// func cloneChild(c *cloneCall) (pid uintptr, errno unix.Errno)
//
//	in   c      0(FP)   BX    through all of it: a call changes AX, CX and R11 only
//	out  pid    8(FP)   R12   from clone3
//	     errno 16(FP)
//
// One thread goes in and two processes come out, with the same registers, the same stack pointer and the same
// memory, the child's a copy. Nobody else is in the child: a lock that another thread holds stays locked there, and
// the stack could not grow. So nothing may be called, and a signal handler of Go's least of all.
TEXT ·cloneChild(SB), NOSPLIT, $0-24
	MOVQ c+0(FP), BX

	// Block all signals, for this thread and thus for the child. It cannot fail.
	MOVQ $SYS_rt_sigprocmask, AX
	MOVQ $SIG_SETMASK, DI
	LEAQ cloneCall_all(BX), SI
	LEAQ cloneCall_old(BX), DX
	MOVQ $SIGSET_SIZE, R10
	SYSCALL

	MOVQ $SYS_clone3, AX
	LEAQ cloneCall_args(BX), DI
	MOVQ $cloneArgs__size, SI
	SYSCALL
	TESTQ AX, AX
	JZ   child
	MOVQ AX, R12

	// Parent, or nobody's: unblock, and return the child or the error.
	MOVQ $SYS_rt_sigprocmask, AX
	MOVQ $SIG_SETMASK, DI
	LEAQ cloneCall_old(BX), SI
	XORL DX, DX
	MOVQ $SIGSET_SIZE, R10
	SYSCALL
	TESTQ R12, R12
	JLT  failed
	MOVQ R12, pid+8(FP)
	MOVQ $0, errno+16(FP)
	RET

failed:
	NEGQ R12
	MOVQ $0, pid+8(FP)
	MOVQ R12, errno+16(FP)
	RET

child:
	MOVQ cloneCall_code(BX), R12
	CMPQ cloneCall_path(BX), $0
	JEQ  exit

	// A program starts with the mask of its parent. No handler is left that a signal could find: the kernel has
	// cleared them (CLONE_CLEAR_SIGHAND).
	MOVQ $SYS_rt_sigprocmask, AX
	MOVQ $SIG_SETMASK, DI
	LEAQ cloneCall_old(BX), SI
	XORL DX, DX
	MOVQ $SIGSET_SIZE, R10
	SYSCALL

	MOVQ $SYS_execve, AX
	MOVQ cloneCall_path(BX), DI
	MOVQ cloneCall_argv(BX), SI
	MOVQ cloneCall_env(BX), DX
	SYSCALL // returns only to say why it could not

	NEGQ AX
	MOVQ AX, cloneCall_errno(BX)
	MOVQ $SYS_write, AX
	MOVQ cloneCall_errors(BX), DI
	LEAQ cloneCall_errno(BX), SI
	MOVQ $8, DX
	SYSCALL
	MOVQ $127, R12

exit:
	MOVQ $SYS_exit_group, AX
	MOVQ R12, DI
	SYSCALL
	INT  $3 // not reached
