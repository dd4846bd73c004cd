package syscalls

import (
	"os"

	"golang.org/x/sys/unix"
)

// PkeyRights are what a protection key forbids: 0 forbids nothing.
type PkeyRights uint32

const (
	PKEY_DISABLE_ACCESS  PkeyRights = 1 << 0 // any access but fetching instructions. Since 4.9
	PKEY_DISABLE_WRITE   PkeyRights = 1 << 1 // writing. Since 4.9
	PKEY_DISABLE_EXECUTE PkeyRights = 1 << 2 // fetching instructions; arm64 only. Since 6.12
	PKEY_DISABLE_READ    PkeyRights = 1 << 3 // reading; arm64 only. Since 6.12
)

var pkeyRightsNames = []flagName{
	{uint64(PKEY_DISABLE_ACCESS), "PKEY_DISABLE_ACCESS"},
	{uint64(PKEY_DISABLE_WRITE), "PKEY_DISABLE_WRITE"},
	{uint64(PKEY_DISABLE_EXECUTE), "PKEY_DISABLE_EXECUTE"},
	{uint64(PKEY_DISABLE_READ), "PKEY_DISABLE_READ"},
}

// String writes the flags by the names that asm-generic/mman-common.h gives them.
func (f PkeyRights) String() string { return flagNames(uint64(f), pkeyRightsNames) }

// PkeyAlloc takes a memory protection key that the process does not use yet, 1 to 15 on amd64 and 1 to 7 on
// arm64, and sets what it forbids to the calling thread; threads that it starts later inherit that. To other
// threads the key forbids everything until they set their own rights, which are in a register of the processor
// (PKRU, POR_EL0): the goroutine should hold its thread (runtime.LockOSThread). Beside an error the key is -1,
// which no key is.
//
// Errors: ENOSPC, all keys are taken; EINVAL, a right that there is not; ENOSYS, a kernel without. A processor
// without keys is told by EINVAL on amd64 and ENOSPC on arm64: /proc/cpuinfo has ospke or poe where it has keys
// and the kernel uses them, which it can be kept from at boot (nopku). Since 4.9, arm64 6.12; pkey_alloc(2),
// pkeys(7).
func PkeyAlloc(rights PkeyRights) (key int, err error) {
	r, _, errno := RawSyscall6(unix.SYS_PKEY_ALLOC, 0, uintptr(rights), 0, 0, 0, 0)
	if errno != 0 {
		return -1, os.NewSyscallError("pkey_alloc", errno)
	}
	return int(r), nil
}

// PkeyFree gives a key back. Pages that have it keep it, and whoever takes the key next has a hold on them:
// give them another first. EINVAL, the key is not taken. Since 4.9, arm64 6.12; pkey_alloc(2).
func PkeyFree(key int) error {
	_, _, errno := RawSyscall6(unix.SYS_PKEY_FREE, uintptr(key), 0, 0, 0, 0, 0)
	return callError("pkey_free", errno)
}

// PkeyMprotect is mprotect(2) that gives the pages a key as well; key -1 leaves the key to the kernel, and is
// plain mprotect(2). addr is a page's, length in bytes, prot PROT_READ and others. An access that the key
// forbids is a SIGSEGV with the code SEGV_PKUERR, and EFAULT inside a system call. Errors: EINVAL, a key that
// is not taken, and as of mprotect(2). Key -1 needs no processor with keys. Since 4.9, arm64 6.12 for other
// keys; pkey_mprotect(2).
func PkeyMprotect(addr, length uintptr, prot, key int) error {
	_, _, errno := Syscall6(unix.SYS_PKEY_MPROTECT, addr, length, uintptr(prot), uintptr(key), 0, 0)
	return callError("pkey_mprotect", errno)
}
