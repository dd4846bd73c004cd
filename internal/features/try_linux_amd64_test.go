package features

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// tryModifyLDT reads the table of this process, which is empty.
func tryModifyLDT() error {
	var entry [8]byte
	return call(unix.SYS_MODIFY_LDT, 0, uintptr(unsafe.Pointer(&entry)), uintptr(len(entry)))
}

func tryShadowStackStatus() error {
	var features uint64
	return call(unix.SYS_ARCH_PRCTL, 0x5005, uintptr(unsafe.Pointer(&features))) // ARCH_SHSTK_STATUS
}
