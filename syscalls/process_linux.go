package syscalls

import (
	"os"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Getcpu returns the processor and the NUMA node on which the calling thread runs at this moment; it may be another
// when the call returns, unless the thread is bound to one. This is the real call; where the kernel has it in the
// vDSO, that is many times faster (package vdso).
//
// Errors: ENOSYS. Since Linux 2.6.19. No privilege. Safe for concurrent use. getcpu(2).
func Getcpu() (cpu, node int, err error) {
	var c, n uint32
	_, _, errno := RawSyscall6(unix.SYS_GETCPU, uintptr(unsafe.Pointer(&c)), uintptr(unsafe.Pointer(&n)), 0, 0, 0, 0)
	if errno != 0 {
		return 0, 0, os.NewSyscallError("getcpu", errno)
	}
	return int(c), int(n), nil
}

// ProcessMrelease frees the memory of a process that was killed but takes its time to die, in the context of the
// caller. It must be dying already, and so must all who share its memory.
//
// Errors: EINVAL, the process is not dying, or shares memory with one that is not; ESRCH, it has no memory any more;
// EBADF, no pidfd; EAGAIN, its memory is being changed just now; EINTR, nothing retries; ENOSYS, also without CONFIG_MMU.
//
// Since Linux 5.15. No privilege over the process is needed. Safe for concurrent use. It may take long for much memory and
// is cooperative. process_mrelease(2).
func ProcessMrelease(pidfd int) error {
	_, _, errno := Syscall6(unix.SYS_PROCESS_MRELEASE, uintptr(pidfd), 0, 0, 0, 0, 0)
	if errno != 0 {
		return os.NewSyscallError("process_mrelease", errno)
	}
	return nil
}

// A PersonalityFlags is an execution domain, in its low byte, and flags that change how a thread's system calls behave.
type PersonalityFlags uint32

// Domains and flags of [Personality], from <linux/personality.h>. Flags that no kernel of today looks at have no name here.
const (
	PER_LINUX            PersonalityFlags = 0         // Linux itself
	PER_LINUX32          PersonalityFlags = 8         // uname(2) names the 32-bit machine; EINVAL on arm64 without AArch32
	PER_MASK             PersonalityFlags = 0xff      // the bits of the domain
	UNAME26              PersonalityFlags = 0x20000   // uname(2) says 2.6.x; since 3.1
	ADDR_NO_RANDOMIZE    PersonalityFlags = 0x40000   // programs executed from here are not randomized; since 2.6.12
	MMAP_PAGE_ZERO       PersonalityFlags = 0x100000  // executed programs have page 0 mapped, to read
	ADDR_COMPAT_LAYOUT   PersonalityFlags = 0x200000  // the old layout: mappings grow up
	READ_IMPLIES_EXEC    PersonalityFlags = 0x400000  // PROT_READ means PROT_EXEC in mmap(2)
	ADDR_LIMIT_32BIT     PersonalityFlags = 0x800000  // addresses of 32 bits
	WHOLE_SECONDS        PersonalityFlags = 0x2000000 // times of select(2) and others without fractions: of no effect
	STICKY_TIMEOUTS      PersonalityFlags = 0x4000000 // select(2) and others leave their timeout as it is
	ADDR_LIMIT_3GB       PersonalityFlags = 0x8000000 // addresses below 3 GiB, for 32-bit programs
	personalityUnchanged                  = 0xffffffff
)

// String names the flags as <linux/personality.h> does, and the domain by its number where it is not PER_LINUX.
func (p PersonalityFlags) String() string {
	return flagNames(uint64(p), []flagName{
		{uint64(UNAME26), "UNAME26"},
		{uint64(ADDR_NO_RANDOMIZE), "ADDR_NO_RANDOMIZE"},
		{uint64(MMAP_PAGE_ZERO), "MMAP_PAGE_ZERO"},
		{uint64(ADDR_COMPAT_LAYOUT), "ADDR_COMPAT_LAYOUT"},
		{uint64(READ_IMPLIES_EXEC), "READ_IMPLIES_EXEC"},
		{uint64(ADDR_LIMIT_32BIT), "ADDR_LIMIT_32BIT"},
		{uint64(WHOLE_SECONDS), "WHOLE_SECONDS"},
		{uint64(STICKY_TIMEOUTS), "STICKY_TIMEOUTS"},
		{uint64(ADDR_LIMIT_3GB), "ADDR_LIMIT_3GB"},
		{uint64(PER_LINUX32), "PER_LINUX32"},
	})
}

// Personality sets that of the calling thread and returns what it was. Threads and processes that it creates inherit
// it, Go's among them: set it on a thread that is locked (runtime.LockOSThread) and not given back.
//
// Errors: EINVAL, PER_LINUX32 on an arm64 processor without 32-bit mode. amd64 refuses nothing, and
// 0xffffffff asks only.
//
// Since Linux 1.2. No privilege. It concerns the calling thread alone. personality(2).
func Personality(p PersonalityFlags) (old PersonalityFlags, err error) {
	r, _, errno := RawSyscall6(unix.SYS_PERSONALITY, uintptr(p), 0, 0, 0, 0, 0)
	if errno != 0 {
		return 0, os.NewSyscallError("personality", errno)
	}
	return PersonalityFlags(r), nil
}

// CurrentPersonality returns that of the calling thread. It cannot fail where seccomp allows it. Since Linux 1.2. No privilege.
// personality(2).
func CurrentPersonality() (PersonalityFlags, error) { return Personality(personalityUnchanged) }
