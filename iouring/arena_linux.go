package iouring

import (
	"fmt"
	"os"
	"unsafe"

	"golang.org/x/sys/unix"
)

// An Arena has buffers outside of Go's heap, aligned to pages: the collector neither looks at them nor counts them,
// and they are fit for O_DIRECT and for [Ring.RegisterBuffers]. It belongs to a ring, whose Close unmaps it when
// nothing is in flight: a slice of it that is used after that crashes the program, which is the price.
type Arena struct {
	ring   *Ring
	memory *arena
	size   int
	free   []uint32
	taken  []bool
}

// An arena is what the ring knows of it.
type arena struct{ mapped []byte }

// NewArena maps n buffers of size bytes, rounded up to whole pages. Errors: ENOMEM; EINVAL.
func (r *Ring) NewArena(size, n int) (*Arena, error) {
	if r.closed {
		return nil, ErrClosed
	}
	page := os.Getpagesize()
	if size < 1 || size > maxBytes-page || n < 1 || n > 1<<24 {
		return nil, invalid("%d buffers of %d bytes", n, size)
	}
	size = (size + page - 1) / page * page
	b, err := unix.Mmap(-1, 0, size*n, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANON)
	if err != nil {
		return nil, os.NewSyscallError("mmap", err)
	}
	if err := unix.Madvise(b, unix.MADV_DONTFORK); err != nil {
		unix.Munmap(b)
		return nil, os.NewSyscallError("madvise", err)
	}
	a := &Arena{ring: r, memory: &arena{b}, size: size, taken: make([]bool, n)}
	for i := range n {
		a.free = append(a.free, uint32(n-1-i))
	}
	r.arenas = append(r.arenas, a.memory)
	return a, nil
}

// Get takes a buffer. Errors: [ErrFull], all are taken; [ErrClosed].
func (a *Arena) Get() ([]byte, error) {
	if a.ring.closed {
		return nil, ErrClosed
	}
	n := len(a.free)
	if n == 0 {
		return nil, fmt.Errorf("iouring: arena: all buffers are taken: %w", ErrFull)
	}
	i := a.free[n-1]
	a.free = a.free[:n-1]
	a.taken[i] = true
	return a.memory.mapped[int(i)*a.size:][:a.size:a.size], nil
}

// Put gives a buffer back, as Get returned it or a part of it with the same beginning. It must not be in flight.
// Errors: EINVAL, it is none of the arena's, or is not taken.
func (a *Arena) Put(b []byte) error {
	if a.ring.closed {
		return ErrClosed
	}
	offset := uintptr(unsafe.Pointer(unsafe.SliceData(b))) - uintptr(unsafe.Pointer(&a.memory.mapped[0]))
	i := offset / uintptr(a.size)
	if offset%uintptr(a.size) != 0 || i >= uintptr(len(a.taken)) || !a.taken[i] {
		return invalid("put of a buffer that is not taken")
	}
	a.taken[i] = false
	a.free = append(a.free, uint32(i))
	return nil
}
