//go:build linux

package memory

import (
	"fmt"
	"os"
	"unsafe"

	"golang.org/x/sys/unix"
)

// An area is memory of the kernel's, outside of Go's heap, so that pointers in it may be numbers.
type area struct {
	mapping []byte // all of it
	memory  []byte // the part to be used, which begins at a multiple of a huge page where that was asked for
}

// hugeSize is what huge pages are on both processors with pages of 4 KiB.
const hugeSize = 2 << 20

// newArea maps size bytes and touches every page. With huge, the kernel is asked for huge pages, and with
// not huge, for none: either can fail, and hugePages says what came.
func newArea(size int, huge bool) (*area, error) {
	mapping, err := unix.Mmap(-1, 0, size+hugeSize, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANONYMOUS)
	if err != nil {
		return nil, fmt.Errorf("memory: map %d bytes: %w", size, os.NewSyscallError("mmap", err))
	}
	a := &area{mapping: mapping}
	skip := int(-uintptr(unsafe.Pointer(unsafe.SliceData(mapping))) % hugeSize)
	a.memory = mapping[skip : skip+size : skip+size]
	advice := unix.MADV_NOHUGEPAGE
	if huge {
		advice = unix.MADV_HUGEPAGE
	}
	// EINVAL: a kernel without huge pages, which has the others anyway.
	if err := unix.Madvise(mapping, advice); err != nil && err != unix.EINVAL {
		a.unmap()
		return nil, os.NewSyscallError("madvise", err)
	}
	for i := 0; i < size; i += os.Getpagesize() {
		a.memory[i] = 1
	}
	return a, nil
}

func (a *area) unmap() error { return os.NewSyscallError("munmap", unix.Munmap(a.mapping)) }

// ring makes the 8-byte words at these offsets, which are multiples of 8, point to one another in this order
// and the last to the first. It returns the address of the first.
func (a *area) ring(offsets []int) uintptr {
	for i, at := range offsets {
		next := offsets[(i+1)%len(offsets)]
		*(*uintptr)(unsafe.Pointer(&a.memory[at])) = uintptr(unsafe.Pointer(&a.memory[next]))
	}
	return uintptr(unsafe.Pointer(&a.memory[offsets[0]]))
}

// words is the area as words; it begins at a multiple of 8.
func (a *area) words() []uint64 {
	return unsafe.Slice((*uint64)(unsafe.Pointer(unsafe.SliceData(a.memory))), len(a.memory)/8)
}

// base is the address of the first byte that is used.
func (a *area) base() uintptr { return uintptr(unsafe.Pointer(unsafe.SliceData(a.memory))) }
