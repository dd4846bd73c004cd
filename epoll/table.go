package epoll

import "math"

// A table keeps what is registered: slots by Token, and which slot a descriptor has. It makes no system
// calls and no promises to more than one goroutine.
type table struct {
	slots []slot           // slots[0] is no registration
	free  []uint32         // slots to use again, the latest last: its memory is warm
	byFD  map[int32]uint32 // which slot a descriptor has
}

type slot struct {
	fd         int32 // -1: free
	generation uint32
	muted      bool // see rebuild
}

// next is the Token of the registration that add will make.
func (t *table) next() Token {
	if n := len(t.free); n > 0 {
		i := t.free[n-1]
		return newToken(i, t.slots[i].generation)
	}
	return newToken(uint32(max(len(t.slots), 1)), 1)
}

// add makes the registration whose Token is next's. Where fd has one already, that one's descriptor must have
// been closed, because the kernel knows a descriptor once: it is ended, and replaced is true.
func (t *table) add(fd int) (replaced bool) {
	if t.slots == nil {
		t.slots = []slot{{fd: -1}}
		t.byFD = make(map[int32]uint32)
	}
	i := uint32(len(t.slots))
	if n := len(t.free); n > 0 {
		i = t.free[n-1]
		t.free = t.free[:n-1]
	} else {
		t.slots = append(t.slots, slot{generation: 1})
	}
	old, replaced := t.byFD[int32(fd)]
	if replaced {
		t.release(old)
	}
	s := &t.slots[i]
	s.fd, s.muted = int32(fd), false
	t.byFD[s.fd] = i
	return replaced
}

// get returns the slot of a registration, or nil where it has ended.
func (t *table) get(tok Token) *slot {
	i := tok.Slot()
	if i <= 0 || i >= len(t.slots) {
		return nil
	}
	s := &t.slots[i]
	if s.fd < 0 || s.generation != tok.generation() {
		return nil
	}
	return s
}

// remove ends a registration that get has found.
func (t *table) remove(tok Token) { t.release(uint32(tok)) }

func (t *table) release(i uint32) {
	s := &t.slots[i]
	delete(t.byFD, s.fd)
	s.fd = -1
	if s.generation == math.MaxUint32 {
		return // the next Token of this slot would be an old one
	}
	s.generation++
	t.free = append(t.free, i)
}
