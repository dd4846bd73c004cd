package syscalls

import (
	"os"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Functions of arch_prctl(2), from <asm/prctl.h>. Those that set FS and GS have no wrapper: Go's runtime finds the
// running goroutine by FS. Nor has the one that turns on the shadow stack: the next return would find it empty.
const (
	archGetFS             = 0x1003
	archGetGS             = 0x1004
	archGetCPUID          = 0x1011
	archSetCPUID          = 0x1012
	archGetXCompSupported = 0x1021
	archGetXCompPerm      = 0x1022
	archReqXCompPerm      = 0x1023
	archGetXCompGuestPerm = 0x1024
	archReqXCompGuestPerm = 0x1025
	archShadowStackLock   = 0x5003
	archShadowStackStatus = 0x5005
)

func archPrctl(function, arg uintptr) (uintptr, error) {
	r, _, errno := RawSyscall6(unix.SYS_ARCH_PRCTL, function, arg, 0, 0, 0, 0)
	if errno != 0 {
		return 0, os.NewSyscallError("arch_prctl", errno)
	}
	return r, nil
}

// archRead is a function that writes one word.
func archRead(function uintptr) (v uint64, err error) {
	_, _, errno := RawSyscall6(unix.SYS_ARCH_PRCTL, function, uintptr(unsafe.Pointer(&v)), 0, 0, 0, 0)
	if errno != 0 {
		return 0, os.NewSyscallError("arch_prctl", errno)
	}
	return v, nil
}

// FSBase returns the address that FS stands for in the calling thread: its thread-local storage, where Go keeps the
// running goroutine.
//
// amd64 only; elsewhere errors.ErrUnsupported. It fails only by seccomp. Since Linux 2.6. No privilege. It concerns the
// calling thread alone. arch_prctl(2), ARCH_GET_FS.
func FSBase() (uintptr, error) {
	v, err := archRead(archGetFS)
	return uintptr(v), err
}

// GSBase returns the address that GS stands for in the calling thread, which Go leaves at 0.
//
// amd64 only; elsewhere errors.ErrUnsupported. It fails only by seccomp. Since Linux 2.6. No privilege. It concerns the
// calling thread alone. arch_prctl(2), ARCH_GET_GS.
func GSBase() (uintptr, error) {
	v, err := archRead(archGetGS)
	return uintptr(v), err
}

// CPUIDEnabled reports whether the calling thread may execute CPUID.
//
// amd64 only; elsewhere errors.ErrUnsupported. It fails only by seccomp. Since Linux 4.12. No privilege. It concerns the
// calling thread alone. arch_prctl(2), ARCH_GET_CPUID.
func CPUIDEnabled() (bool, error) {
	v, err := archPrctl(archGetCPUID, 0)
	return v != 0, err
}

// SetCPUID lets the calling thread execute CPUID, or makes that a SIGSEGV. Programs that it executes may again, threads
// that it creates inherit it. Lock the goroutine to the thread (runtime.LockOSThread): others would be hit.
//
// Errors: ENODEV, the processor cannot refuse (no cpuid_fault in /proc/cpuinfo).
//
// amd64 only; elsewhere errors.ErrUnsupported. Since Linux 4.12. No privilege. It concerns the calling thread alone.
// arch_prctl(2), ARCH_SET_CPUID.
func SetCPUID(enabled bool) error {
	var on uintptr
	if enabled {
		on = 1
	}
	_, err := archPrctl(archSetCPUID, on)
	return err
}

// XFeaturesSupported returns the components of processor state that this processor and kernel have.
//
// amd64 only; elsewhere errors.ErrUnsupported. EINVAL, an older kernel. Since Linux 5.16. No privilege. Safe for
// concurrent use. Documentation/arch/x86/xstate.rst, ARCH_GET_XCOMP_SUPP.
func XFeaturesSupported() (XFeatures, error) {
	v, err := archRead(archGetXCompSupported)
	return XFeatures(v), err
}

// XFeaturesPermitted returns the components that this process may use without a SIGILL at the first instruction.
//
// amd64 only; elsewhere errors.ErrUnsupported. EINVAL, an older kernel. Since Linux 5.16. No privilege. Safe for
// concurrent use. Documentation/arch/x86/xstate.rst, ARCH_GET_XCOMP_PERM.
func XFeaturesPermitted() (XFeatures, error) {
	v, err := archRead(archGetXCompPerm)
	return XFeatures(v), err
}

// RequestTileData asks for permission to use AMX, for all threads of the process, now and later, and for good.
// Signal frames grow by 8 KiB, so every signal stack must have room for that, which those of Go's threads have (32 KiB).
//
// Errors: EOPNOTSUPP, the processor has no AMX; ENOSPC, a thread's signal stack is too small; EINVAL, an older kernel.
//
// amd64 only; elsewhere errors.ErrUnsupported. Since Linux 5.16. No privilege. Safe for concurrent use.
// Documentation/arch/x86/xstate.rst, ARCH_REQ_XCOMP_PERM.
func RequestTileData() error {
	_, err := archPrctl(archReqXCompPerm, xfeatureTileIndex)
	return err
}

// GuestXFeaturesPermitted is [XFeaturesPermitted] for the virtual machines of this process, with the same errors.
// Since Linux 5.17; ARCH_GET_XCOMP_GUEST_PERM.
func GuestXFeaturesPermitted() (XFeatures, error) {
	v, err := archRead(archGetXCompGuestPerm)
	return XFeatures(v), err
}

// RequestGuestTileData is [RequestTileData] for the virtual machines of this process. EBUSY, one has a virtual
// processor already. Since Linux 5.17; ARCH_REQ_XCOMP_GUEST_PERM.
func RequestGuestTileData() error {
	_, err := archPrctl(archReqXCompGuestPerm, xfeatureTileIndex)
	return err
}

// ShadowStack returns which parts of the shadow stack are on in the calling thread: none in a Go program, unless who
// linked it with C asked for it.
//
// Errors: EINVAL, an older kernel, or one built without CONFIG_X86_USER_SHADOW_STACK.
//
// amd64 only; elsewhere errors.ErrUnsupported. Since Linux 6.6. No privilege. It concerns the calling thread alone.
// Documentation/arch/x86/shstk.rst, ARCH_SHSTK_STATUS.
func ShadowStack() (ShadowStackFeatures, error) {
	v, err := archRead(archShadowStackStatus)
	return ShadowStackFeatures(v), err
}

// LockShadowStack makes the state of some parts of the shadow stack, on or off, final for the calling thread and those
// that it creates. Only a tracer can undo it.
//
// Errors as [ShadowStack] has. amd64 only; elsewhere errors.ErrUnsupported. Since Linux 6.6. No privilege. It concerns
// the calling thread alone. Documentation/arch/x86/shstk.rst, ARCH_SHSTK_LOCK.
func LockShadowStack(parts ShadowStackFeatures) error {
	_, err := archPrctl(archShadowStackLock, uintptr(parts))
	return err
}
