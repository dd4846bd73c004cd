package reactor

import (
	"math"
	"math/bits"
)

// A wheel keeps timers. It is hierarchical and hashed (Varghese and Lauck, 1987): level 0 has a slot for each of
// 64 ticks, level 1 one for each of 64 times 64, and so on. Setting and stopping a timer take the same time
// however many there are; a timer moves down a level at most five times before it expires.
//
// A timer expires at the tick that it is set for or later, never earlier.
type wheel struct {
	now    int64 // tick: timers up to it have expired
	count  int
	levels [wheelLevels]wheelLevel
}

const (
	wheelBits   = 6
	wheelSlots  = 1 << wheelBits
	wheelLevels = 6 // 2^36 ticks; what is later waits in the last slot in turn, and is put back from there
	wheelSpan   = 1 << (wheelBits * wheelLevels)
)

type wheelLevel struct {
	occupied uint64             // bit n: slot n has timers
	slots    [wheelSlots]*alarm // the first of each
}

// An alarm is a timer's place in a wheel. The zero alarm is not set. It stands in what it is for, so setting
// one allocates nothing.
type alarm struct {
	next, prev  *alarm // in its slot
	when        int64  // tick
	level, slot uint8
	set         bool
	owner       alarmed
}

// alarmed is what has an alarm.
type alarmed interface{ expired() }

// start sets an alarm for a tick, again where it is set. One in the past expires at the next advance.
func (w *wheel) start(a *alarm, when int64) {
	w.stop(a)
	a.when = max(when, w.now+1)
	w.insert(a)
	w.count++
}

// stop unsets an alarm and reports whether it was set.
func (w *wheel) stop(a *alarm) bool {
	if !a.set {
		return false
	}
	w.unlink(a)
	w.count--
	return true
}

// insert puts an alarm that is later than now into the level of the highest digit, in base 64, in which the two
// ticks differ. One that is due goes into the present slot of level 0, where expire takes it from.
func (w *wheel) insert(a *alarm) {
	when := max(a.when, w.now)
	if when > w.now|(wheelSpan-1) { // later than there are slots for
		// Where now is the last tick of the span, the next begins in slot 0 of the last level.
		when = max(w.now|(wheelSpan-1), w.now+1)
	}
	level := min(max(bits.Len64(uint64(when^w.now))-1, 0)/wheelBits, wheelLevels-1)
	slot := uint8(when >> (wheelBits * level) % wheelSlots)
	l := &w.levels[level]
	a.level, a.slot, a.set = uint8(level), slot, true
	a.prev, a.next = nil, l.slots[slot]
	if a.next != nil {
		a.next.prev = a
	}
	l.slots[slot] = a
	l.occupied |= 1 << slot
}

func (w *wheel) unlink(a *alarm) {
	l := &w.levels[a.level]
	if a.next != nil {
		a.next.prev = a.prev
	}
	if a.prev != nil {
		a.prev.next = a.next
	} else if l.slots[a.slot] = a.next; a.next == nil {
		l.occupied &^= 1 << a.slot
	}
	a.next, a.prev, a.set = nil, nil, false
}

// next returns the tick at which a slot is due: alarms of level 0 expire, those of others move down. It is
// math.MaxInt64 where there are none.
func (w *wheel) next() int64 {
	if w.count == 0 {
		return math.MaxInt64
	}
	for level := range w.levels {
		occupied := w.levels[level].occupied
		if occupied == 0 {
			continue
		}
		shift := wheelBits * level
		at := w.now >> shift // in slots of this level
		// The slots from the present one on, those before it belong to the next turn.
		turn := bits.TrailingZeros64(bits.RotateLeft64(occupied, -int(at%wheelSlots)))
		return (at + int64(turn)) << shift
	}
	return math.MaxInt64
}

// advance moves to a tick and calls expired for each alarm that is due, in no order among those of one tick. What
// is called may set and stop any alarm. Where it panics, the next call of advance goes on with the rest.
func (w *wheel) advance(to int64) {
	for {
		due := w.next()
		if due > to {
			w.now = max(w.now, to)
			return
		}
		if due > w.now {
			w.now = due
			w.cascade()
		}
		w.expire()
	}
}

// cascade takes every alarm out of the slots that begin at now, the highest level first, and puts it where it belongs
// now: what is due, into the present slot of level 0.
func (w *wheel) cascade() {
	for level := wheelLevels - 1; level > 0; level-- {
		shift := wheelBits * level
		if w.now&(1<<shift-1) != 0 {
			continue
		}
		l, slot := &w.levels[level], w.now>>shift%wheelSlots
		for l.slots[slot] != nil {
			a := l.slots[slot]
			w.unlink(a)
			w.insert(a)
		}
	}
}

// expire calls what is in the present slot of level 0, but for what is here because it is later than there are slots
// for. Nothing is added to the slot meanwhile: start is for later ticks.
func (w *wheel) expire() {
	l, slot := &w.levels[0], w.now%wheelSlots
	for l.slots[slot] != nil {
		a := l.slots[slot]
		w.unlink(a)
		if a.when > w.now {
			w.insert(a)
			continue
		}
		w.count--
		a.owner.expired()
	}
}
