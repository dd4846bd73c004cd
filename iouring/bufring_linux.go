package iouring

import (
	"errors"
	"fmt"
	"iter"
	"os"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/ring3-go/ring3/syscalls"
)

// BufRingOptions say what [Ring.NewBufRing] makes.
type BufRingOptions struct {
	Group   uint16 // its number, for SetBufferGroup
	Buffers int    // how many: a power of two, 32768 at the most
	Size    int    // bytes of each
	// Incremental lets the kernel use a buffer up piece by piece: several receives share one. Since 6.12.
	Incremental bool
	// KernelMemory lets the kernel make the ring (not the buffers). Since 6.4.
	KernelMemory bool
}

// A BufRing is a group of buffers that the kernel chooses from when it has data: thousands of sockets that wait
// need no buffer each. The owner of its ring is its owner. Since 5.19.
//
// A buffer is the kernel's until a completion has its number, then the program's until Release. The memory is
// ordinary memory of Go: a slice of it that was kept too long shows other data, and never crashes.
type BufRing struct {
	ring *Ring
	*group
}

// A group is what the ring knows of a BufRing: it must not refer to the ring, whose finalizer would never run.
type group struct {
	id          uint16
	size        int
	incremental bool
	dead        bool
	memory      []byte // of all buffers, in order of their numbers
	mapped      []byte // the ring
	entries     []syscalls.IoUringBuf
	mask, tail  uint16
	first       uint16   // number in the ring's first entry, whose place it shares with the tail
	order       []uint16 // numbers, by place
	place       []uint16 // position of each number in the ring
	used        []int32  // bytes of each that have data, since it was the kernel's entirely
	held        []bool   // by the program
}

// NewBufRing makes a group with all its buffers the kernel's. Errors: EEXIST, the ring has the group; EINVAL, the
// kernel lacks an option, or a size is wrong; ENOMEM.
func (r *Ring) NewBufRing(o BufRingOptions) (*BufRing, error) {
	if r.closed {
		return nil, ErrClosed
	}
	n := o.Buffers
	if n < 1 || n > maxEntries || n&(n-1) != 0 || o.Size < 1 || o.Size > maxBytes || n*o.Size > 1<<40 {
		return nil, invalid("%d buffers of %d bytes", n, o.Size)
	}
	if _, taken := r.groups[o.Group]; taken {
		return nil, fmt.Errorf("iouring: buffer group %d: %w", o.Group, unix.EEXIST)
	}
	g := &group{id: o.Group, size: o.Size, incremental: o.Incremental, mask: uint16(n - 1)}
	reg := syscalls.IoUringBufReg{Entries: uint32(n), BufGroup: o.Group}
	if o.Incremental {
		reg.Flags |= syscalls.IOU_PBUF_RING_INC
	}
	bytes := n * int(unsafe.Sizeof(syscalls.IoUringBuf{}))
	const access = unix.PROT_READ | unix.PROT_WRITE
	var err error
	if o.KernelMemory {
		reg.Flags |= syscalls.IOU_PBUF_RING_MMAP
	} else {
		g.mapped, err = unix.Mmap(-1, 0, bytes, access, unix.MAP_PRIVATE|unix.MAP_ANON)
		if err != nil {
			return nil, os.NewSyscallError("mmap", err)
		}
		reg.RingAddr = address(unsafe.Pointer(&g.mapped[0]))
	}
	if _, err := r.register(syscalls.IORING_REGISTER_PBUF_RING, unsafe.Pointer(&reg), 1); err != nil {
		g.unmap()
		return nil, err
	}
	if o.KernelMemory {
		where := int64(syscalls.IORING_OFF_PBUF_RING) | int64(o.Group)<<syscalls.IORING_OFF_PBUF_SHIFT
		g.mapped, err = unix.Mmap(r.fd, where, bytes, access, unix.MAP_SHARED|unix.MAP_POPULATE)
	}
	if err == nil {
		err = unix.Madvise(g.mapped, unix.MADV_DONTFORK)
	}
	if err != nil {
		r.register(syscalls.IORING_UNREGISTER_PBUF_RING, unsafe.Pointer(&reg), 1)
		g.unmap()
		return nil, os.NewSyscallError("mmap", err)
	}
	g.fill(n)
	if r.groups == nil {
		r.groups = make(map[uint16]*group)
	}
	r.groups[o.Group] = g
	return &BufRing{r, g}, nil
}

// fill makes the buffers and gives them to the kernel.
func (g *group) fill(n int) {
	g.memory = make([]byte, n*g.size)
	g.entries = unsafe.Slice((*syscalls.IoUringBuf)(unsafe.Pointer(&g.mapped[0])), n)
	g.order, g.place = make([]uint16, n), make([]uint16, n)
	g.used, g.held = make([]int32, n), make([]bool, n)
	for id := range n {
		g.add(uint16(id))
	}
	g.publish()
}

func (g *group) unmap() {
	g.dead = true
	if g.mapped != nil {
		unix.Munmap(g.mapped)
		g.mapped, g.entries = nil, nil
	}
}

// add puts a buffer at the tail.
func (g *group) add(id uint16) {
	at := g.tail & g.mask
	b := g.memory[int(id)*g.size:][:g.size]
	g.entries[at].Addr, g.entries[at].Len = address(unsafe.Pointer(&b[0])), uint32(g.size)
	if at == 0 {
		g.first = id // see publish
	} else {
		g.entries[at].ID = id
	}
	g.order[at], g.place[id] = id, g.tail
	g.used[id], g.held[id] = 0, false
	g.tail++
}

