package syscalls

import (
	"os"

	"golang.org/x/sys/unix"
)

// ShadowStackFlags are those of [MapShadowStack].
type ShadowStackFlags uint32

const (
	SHADOW_STACK_SET_TOKEN  ShadowStackFlags = 1 << 0 // puts a token at the top, by which a thread can change to the stack. Since 6.6, arm64 6.13
	SHADOW_STACK_SET_MARKER ShadowStackFlags = 1 << 1 // puts a marker above it, where unwinding ends; arm64 only. Since 6.13
)

var shadowStackFlagsNames = []flagName{
	{uint64(SHADOW_STACK_SET_TOKEN), "SHADOW_STACK_SET_TOKEN"},
	{uint64(SHADOW_STACK_SET_MARKER), "SHADOW_STACK_SET_MARKER"},
}

// String writes the flags by the names that asm/mman.h gives them.
func (f ShadowStackFlags) String() string { return flagNames(uint64(f), shadowStackFlagsNames) }

// MapShadowStack maps memory for a shadow stack, the second stack that holds return addresses alone and that
// ordinary stores cannot write: size bytes, at addr or where the kernel likes with 0. munmap(2) removes it.
//
// Errors: EOPNOTSUPP, the processor or kernel has none (/proc/cpuinfo has user_shstk on amd64 and gcs on arm64
// where there are some); ENOSYS, a kernel built without; EINVAL, a flag that there is not, or an addr that is
// no page's; ENOSPC, no room for the token; ERANGE, an addr below 4 GiB on amd64; EEXIST, addr is in use;
// ENOMEM. The thread need not use shadow stacks. Since 6.6, arm64 6.13; Documentation/arch/x86/shstk.rst.
func MapShadowStack(addr, size uintptr, flags ShadowStackFlags) (stack uintptr, err error) {
	r, _, errno := Syscall6(unix.SYS_MAP_SHADOW_STACK, addr, size, uintptr(flags), 0, 0, 0)
	if errno != 0 {
		return 0, os.NewSyscallError("map_shadow_stack", errno)
	}
	return r, nil
}
