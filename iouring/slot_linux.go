package iouring

import (
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/ring3-go/ring3/syscalls"
)

// A slot owns what one operation needs from [Ring.Get] until its last completion. Nothing of it is the kernel's:
// the kernel has addresses of what memory and extra refer to, and those stay where they are when slots moves.
type slot struct {
	generation uint32
	next       uint32 // the next free slot, while this one is free
	op         syscalls.IoUringOp
	flags      slotFlags
	group      uint16 // of buffers, with grouped
	// index is of the registered file that a direct operation makes, plus one. Of one that moves bytes it is how many
	// they have to be, or the kernel calls it a failure.
	index uint32
	// memory is what the kernel reads and writes of the caller's.
	memory unsafe.Pointer
	// extra is what the kernel reads and writes of ours. It stays with the slot, so that a second operation
	// allocates nothing.
	extra *extra
}

type slotFlags uint8

const (
	filled   slotFlags = 1 << iota // an operation's method has been called
	quiet                          // a success is not delivered
	dropped                        // nothing is delivered
	usesMore                       // extra refers to memory of the caller's
	finishes                       // something is to be done with a completion before it is delivered
	grouped                        // takes buffers of a group
	detached                       // ends without a completion: the slot goes back when it is submitted

	attended = quiet | dropped | finishes // a completion is not just delivered
)

// An extra has room for the arguments that the kernel takes by address.
type extra struct {
	time    unix.Timespec
	iovecs  [inlineVectors]unix.Iovec
	more    []unix.Iovec // for those that need more
	header  unix.Msghdr
	address unix.RawSockaddrAny
	texts   [3][]byte // paths and names, with their NUL
	how     unix.OpenHow
	event   unix.EpollEvent
	futexes []futexWaitv
	keep    []unsafe.Pointer // the words of futexes
	message *Msg             // where the results of RECVMSG go
}

const (
	inlineVectors = 8
	keptText      = 512 // bytes of a text's buffer that a slot keeps for the next operation
	maxSlots      = 1 << 20
)

// forget ends all references to the caller's memory.
func (x *extra) forget() {
	clear(x.iovecs[:])
	clear(x.more)
	clear(x.keep)
	x.keep = x.keep[:0]
	x.header = unix.Msghdr{}
	x.message = nil
	for i := range x.texts {
		if cap(x.texts[i]) > keptText {
			x.texts[i] = nil
		}
	}
}

// A table has the slots of a ring. slots[0] is none, so that 0 ends the list of free ones.
type table struct {
	slots []slot
	free  uint32
	live  int // how many are taken
}

// grow adds free slots, or leaves the list empty where there are too many.
func (t *table) grow(n int) {
	from := max(len(t.slots), 1)
	to := min(from+max(n, from), maxSlots)
	slots := make([]slot, to)
	copy(slots, t.slots)
	t.slots = slots
	for i := to - 1; i >= from; i-- {
		t.slots[i].generation = 1
		t.slots[i].next = t.free
		t.free = uint32(i)
	}
}

// get returns the slot of an operation, or nil where it has ended.
func (t *table) get(tok Token) *slot {
	i := tok.Slot()
	if uint64(i) >= uint64(len(t.slots)) || tok.IsMessage() {
		return nil
	}
	s := &t.slots[i]
	if s.generation != tok.generation() {
		return nil
	}
	return s
}

// release ends an operation: its token is nobody's from now on.
func (t *table) release(i uint32, s *slot) {
	if s.flags&usesMore != 0 {
		s.extra.forget()
	}
	if s.memory != nil {
		s.memory = nil
	}
	s.op, s.flags, s.group, s.index = 0, 0, 0, 0
	t.live--
	s.generation++
	if s.generation == 0 {
		return // retired: the next token would be an old one
	}
	s.next = t.free
	t.free = i
}
