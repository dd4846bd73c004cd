package iouring

import (
	"fmt"
	"math"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/ring3-go/ring3/syscalls"
)

// An Entry is a place of the submission queue between [Ring.Get] and the next Submit. One method fills it in, named
// as the operation; others say how it is run. It is small and passed by value; after Submit, and where it was
// filled in already, its methods fail with [ErrStale].
//
// Methods of operations fail with EINVAL where an argument can be seen to be wrong, and leave the entry as it was.
// Everything else is the completion's error. Buffers and other arguments that are passed by address must not be
// used until then; paths, vectors, addresses and times are copied.
type Entry struct {
	ring  *Ring
	token Token
	pos   uint32
}

// Token names the operation. It is valid, and the same, from Get on.
func (e Entry) Token() Token { return e.token }

// open returns the entry's place and slot where it has not been submitted.
func (e Entry) open() (*syscalls.IoUringSQE, *slot, error) {
	r := e.ring
	if r == nil || e.pos-r.published >= r.tail-r.published { // positions grow without end
		return nil, nil, ErrStale
	}
	s := r.get(e.token)
	if s == nil {
		return nil, nil, ErrStale
	}
	return r.sqe(e.pos), s, nil
}

// begin is open for the method of an operation, which fills in the rest.
func (e Entry) begin(op syscalls.IoUringOp) (*syscalls.IoUringSQE, *slot, error) {
	s := e.take()
	if s == nil {
		return nil, nil, ErrStale
	}
	q := e.ring.sqe(e.pos)
	s.op, q.Opcode = op, op
	if s.flags&quiet != 0 {
		e.settle(q, s)
	}
	return q, s, nil
}

// take marks the entry as filled in, and returns its slot, or nil where it is stale.
func (e Entry) take() *slot {
	r, i := e.ring, e.token.Slot()
	if r == nil || e.pos-r.published >= r.tail-r.published || uint64(i) >= uint64(len(r.slots)) { // without slots it is closed
		return nil
	}
	s := &r.slots[i]
	if s.generation != e.token.generation() || s.flags&filled != 0 {
		return nil
	}
	s.flags |= filled
	return s
}

// SetFlags adds flags. IOSQE_IO_LINK and IOSQE_IO_HARDLINK make a chain with the next entry, which has to be
// submitted together with it. Sources: io_uring_enter(2), io_uring_linked_requests(7).
//
// With IOSQE_CQE_SKIP_SUCCESS the operation has no completion where it succeeds; where it fails it has, and
// unlike in the kernel so have all that are cancelled with it. To read, write or splice fewer bytes than asked for is a
// failure here, and to send or receive fewer with MSG_WAITALL. (With that flag the kernel ends a chain at a datagram that
// was cut off, too, which is not seen here.) Delivered all the same is a completion that names a buffer of a group, and of
// an operation that goes on each but the last. See [decision 26].
//
// Some kernels refuse IOSQE_IO_DRAIN (EOPNOTSUPP) in a ring that has used it, and in 6.18 a send without a copy (SendZC and
// others) that is submitted while a drain waits never starts, nor does the drain: Close then gives up with [ErrInFlight].
//
// [decision 26]: https://github.com/ring3-go/ring3/blob/main/docs/adr/0026-successes-are-skipped-where-memory-allows.md
func (e Entry) SetFlags(flags syscalls.IoUringSQEFlags) error {
	q, s, err := e.open()
	if err != nil {
		return err
	}
	if flags&syscalls.IOSQE_CQE_SKIP_SUCCESS != 0 {
		s.flags |= quiet
		flags &^= syscalls.IOSQE_CQE_SKIP_SUCCESS
	}
	if flags&syscalls.IOSQE_BUFFER_SELECT != 0 {
		return fmt.Errorf("iouring: IOSQE_BUFFER_SELECT needs a group: see SetBufferGroup: %w", unix.EINVAL)
	}
	q.Flags |= flags
	if s.flags&quiet != 0 {
		e.settle(q, s)
	}
	return nil
}

// detachedToken marks, in user_data, an operation whose slot has gone back: only its failure can come.
const detachedToken = Token(1 << 31)

// silent are the operations that end by themselves and point at no memory, one bit each.
const silent = 1<<syscalls.IORING_OP_NOP | 1<<syscalls.IORING_OP_FSYNC | 1<<syscalls.IORING_OP_POLL_REMOVE |
	1<<syscalls.IORING_OP_SYNC_FILE_RANGE | 1<<syscalls.IORING_OP_ASYNC_CANCEL | 1<<syscalls.IORING_OP_FALLOCATE |
	1<<syscalls.IORING_OP_CLOSE | 1<<syscalls.IORING_OP_FADVISE | 1<<syscalls.IORING_OP_SHUTDOWN |
	1<<syscalls.IORING_OP_MSG_RING | 1<<syscalls.IORING_OP_FTRUNCATE | 1<<syscalls.IORING_OP_LISTEN

