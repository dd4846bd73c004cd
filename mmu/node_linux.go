package mmu

import (
	"errors"
	"fmt"
	"os"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Node returns the number of the NUMA node that holds the page at addr of a process; pid 0 is the caller. The
// error matches [unix.ENOENT] where no page is there yet, [unix.EFAULT] where nothing is mapped or the page is
// that of zeros (and, on some kernels, where none is there yet), and [errors.ErrUnsupported] where the kernel was built without NUMA. For another process it
// needs the right to trace it. See move_pages(2).
func Node(pid int, addr uintptr) (int, error) {
	nodes, err := Nodes(pid, []uintptr{addr})
	if err != nil {
		return -1, err
	}
	if nodes[0] < 0 {
		return -1, fmt.Errorf("node of %#x: %w", addr, unix.Errno(-nodes[0]))
	}
	return nodes[0], nil
}

// Nodes is [Node] for many pages at a time: for each the number of its node, or less than 0, an error number
// negated.
func Nodes(pid int, addrs []uintptr) ([]int, error) {
	if len(addrs) == 0 {
		return nil, nil
	}
	status := make([]int32, len(addrs))
	_, _, errno := unix.Syscall6(unix.SYS_MOVE_PAGES, uintptr(pid), uintptr(len(addrs)),
		uintptr(unsafe.Pointer(unsafe.SliceData(addrs))), 0, uintptr(unsafe.Pointer(unsafe.SliceData(status))), 0)
	switch errno {
	case 0:
	case unix.ENOSYS:
		return nil, fmt.Errorf("move_pages: kernel without CONFIG_NUMA: %w", errors.ErrUnsupported)
	default:
		return nil, os.NewSyscallError("move_pages", errno)
	}
	nodes := make([]int, len(addrs))
	for i, n := range status {
		nodes[i] = int(n)
	}
	return nodes, nil
}
