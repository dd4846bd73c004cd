//go:build linux

package syscall

import (
	"errors"
	"fmt"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Hello writes a line to standard output, and returns what the kernel did: the number of bytes, or -errno.
func Hello() int64

// Write is write(2): it writes n bytes at p to a descriptor and returns how many were written, or -errno. Any
// address will do for p: the kernel looks at it as a program never could, and answers EFAULT.
func Write(fd int64, p uintptr, n uint64) int64

// Nothing asks for a system call that does not exist, and returns -ENOSYS.
func Nothing() int64

// Kept fills registers, makes a system call that exists nowhere, and returns which of them have kept their
// values: bit n is the register with number n in instructions.
func Kept() uint64

// call calls a function of the vDSO on a stack that is big enough. On arm64 the goroutine is noted at base, if
// that is not nil; see [Clock].
func call(fn uintptr, clock int64, ts *[2]int64, base unsafe.Pointer) int64

// Where the functions begin; the assembly fills them in.
var helloEntry, writeEntry, nothingEntry, keptEntry, callEntry uintptr

// Errno is what the kernel's answer to a system call means: nil, or the error. Its numbers lie from -4095 to -1,
// where no other answer does.
func Errno(answer int64) error {
	if answer < 0 && answer >= -4095 {
		return unix.Errno(-answer)
	}
	return nil
}

// Print writes p to a descriptor. The error is a [unix.Errno] and names the call; n bytes have been written
// in any case.
func Print(fd int, p []byte) (n int, err error) {
	for n < len(p) {
		answer := Write(int64(fd), uintptr(unsafe.Pointer(&p[n])), uint64(len(p)-n))
		switch err := Errno(answer); {
		case errors.Is(err, unix.EINTR):
			continue
		case err != nil:
			return n, fmt.Errorf("write to descriptor %d: %w", fd, err)
		}
		n += int(answer)
	}
	return n, nil
}
