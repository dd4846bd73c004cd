#include "go_asm.h"
#include "textflag.h"

// Numbers of arch/x86/entry/syscalls/syscall_64.tbl.
#define SYS_read	0
#define SYS_mprotect	10
#define SYS_ioctl	16
#define SYS_clone	56
#define SYS_exit	60

#define EINTR	4
#define UFFDIO_WAKE	0x8010aa02

// CLONE_VM|FS|FILES|SIGHAND|THREAD|SYSVSEM: a thread of this process. PARENT_SETTID: tid is written before clone
// returns. CHILD_CLEARTID: the kernel clears it, and wakes who waits for that, when the thread has ended.
#define FLAGS	0x350f00

// func guardStart(args unsafe.Pointer) int64
//
//	R12 args: the kernel keeps it through every call, in the new thread too
//	AX number of a call, then its result; DI, SI, DX, R10, R8 its arguments; it destroys CX and R11
TEXT ·guardStart(SB), NOSPLIT, $0-16
	MOVQ	args+0(FP), R12
	MOVQ	$SYS_clone, AX
	MOVQ	$FLAGS, DI
	MOVQ	guardArgs_stack(R12), SI
	LEAQ	guardArgs_tid(R12), DX	// parent's tid word
	LEAQ	guardArgs_tid(R12), R10	// child's, which is the same
	XORL	R8, R8
	SYSCALL
	TESTQ	AX, AX
	JZ	thread
	MOVQ	AX, ret+8(FP)
	RET

	// From here on it is the new thread, which never returns to Go: it has no g.
thread:
	// A command is a range to close.
	MOVQ	$SYS_read, AX
	MOVQ	guardArgs_socket(R12), DI
	LEAQ	guardArgs_command(R12), SI
	MOVQ	$16, DX
	SYSCALL
	CMPQ	AX, $-EINTR
	JEQ	thread
	CMPQ	AX, $16
	JNE	all
	LEAQ	guardArgs_command(R12), R13
	XORL	R14, R14	// not the last
	JMP	close

	// Anything else is the end: of the handler, or of the region.
all:
	LEAQ	guardArgs_all(R12), R13
	MOVQ	$1, R14

	// Out of reach first, so that who is woken meets a signal and no page of zeros.
close:
	MOVQ	$SYS_mprotect, AX
	MOVQ	0(R13), DI
	MOVQ	8(R13), SI
	XORL	DX, DX	// PROT_NONE
	SYSCALL
	MOVQ	AX, R15
	MOVQ	$SYS_ioctl, AX
	MOVQ	guardArgs_uffd(R12), DI
	MOVQ	$UFFDIO_WAKE, SI
	MOVQ	R13, DX
	SYSCALL
	TESTQ	R14, R14
	JNZ	exit
	// The kernel has a limit of mappings. Where one page cannot be closed, all are: that takes none.
	TESTQ	R15, R15
	JNZ	all
	JMP	thread

exit:
	MOVQ	$SYS_exit, AX
	XORL	DI, DI
	SYSCALL
	INT	$3	// not reached
