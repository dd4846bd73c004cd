//go:build linux

package syscall

import (
	"os"
	"structs"
	"unsafe"

	"golang.org/x/sys/unix"
)

// stackT is stack_t of sigaltstack(2).
type stackT struct {
	_     structs.HostLayout
	base  unsafe.Pointer
	flags int32
	size  uint64
}

// signalStack is the base of the stack that this thread's signals are handled on, or nil where it has none. It
// is memory of the runtime's, which lives as long as the thread.
func signalStack() (unsafe.Pointer, error) {
	const disabled = 2 // SS_DISABLE
	var s stackT
	if _, _, errno := unix.RawSyscall(unix.SYS_SIGALTSTACK, 0, uintptr(unsafe.Pointer(&s)), 0); errno != 0 {
		return nil, os.NewSyscallError("sigaltstack", errno)
	}
	if s.flags&disabled != 0 {
		return nil, nil
	}
	return s.base, nil
}
