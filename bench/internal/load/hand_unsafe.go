//go:build linux

package main

import (
	"io"
	"os"
	"unsafe"

	"golang.org/x/sys/unix"
)

// hand reads or writes one byte with a raw system call: Go's scheduler must not see the wait, or the
// switches counted would be its own.
func hand(nr uintptr, fd int, ball *[1]byte) error {
	n, _, errno := unix.RawSyscall(nr, uintptr(fd), uintptr(unsafe.Pointer(ball)), 1)
	if errno != 0 {
		return os.NewSyscallError("read or write", errno)
	}
	if n == 0 {
		return io.ErrUnexpectedEOF
	}
	return nil
}