// settle decides who leaves a success out. The kernel does where the ring need not know when the operation ends;
// otherwise it completes, and the ring does not deliver it. In a chain the kernel leaves out the completions of
// what is cancelled too, and then the slots of those would never be free.
func (e Entry) settle(q *syscalls.IoUringSQE, s *slot) {
	const not = syscalls.IOSQE_IO_LINK | syscalls.IOSQE_IO_HARDLINK | syscalls.IOSQE_IO_DRAIN
	byKernel := s.flags&(filled|dropped) == filled && q.Opcode < 64 && silent&(uint64(1)<<q.Opcode) != 0 && q.Flags&not == 0
	if byKernel == (s.flags&detached != 0) {
		return
	}
	if byKernel {
		s.flags |= detached
		q.Flags |= syscalls.IOSQE_CQE_SKIP_SUCCESS
		q.UserData |= uint64(detachedToken)
		e.ring.released = append(e.ring.released, e.token.Slot())
		return
	}
	s.flags &^= detached
	q.Flags &^= syscalls.IOSQE_CQE_SKIP_SUCCESS
	q.UserData &^= uint64(detachedToken)
	list := e.ring.released
	for i, slot := range list {
		if slot == e.token.Slot() {
			list[i] = list[len(list)-1]
			e.ring.released = list[:len(list)-1]
			return
		}
	}
}

// SetBufferGroup lets the kernel take a buffer of this group when it has data (IOSQE_BUFFER_SELECT). The operation
// is given a nil buffer; how much it takes at the most is the buffer's size. Since 5.7.
func (e Entry) SetBufferGroup(id uint16) error {
	q, s, err := e.open()
	if err != nil {
		return err
	}
	q.Flags |= syscalls.IOSQE_BUFFER_SELECT
	q.BufIndex = id
	s.group = id
	s.flags |= grouped
	return nil
}

// SetPersonality runs the operation with credentials of [Ring.RegisterPersonality]. Since 5.6.
func (e Entry) SetPersonality(id uint16) error {
	q, _, err := e.open()
	if err == nil {
		q.Personality = id
	}
	return err
}

// SetPriority sets the priority of reads and writes of a block device, as ioprio_set(2) has it. Since 5.1.
func (e Entry) SetPriority(priority uint16) error {
	q, _, err := e.open()
	if err == nil {
		q.IoPrio = priority
	}
	return err
}

// SetSendRecvFlags adds flags of sends and receives. Since 5.19.
func (e Entry) SetSendRecvFlags(flags syscalls.IoUringSendRecvFlags) error {
	q, _, err := e.open()
	if err == nil {
		q.IoPrio |= uint16(flags)
	}
	return err
}

// SetAcceptFlags adds flags of accepts. Since 6.10.
func (e Entry) SetAcceptFlags(flags syscalls.IoUringAcceptFlags) error {
	q, _, err := e.open()
	if err == nil {
		q.IoPrio |= uint16(flags)
	}
	return err
}

// An address is what the kernel gets for a pointer. Whoever calls it stores the pointer in the slot as well.
func address(p unsafe.Pointer) uint64 { return uint64(uintptr(p)) }

// point makes b the operation's memory.
func (r *Ring) point(q *syscalls.IoUringSQE, s *slot, b []byte) {
	p := unsafe.Pointer(unsafe.SliceData(b))
	s.memory = p
	q.Addr, q.Len = address(p), uint32(len(b))
	r.weight += len(b)
}

// more returns the slot's extra.
func (s *slot) more() *extra {
	if s.extra == nil {
		s.extra = new(extra)
	}
	s.flags |= usesMore
	return s.extra
}

// maxBytes is the longest read or write that the kernel makes.
const maxBytes = math.MaxInt32

func invalid(format string, args ...any) error {
	return fmt.Errorf("iouring: "+format+": %w", append(args, unix.EINVAL)...)
}

func checkBuffer(b []byte) error {
	if len(b) > maxBytes {
		return invalid("buffer of %d bytes", len(b))
	}
	return nil
}

// text copies a path or a name into the slot, with the NUL that ends it.
func (s *slot) text(i int, name string) uint64 {
	x := s.more()
	x.texts[i] = append(append(x.texts[i][:0], name...), 0)
	return address(unsafe.Pointer(&x.texts[i][0]))
}

func checkText(names ...string) error {
	for _, name := range names {
		for i := range len(name) {
			if name[i] == 0 {
				return invalid("NUL in %q", name)
			}
		}
	}
	return nil
}
