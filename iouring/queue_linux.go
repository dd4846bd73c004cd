package iouring

import (
	"iter"
	"math"
	"sync/atomic"

	"github.com/ring3-go/ring3/syscalls"
)

// Memory order. Each queue is one array with two positions, and each position has one writer.
//
//	submission   the owner writes entries, then the tail    the kernel loads the tail, then reads entries
//	             the owner loads the head, then overwrites  the kernel has read entries, then writes the head
//	completion   the owner loads the tail, then reads       the kernel writes completions, then the tail
//	             the owner has read, then writes the head   the kernel loads the head, then overwrites
//
// So each position is stored with release and loaded with acquire order: who sees the position sees what lies
// below it. sync/atomic gives that and more: its operations are in one order for everybody, which SQPOLL needs once
// (see needsWakeup). Entries and completions themselves are plain memory.
//
// The tail of the submission queue is published once a batch, after the last entry is filled in: the kernel's
// thread never sees half an entry, and a batch costs one ordered store.

// Get takes the next place of the submission queue. The entry is a NOP until one of its methods fills it in.
// Errors: [ErrFull], the queue has no place until Submit is called; [ErrClosed].
func (r *Ring) Get() (Entry, error) {
	if r.tail-r.head >= r.sqSize || r.free == 0 {
		if err := r.makeRoom(); err != nil {
			return Entry{}, err
		}
	}
	i, pos := r.free, r.tail
	s := &r.slots[i]
	r.free = s.next
	r.live++
	r.tail = pos + 1
	tok := newToken(i, s.generation)
	q := r.sqe(pos)
	*q = syscalls.IoUringSQE{}
	q.UserData = uint64(tok)
	return Entry{r, tok, pos}, nil
}

// makeRoom looks again whether there is a place, and gets slots.
func (r *Ring) makeRoom() error {
	if r.closed {
		return ErrClosed
	}
	r.look()
	if r.tail-r.head >= r.sqSize {
		return ErrFull
	}
	if r.free == 0 {
		r.grow(0)
	}
	if r.free == 0 {
		return ErrFull // a million are in flight
	}
	return nil
}

// Room returns how many places the submission queue has.
func (r *Ring) Room() int {
	if r.closed {
		return 0
	}
	r.look()
	return int(r.sqSize - (r.tail - r.head))
}

// look asks what the kernel has taken.
func (r *Ring) look() {
	if r.params.Flags&syscalls.IORING_SETUP_SQ_REWIND == 0 { // else everything: see rewind
		r.head = atomic.LoadUint32(r.sqHead)
	}
}

// publish shows the kernel what was filled in, and returns how many entries it has to take.
func (r *Ring) publish() uint32 {
	if r.published != r.tail {
		for _, i := range r.released {
			r.release(i, &r.slots[i])
		}
		r.released = r.released[:0]
		if r.params.Flags&syscalls.IORING_SETUP_SQ_REWIND != 0 {
			return r.rewind()
		}
		if r.sqpoll {
			atomic.StoreUint32(r.sqTail, r.tail)
		} else {
			// Nobody looks before the owner's next system call, which orders more than any store.
			*r.sqTail = r.tail
		}
		r.published = r.tail
	}
	if r.params.Flags&syscalls.IORING_SETUP_SQ_REWIND != 0 {
		return 0 // or the kernel would take entries of the batch before again
	}
	if !r.sqpoll {
		return r.tail - *r.sqHead // moves inside the owner's calls alone
	}
	return r.tail - atomic.LoadUint32(r.sqHead)
}

// rewind is publish for rings with IORING_SETUP_SQ_REWIND, where the kernel takes entries from the first place on
// and looks at neither position: the next batch begins there again.
func (r *Ring) rewind() uint32 {
	n := r.tail - r.published
	r.tail = (r.tail + r.sqMask) &^ r.sqMask
	r.head, r.published = r.tail, r.tail
	return n
}

// needsWakeup reports whether the kernel's thread sleeps. It looks for entries once more after it has said so; that
// this load comes after the store of the tail, for all processors, is why neither side misses the other.
func (r *Ring) needsWakeup() bool {
	return atomic.LoadUint32(r.sqFlags)&uint32(syscalls.IORING_SQ_NEED_WAKEUP) != 0
}

// hidden reports whether there are completions that only a call brings: they found no place in the queue, or
// their work waits for the owner, or they have to be polled for, or nobody can say.
func (r *Ring) hidden() bool {
	const flags = uint32(syscalls.IORING_SQ_CQ_OVERFLOW | syscalls.IORING_SQ_TASKRUN)
	return atomic.LoadUint32(r.sqFlags)&flags != 0 || r.asks
}

