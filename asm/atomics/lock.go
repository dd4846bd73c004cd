//go:build linux && (amd64 || arm64)

package atomics

import (
	"runtime"
	"sync"
	"sync/atomic"
	"unsafe"
)

// patience is how often a lock is looked at before other goroutines get to run: some microseconds. Assembly is
// not preempted, so this is also how long it may hold up the garbage collector; and whoever has the lock may
// have lost its processor, and need ours.
const patience = 100

// A SpinLock is a word that is 0, or 1 while somebody holds the lock. Who gets it next is chance: mostly who
// is nearest to the cache line.
type SpinLock struct {
	_    noCopy
	word uint32
}

// Lock takes the lock, and waits for it where somebody else has it.
func (l *SpinLock) Lock() {
	for !spinAcquire(&l.word, patience) {
		runtime.Gosched()
	}
	raceAcquire(unsafe.Pointer(l))
}

// TryLock takes the lock if nobody has it, and reports whether it did.
func (l *SpinLock) TryLock() bool {
	if !spinAcquire(&l.word, 1) {
		return false
	}
	raceAcquire(unsafe.Pointer(l))
	return true
}

// Unlock gives the lock back. Only who holds it may.
func (l *SpinLock) Unlock() {
	raceRelease(unsafe.Pointer(l))
	spinRelease(&l.word)
}

// A TicketLock serves in the order in which the lock was asked for, as a shop with a roll of numbers. The price:
// when the next one has lost its processor, all wait for it.
type TicketLock struct {
	_             noCopy
	next, serving uint32 // the number to draw next; the one that holds the lock. Both wrap around.
}

// Lock takes the lock when all have had it who asked before.
func (l *TicketLock) Lock() {
	mine := ticketTake(&l.next)
	for !ticketAwait(&l.serving, mine, l.patience(mine)) {
		runtime.Gosched()
	}
	raceAcquire(unsafe.Pointer(l))
}

// patience is how often it makes sense to look. Only the next one in the queue spins: all others would keep those
// from running who come before them. (With more goroutines than processors that is a factor of a hundred.)
func (l *TicketLock) patience(mine uint32) uint32 {
	if ahead := mine - atomic.LoadUint32(&l.serving); ahead > 1 {
		return 1
	}
	return patience
}

// Unlock gives the lock to the next. Only who holds it may.
func (l *TicketLock) Unlock() {
	raceRelease(unsafe.Pointer(l))
	ticketRelease(&l.serving)
}

// A SeqLock holds four words that are written rarely and read often. Readers write nothing, so that any number
// of them share the cache line; who was interrupted by a writer reads again.
type SeqLock struct {
	_       noCopy
	writers SpinLock
	seq     uint64 // odd while somebody writes; twice the number of writings
	words   [4]uint64
}

// Store replaces all four words.
func (l *SeqLock) Store(words [4]uint64) {
	l.writers.Lock()
	raceRelease(unsafe.Pointer(&l.seq))
	seqStore(&l.seq, &l.words, &words)
	l.writers.Unlock()
}

// Load returns four words of one writing.
func (l *SeqLock) Load() [4]uint64 {
	var words [4]uint64
	for tries := 1; !seqLoad(&l.seq, &l.words, &words); tries++ {
		if tries%patience == 0 {
			runtime.Gosched()
		}
	}
	raceAcquire(unsafe.Pointer(&l.seq))
	return words
}

// noCopy has go vet report copies of what contains it.
type noCopy struct{}

func (*noCopy) Lock()   {}
func (*noCopy) Unlock() {}

var (
	_ sync.Locker = (*SpinLock)(nil)
	_ sync.Locker = (*TicketLock)(nil)
)
