#include "go_asm.h"
#include "textflag.h"

// Numbers of include/uapi/asm-generic/unistd.h.
#define SYS_ioctl	29
#define SYS_read	63
#define SYS_exit	93
#define SYS_clone	220
#define SYS_mprotect	226

#define EINTR	4
#define UFFDIO_WAKE	0x8010aa02

// CLONE_VM|FS|FILES|SIGHAND|THREAD|SYSVSEM: a thread of this process. PARENT_SETTID: tid is written before clone
// returns. CHILD_CLEARTID: the kernel clears it, and wakes who waits for that, when the thread has ended.
#define FLAGS	0x350f00

// func guardStart(args unsafe.Pointer) int64
//
//	R19 args: the kernel keeps it through every call, in the new thread too
//	R8 number of a call; R0..R4 its arguments, R0 its result
TEXT ·guardStart(SB), NOSPLIT, $0-16
	MOVD	args+0(FP), R19
	MOVD	$FLAGS, R0
	MOVD	guardArgs_stack(R19), R1
	ADD	$guardArgs_tid, R19, R2	// parent's tid word
	MOVD	ZR, R3	// thread pointer: it has no use for one
	ADD	$guardArgs_tid, R19, R4	// child's tid word, which is the same
	MOVD	$SYS_clone, R8
	SVC
	CBZ	R0, thread
	MOVD	R0, ret+8(FP)
	RET

	// From here on it is the new thread, which never returns to Go: it has no g.
thread:
	// A command is a range to close.
	MOVD	guardArgs_socket(R19), R0
	ADD	$guardArgs_command, R19, R1
	MOVD	$16, R2
	MOVD	$SYS_read, R8
	SVC
	CMN	$EINTR, R0
	BEQ	thread
	CMP	$16, R0
	BNE	all
	ADD	$guardArgs_command, R19, R20
	MOVD	ZR, R21	// not the last
	B	close

	// Anything else is the end: of the handler, or of the region.
all:
	ADD	$guardArgs_all, R19, R20
	MOVD	$1, R21

	// Out of reach first, so that who is woken meets a signal and no page of zeros.
close:
	MOVD	0(R20), R0
	MOVD	8(R20), R1
	MOVD	ZR, R2	// PROT_NONE
	MOVD	$SYS_mprotect, R8
	SVC
	MOVD	R0, R22
	MOVD	guardArgs_uffd(R19), R0
	MOVD	$UFFDIO_WAKE, R1
	MOVD	R20, R2
	MOVD	$SYS_ioctl, R8
	SVC
	CBNZ	R21, exit
	// The kernel has a limit of mappings. Where one page cannot be closed, all are: that takes none.
	CBNZ	R22, all
	B	thread

exit:
	MOVD	ZR, R0
	MOVD	$SYS_exit, R8
	SVC
	UNDEF	// not reached