// Ready returns how many completions the queue holds. With IORING_SETUP_CQE_MIXED those of 32 bytes count twice.
func (r *Ring) Ready() int {
	if r.closed {
		return 0
	}
	return int(r.ready())
}

func (r *Ring) ready() uint32 { return atomic.LoadUint32(r.cqTail) - r.reaped }

// Reap takes completions that are there, at most len(into), and returns how many it took. It makes a system call
// only where the queue is empty and the kernel says that it has more (an overflow, or work for the owner).
func (r *Ring) Reap(into []Completion) (n int) {
	if r.closed {
		return 0
	}
	tail := atomic.LoadUint32(r.cqTail)
	if tail == r.reaped {
		if !r.hidden() || r.enterRaw(0, 0, syscalls.IORING_ENTER_GETEVENTS) != 0 {
			return 0
		}
		tail = atomic.LoadUint32(r.cqTail)
	}
	for {
		if !r.wide {
			n += r.takePlain(into[n:], tail)
		}
		if r.reaped == tail || n == len(into) {
			break
		}
		if r.take(&into[n]) {
			n++
		}
	}
	storeRelease(r.cqHead, r.reaped)
	return n
}

// Completions takes and yields the completions that are there when it is called, and those that come meanwhile.
// What the loop leaves stays in the queue. It makes no system call but where Reap does.
func (r *Ring) Completions() iter.Seq[Completion] {
	return func(yield func(Completion) bool) {
		var batch [1]Completion
		for r.Reap(batch[:]) == 1 {
			if !yield(batch[0]) {
				return
			}
		}
	}
}

// takePlain takes completions as long as each is the last of an operation that asks for nothing more, which most are.
// It returns how many it took.
func (r *Ring) takePlain(into []Completion, tail uint32) (n int) {
	slots, pos, free := r.slots, r.reaped, r.free
	for ; pos != tail && n < len(into); n, pos = n+1, pos+1 {
		c := r.cqe(pos)
		tok := Token(c.UserData)
		i, generation := tok.Slot(), tok.generation()
		if uint64(i) >= uint64(len(slots)) || generation == 0 || generation == math.MaxUint32 {
			break // a message, or a slot that is to be retired
		}
		s := &slots[i]
		if s.generation != generation || s.flags&(attended|usesMore) != 0 || c.Flags&syscalls.IORING_CQE_F_MORE != 0 {
			break
		}
		to := &into[n]
		to.Token, to.Res, to.Flags = tok, c.Res, c.Flags
		to.Extra = Extra{}
		if s.memory != nil {
			s.memory = nil
		}
		s.op, s.flags, s.group, s.index = 0, 0, 0, 0
		s.generation, s.next = generation+1, free
		free = i
	}
	r.reaped, r.free = pos, free
	r.live -= n
	return n
}

// take takes one completion, whatever it is. It reports false where that is nobody's business: the filling of a gap, a
// success that is not to be delivered, an operation that was dropped.
func (r *Ring) take(to *Completion) bool {
	c := r.cqe(r.reaped)
	r.reaped++
	to.Token, to.Res, to.Flags = Token(c.UserData), c.Res, c.Flags
	to.Extra = Extra{}
	if r.wide {
		switch {
		case c.Flags&syscalls.IORING_CQE_F_SKIP != 0:
			return false
		case r.params.Flags&syscalls.IORING_SETUP_CQE32 != 0:
			to.Extra = extraOf(c)
		case c.Flags&syscalls.IORING_CQE_F_32 != 0:
			to.Extra = extraOf(c)
			r.reaped++
		}
	}
	s := r.get(to.Token)
	if s == nil {
		return r.stray(to)
	}
	deliver := true
	if s.flags&attended != 0 {
		deliver = r.finish(s, to)
	}
	if c.Flags&syscalls.IORING_CQE_F_MORE == 0 {
		r.release(to.Token.Slot(), s)
	}
	return deliver
}

// stray sees to a completion without a slot: a message, or the failure of an operation that gave its slot back
// when it was submitted (see Entry.settle). Of others there are none.
func (r *Ring) stray(c *Completion) bool {
	if c.Token.IsMessage() {
		return true
	}
	if c.Token&detachedToken != 0 {
		c.Token &^= detachedToken
		return true
	}
	return false
}
