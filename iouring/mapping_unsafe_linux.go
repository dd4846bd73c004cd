package iouring

import (
	"errors"
	"fmt"
	"math/bits"
	"os"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/ring3-go/ring3/syscalls"
)

// A mapping is the memory that ring and kernel share. It is not the collector's: pointers into it are derived
// from its base, and nobody but the ring has any.
type mapping struct {
	rings []byte // both queues' heads, indices and completions
	sqes  []byte
}

const (
	sqeSize = unsafe.Sizeof(syscalls.IoUringSQE{})
	cqeSize = unsafe.Sizeof(syscalls.IoUringCQE{})
	// ringHeader is the bytes before the completions, where the program brings the memory.
	ringHeader = 64
	hugePage   = 2 << 20
)

// sizes returns the bytes of both mappings as the kernel counts them.
func sizes(p *syscalls.IoUringParams) (rings, sqes int) {
	cqe, sqe := int(cqeSize), int(sqeSize)
	if p.Flags&syscalls.IORING_SETUP_CQE32 != 0 {
		cqe *= 2
	}
	if p.Flags&syscalls.IORING_SETUP_SQE128 != 0 {
		sqe *= 2
	}
	rings = int(p.CQOff.CQEs) + int(p.CQEntries)*cqe
	if p.Flags&syscalls.IORING_SETUP_NO_SQARRAY == 0 {
		rings = max(rings, int(p.SQOff.Array)+int(p.SQEntries)*4)
	}
	return rings, int(p.SQEntries) * sqe
}

func (m *mapping) mapRings(fd int, p *syscalls.IoUringParams) (err error) {
	rings, sqes := sizes(p)
	const access, flags = unix.PROT_READ | unix.PROT_WRITE, unix.MAP_SHARED | unix.MAP_POPULATE
	if m.rings, err = unix.Mmap(fd, syscalls.IORING_OFF_SQ_RING, rings, access, flags); err != nil {
		return os.NewSyscallError("mmap", err)
	}
	if m.sqes, err = unix.Mmap(fd, syscalls.IORING_OFF_SQES, sqes, access, flags); err != nil {
		return os.NewSyscallError("mmap", err)
	}
	return nil
}

// doNotFork keeps the queues out of children: both processes would move the same head and tail.
func (m *mapping) doNotFork() error {
	for _, b := range [][]byte{m.rings, m.sqes} {
		if err := unix.Madvise(b, unix.MADV_DONTFORK); err != nil {
			return os.NewSyscallError("madvise", err)
		}
	}
	return nil
}

func (m *mapping) unmap() {
	for _, b := range [][]byte{m.rings, m.sqes} {
		if b != nil {
			unix.Munmap(b)
		}
	}
	*m = mapping{}
}

// bring makes memory for a ring with IORING_SETUP_NO_MMAP. Kernels before 6.14 want each part to be contiguous,
// which more than a page is in a huge page only.
func (r *Ring) bring(entries uint32, p *syscalls.IoUringParams) error {
	full := *p
	full.SQEntries = powerOfTwo(entries)
	if full.CQEntries = powerOfTwo(p.CQEntries); p.Flags&syscalls.IORING_SETUP_CQSIZE == 0 {
		full.CQEntries = 2 * full.SQEntries
	}
	full.CQOff.CQEs = ringHeader
	full.SQOff.Array = ringHeader + full.CQEntries*uint32(cqeSize)
	if p.Flags&syscalls.IORING_SETUP_CQE32 != 0 {
		full.SQOff.Array += full.CQEntries * uint32(cqeSize)
	}
	rings, sqes := sizes(&full)
	var err error
	if r.memory.rings, err = contiguous(rings); err != nil {
		return err
	}
	if r.memory.sqes, err = contiguous(sqes); err != nil {
		r.memory.unmap()
		return err
	}
	p.CQOff.UserAddr = uint64(uintptr(unsafe.Pointer(&r.memory.rings[0])))
	p.SQOff.UserAddr = uint64(uintptr(unsafe.Pointer(&r.memory.sqes[0])))
	return nil
}