// publish shows the kernel the new tail. It has the upper half of the word whose lower half is the first entry's
// number, and Go stores words: both go together, which is right because both are ours to write.
func (g *group) publish() {
	word := (*uint32)(unsafe.Pointer(&g.entries[0].ID))
	storeRelease(word, uint32(g.first)|uint32(g.tail)<<16) // after the entries; the kernel loads it with acquire order
}

// Group returns the group's number.
func (b *BufRing) Group() uint16 { return b.id }

// errNoBuffer is for completions that have no buffer of the group.
var errNoBuffer = errors.New("iouring: completion has no buffer of this group")

// Bytes returns the data of a completion. It is the program's until the buffer is released: with
// [BufRing.Release], given the same completion. A completion must be given to Bytes once, in the order in which
// they came, because an incremental buffer is used up from the front.
func (b *BufRing) Bytes(c Completion) ([]byte, error) {
	id, ok := c.Buffer()
	if !ok || int(id) >= len(b.used) || b.dead || c.Res < 0 {
		return nil, errNoBuffer
	}
	n := int(c.Res)
	from := int(b.used[id])
	if from+n > b.size {
		return nil, fmt.Errorf("iouring: %d bytes in a buffer of %d from %d on: a bundle? %w", n, b.size, from, errNoBuffer)
	}
	b.hold(id, n, c)
	return b.memory[int(id)*b.size:][from : from+n : from+n], nil
}

// hold notes what a completion says of a buffer.
func (g *group) hold(id uint16, n int, c Completion) {
	g.used[id] += int32(n)
	g.held[id] = !g.incremental || c.Flags&syscalls.IORING_CQE_F_BUF_MORE == 0
}

// Bundle yields the data of a completion of a bundle, which fills several buffers, with the number of each.
// Those are to be released with ReleaseID. As with [BufRing.Bytes], each completion is given once, in order.
func (b *BufRing) Bundle(c Completion) iter.Seq2[uint16, []byte] {
	return func(yield func(uint16, []byte) bool) {
		id, ok := c.Buffer()
		if !ok || int(id) >= len(b.used) || b.dead {
			return
		}
		pos := b.place[id]
		for left := int(c.Res); left > 0; pos++ {
			id := b.order[pos&b.mask]
			from := int(b.used[id])
			n := min(left, b.size-from)
			if n == 0 || b.held[id] {
				return // what it says was taken before
			}
			left -= n
			whole := c
			if left > 0 {
				whole.Flags &^= syscalls.IORING_CQE_F_BUF_MORE // all but the last are used up
			}
			b.hold(id, n, whole)
			if !yield(id, b.memory[int(id)*b.size:][from:from+n:from+n]) {
				return
			}
		}
	}
}

// Release gives the buffer of a completion back to the kernel: what Bytes returned is the kernel's from now on. An
// incremental buffer that is not used up is the kernel's still, and Release leaves it.
func (b *BufRing) Release(c Completion) error {
	id, ok := c.Buffer()
	if !ok {
		return errNoBuffer
	}
	if b.incremental && c.Flags&syscalls.IORING_CQE_F_BUF_MORE != 0 {
		return nil
	}
	return b.ReleaseID(id)
}

// ReleaseID is Release by number. Errors: EINVAL, the program does not have the buffer.
func (b *BufRing) ReleaseID(id uint16) error {
	if b.dead || b.ring.closed {
		return ErrClosed
	}
	if int(id) >= len(b.held) || !b.held[id] {
		return invalid("release of buffer %d, which the program does not have", id)
	}
	b.add(id)
	b.publish()
	return nil
}

// next returns the data of a completion that comes next, without taking it.
func (g *group) next(c Completion) []byte {
	id, ok := c.Buffer()
	if !ok || int(id) >= len(g.used) || g.dead || c.Res < 0 || int(g.used[id])+int(c.Res) > g.size {
		return nil
	}
	return g.memory[int(id)*g.size:][g.used[id]:][:c.Res]
}

// discard gives the buffers of a completion back that nobody has seen.
func (g *group) discard(c Completion) {
	b := BufRing{group: g}
	if c.Res <= 0 {
		if id, ok := c.Buffer(); ok && int(id) < len(g.used) && !g.incremental {
			g.add(id)
			g.publish()
		}
		return
	}
	for id := range b.Bundle(c) {
		if g.held[id] {
			g.add(id)
		}
	}
	if !g.dead {
		g.publish()
	}
}

// Held returns how many buffers the program has.
func (b *BufRing) Held() (n int) {
	for _, held := range b.held {
		if held {
			n++
		}
	}
	return n
}

// Available asks the kernel how many buffers it has. Since 6.8.
func (b *BufRing) Available() (int, error) {
	if b.dead || b.ring.closed {
		return 0, ErrClosed
	}
	s := syscalls.IoUringBufStatus{BufGroup: uint32(b.id)}
	if _, err := b.ring.register(syscalls.IORING_REGISTER_PBUF_STATUS, unsafe.Pointer(&s), 1); err != nil {
		return 0, err
	}
	return int(b.tail - uint16(s.Head)), nil
}

// Close takes the group from the kernel. Operations that use it must have ended: where one has a buffer still, its
// data would be lost. Errors: EBUSY, an operation of the group is in flight.
func (b *BufRing) Close() error {
	if b.dead {
		return nil
	}
	r := b.ring
	for i := range r.slots {
		if s := &r.slots[i]; s.flags&(grouped|filled) == grouped|filled && s.group == b.id {
			return fmt.Errorf("iouring: operations use buffer group %d: %w", b.id, unix.EBUSY)
		}
	}
	reg := syscalls.IoUringBufReg{BufGroup: b.id}
	if err := r.registerOpen(syscalls.IORING_UNREGISTER_PBUF_RING, unsafe.Pointer(&reg), 1); err != nil {
		return err
	}
	delete(r.groups, b.id)
	b.unmap()
	return nil
}
