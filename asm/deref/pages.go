//go:build linux

package deref

import (
	"errors"
	"fmt"
	"os"
	"runtime"

	"golang.org/x/sys/unix"
)

// pages are four pages in a row, and what is right or wrong with each.
type pages struct {
	data     uintptr // readable and writable
	closed   uintptr // behind it: no access
	readOnly uintptr
	beyond   uintptr // of a file that ends before
	size     uintptr // of a page
}

// newPages maps them. They belong to no Go object, so their addresses may be numbers.
func newPages() (_ *pages, err error) {
	size := uintptr(os.Getpagesize())
	file, err := unix.MemfdCreate("deref", unix.MFD_CLOEXEC)
	if err != nil {
		return nil, os.NewSyscallError("memfd_create", err)
	}
	defer unix.Close(file) // the mapping keeps it
	base, err := mmap(0, 4*size, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANONYMOUS, -1)
	if err != nil {
		return nil, err
	}
	p := &pages{data: base, closed: base + size, readOnly: base + 2*size, beyond: base + 3*size, size: size}
	defer func() {
		if err != nil {
			err = errors.Join(err, p.close())
		}
	}()
	// An empty file: every byte of its mapping lies beyond the end.
	if _, err := mmap(p.beyond, size, unix.PROT_READ, unix.MAP_SHARED|unix.MAP_FIXED, file); err != nil {
		return nil, err
	}
	for addr, prot := range map[uintptr]uintptr{p.closed: unix.PROT_NONE, p.readOnly: unix.PROT_READ} {
		if _, _, errno := unix.Syscall(unix.SYS_MPROTECT, addr, size, prot); errno != 0 {
			return nil, os.NewSyscallError("mprotect", errno)
		}
	}
	return p, nil
}

func (p *pages) close() error {
	if _, _, errno := unix.Syscall(unix.SYS_MUNMAP, p.data, 4*p.size, 0); errno != 0 {
		return os.NewSyscallError("munmap", errno)
	}
	return nil
}

func mmap(hint, size, prot, flags uintptr, fd int) (uintptr, error) {
	addr, _, errno := unix.Syscall6(unix.SYS_MMAP, hint, size, prot, flags, uintptr(fd), 0)
	if errno != 0 {
		return 0, os.NewSyscallError("mmap", errno)
	}
	return addr, nil
}

// addressBits is how many bits of an address count here. The kernel maps above what 48 bits reach only for a
// program that asks for it by a hint, and only where processor and kernel can: so a try tells.
func addressBits() int {
	const hint = 1 << 50
	size := uintptr(os.Getpagesize())
	addr, err := mmap(hint, size, unix.PROT_NONE, unix.MAP_PRIVATE|unix.MAP_ANONYMOUS, -1)
	if err != nil {
		return 48
	}
	defer unix.Syscall(unix.SYS_MUNMAP, addr, size, 0)
	if addr < hint {
		return 48
	}
	return wideBits
}

// form says what the processor thinks of 1111111111111111, which has 50 bits.
func form() string {
	switch {
	case addressBits() > 48:
		return fmt.Sprintf("well-formed with %d bits", wideBits)
	case runtime.GOARCH == "arm64":
		return "50 bits, outside of the tables"
	}
	return "50 bits, not canonical"
}
