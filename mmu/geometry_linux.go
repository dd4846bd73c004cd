package mmu

import (
	"errors"
	"fmt"
	"os"
	"runtime"

	"golang.org/x/sys/unix"
)

// HostGeometry returns the tables that the running kernel uses. It finds out how large the address space is by
// mapping a page near the end of each possible one, and unmapping it again: neither the kernel's version nor
// the processor says, and arm64 decides when it boots. No privilege.
func HostGeometry() (Geometry, error) {
	size := os.Getpagesize()
	switch runtime.GOARCH {
	case "amd64":
		if ends, err := reaches(56, size); err != nil || !ends {
			g, _ := AMD64(4)
			return g, err
		}
		return AMD64(5)
	case "arm64":
		for _, bits := range []int{52, 48, 47, 42, 39, 36} {
			if ends, err := reaches(bits, size); err != nil || ends {
				g, _ := ARM64(size, bits)
				return g, err
			}
		}
	}
	return Geometry{}, fmt.Errorf("page tables of %s: %w", runtime.GOARCH, errors.ErrUnsupported)
}

// reaches reports whether user space has so many bits. The last pages of it may be kept back.
func reaches(bits, pageSize int) (bool, error) {
	const kept = 16
	at := uintptr(1)<<bits - uintptr(kept*pageSize)
	addr, _, errno := unix.Syscall6(unix.SYS_MMAP, at, uintptr(pageSize), unix.PROT_NONE,
		unix.MAP_PRIVATE|unix.MAP_ANON|unix.MAP_NORESERVE|unix.MAP_FIXED_NOREPLACE, ^uintptr(0), 0)
	switch errno {
	case 0:
		_, _, errno := unix.Syscall(unix.SYS_MUNMAP, addr, uintptr(pageSize), 0)
		if errno != 0 {
			return false, os.NewSyscallError("munmap", errno)
		}
		return addr == at, nil
	case unix.EEXIST:
		return true, nil
	case unix.ENOMEM, unix.EINVAL, unix.EPERM:
		return false, nil
	}
	return false, os.NewSyscallError("mmap", errno)
}