// contiguous maps size bytes of one page, or of one huge page where a page is too small and there is one.
func contiguous(size int) ([]byte, error) {
	const access, flags = unix.PROT_READ | unix.PROT_WRITE, unix.MAP_SHARED | unix.MAP_ANON | unix.MAP_POPULATE
	if page := os.Getpagesize(); size > page && size <= hugePage {
		b, err := unix.Mmap(-1, 0, hugePage, access, flags|unix.MAP_HUGETLB|21<<unix.MAP_HUGE_SHIFT)
		if err == nil {
			return b, nil
		}
		if !errors.Is(err, unix.ENOMEM) {
			return nil, fmt.Errorf("iouring: map a huge page: %w", err)
		}
	}
	b, err := unix.Mmap(-1, 0, size, access, flags)
	return b, os.NewSyscallError("mmap", err)
}

func powerOfTwo(n uint32) uint32 {
	if n == 0 {
		return 0
	}
	return 1 << bits.Len32(n-1)
}

// attach finds the queues in the memory. The kernel says in p where what is.
func (r *Ring) attach(p *syscalls.IoUringParams) {
	word := func(offset uint32) *uint32 { return (*uint32)(unsafe.Pointer(&r.memory.rings[offset])) }
	r.sqHead, r.sqTail, r.sqFlags = word(p.SQOff.Head), word(p.SQOff.Tail), word(p.SQOff.Flags)
	r.cqHead, r.cqTail = word(p.CQOff.Head), word(p.CQOff.Tail)
	r.cqOverflow = word(p.CQOff.Overflow)
	if p.CQOff.Flags != 0 {
		r.cqFlags = word(p.CQOff.Flags)
	}
	r.sqSize, r.sqMask, r.cqMask = p.SQEntries, p.SQEntries-1, p.CQEntries-1
	r.sqes = unsafe.Pointer(&r.memory.sqes[0])
	r.cqes = unsafe.Pointer(&r.memory.rings[p.CQOff.CQEs])
	r.sqeShift, r.cqeShift = uint8(bits.TrailingZeros64(uint64(sqeSize))), uint8(bits.TrailingZeros64(uint64(cqeSize)))
	if p.Flags&syscalls.IORING_SETUP_SQE128 != 0 {
		r.sqeShift++
	}
	if p.Flags&syscalls.IORING_SETUP_CQE32 != 0 {
		r.cqeShift++
	}
	r.head, r.tail, r.published = *r.sqHead, *r.sqTail, *r.sqTail
	r.reaped = *r.cqHead
	if p.Flags&syscalls.IORING_SETUP_NO_SQARRAY == 0 {
		// Places and entries are the same, for good: nobody needs another order.
		for i := range p.SQEntries {
			*word(p.SQOff.Array + 4*i) = i
		}
	}
}

// sqe returns the place of the submission queue at a position, which grows without end.
func (r *Ring) sqe(pos uint32) *syscalls.IoUringSQE {
	return (*syscalls.IoUringSQE)(unsafe.Add(r.sqes, uintptr(pos&r.sqMask)<<(r.sqeShift&63)))
}

// cqe returns the place of the completion queue at a position.
func (r *Ring) cqe(pos uint32) *syscalls.IoUringCQE {
	return (*syscalls.IoUringCQE)(unsafe.Add(r.cqes, uintptr(pos&r.cqMask)<<(r.cqeShift&63)))
}

// extraOf returns the second half of a completion of 32 bytes. In a ring of mixed sizes that half is a place of
// its own, and never the first: the kernel fills the last one with a skip instead.
func extraOf(c *syscalls.IoUringCQE) Extra {
	return *(*Extra)(unsafe.Add(unsafe.Pointer(c), cqeSize))
}
