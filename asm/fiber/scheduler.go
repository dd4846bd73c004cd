//go:build linux

package fiber

import (
	"errors"
	"fmt"
	"os"
	"sync"
)

var (
	// ErrClosed is the error of every call after Close.
	ErrClosed = errors.New("fiber: closed")
	// ErrFull is the error of [Scheduler.Spawn] when every stack has been given out.
	ErrFull = errors.New("fiber: no stack left")
)

// words is how many words a fiber shares with Go code.
const words = 8

// sliceTurns is how many turns the assembly makes before Go code runs again. A turn of a fiber whose stack is in
// no cache takes some 100 ns, so that a garbage collector which wants to stop the world waits well below a
// millisecond.
const sliceTurns = 4096

// Options are those of [New].
type Options struct {
	// Stacks is how many fibers there may ever be.
	Stacks int
	// StackSize is that of each, in bytes: 16 KiB where it is 0. It is rounded up to whole pages. The highest
	// 200 bytes or so are the fiber's block and the first context.
	StackSize int
}

// A Scheduler runs fibers in turns, one after the other in a ring, on the thread of whoever calls [Scheduler.Run].
// Its methods may be called from any goroutine: they wait for each other, except Interrupt.
type Scheduler struct {
	shared *sched // with the assembly

	mu     sync.Mutex // guards the rest, and the arena while fibers run
	arena  *arena     // nil: closed
	fibers []*Fiber
}

// A Fiber is one stack of a [Scheduler] and what runs on it.
type Fiber struct {
	scheduler *Scheduler
	index     int
	body      Body
	block     *block
}

// New maps the stacks. Each has an inaccessible page below it, so a stack takes two of the areas that the
// kernel allows a process (vm.max_map_count, 65,530 by default).
func New(o Options) (*Scheduler, error) {
	if o.Stacks < 1 || o.StackSize < 0 {
		return nil, fmt.Errorf("fiber: %d stacks of %d bytes", o.Stacks, o.StackSize)
	}
	if o.StackSize == 0 {
		o.StackSize = 16 << 10
	}
	a, err := mapStacks(o.Stacks, o.StackSize)
	if err != nil {
		return nil, err
	}
	return &Scheduler{shared: new(sched), arena: a}, nil
}

// Spawn prepares a fiber that will run body. Its words, 8 at the most, begin with the ones given; body says what
// they mean. An address in them must not be one of Go's heap, for the garbage collector does not see it.
//
// The stack of a fiber that has returned is not used again.
func (s *Scheduler) Spawn(body Body, first ...uint64) (*Fiber, error) {
	if err := body.check(); err != nil {
		return nil, err
	}
	if len(first) > words {
		return nil, fmt.Errorf("fiber: %d words, of %d", len(first), words)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.arena == nil {
		return nil, ErrClosed
	}
	if len(s.fibers) == s.arena.stacks {
		return nil, ErrFull
	}
	f := &Fiber{scheduler: s, index: len(s.fibers), body: body}
	f.block = s.arena.prepare(f.index, body, s.shared)
	copy(f.block.words[:], first)
	s.fibers = append(s.fibers, f)
	s.link(f.block)
	return f, nil
}

// link puts b at the end of the ring, where the turn comes last.
func (s *Scheduler) link(b *block) {
	if s.shared.live == 0 {
		b.next, b.prev = b, b
		s.shared.current = b
	} else {
		first := s.shared.current
		b.next, b.prev = first, first.prev
		b.prev.next, first.prev = b, b
	}
	s.shared.live++
}

// Run lets the fibers have so many turns, in the order in which they were spawned, and returns how many they
// had: fewer where all have returned or Interrupt was called. A turn is what a fiber does until it yields or
// returns. The next Run goes on where this one stopped.
//
// Every few thousand turns it comes by Go code, so that any number is safe.
func (s *Scheduler) Run(turns int) (int, error) {
	if turns < 0 {
		return 0, fmt.Errorf("fiber: %d turns", turns)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.arena == nil {
		return 0, ErrClosed
	}
	had := 0
	for had < turns && s.shared.live > 0 && s.shared.stop.Swap(0) == 0 {
		had += s.slice(min(turns-had, sliceTurns))
	}
	return had, nil
}

// slice gives so many turns at the most. It is a function of its own so that every slice begins with the check
// of the stack bound: that is where the runtime takes the processor away from a goroutine whose signals to
// do so, all but a few, arrive in assembly and are declined.
//
//go:noinline
func (s *Scheduler) slice(turns int) int {
	s.shared.budget = int64(turns)
	run(s.shared)
	return turns - int(s.shared.budget)
}

// Interrupt makes the Run under way return within a turn, or the next one, if none is.
func (s *Scheduler) Interrupt() {
	if s.shared != nil { // New has made it
		s.shared.stop.Store(1)
	}
}

// Live is the number of fibers that have not returned; 0 after Close.
func (s *Scheduler) Live() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.arena == nil {
		return 0
	}
	return int(s.shared.live)
}

// Close interrupts Run and unmaps the stacks. What the fibers were about to do is never done.
func (s *Scheduler) Close() error {
	s.Interrupt()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.arena == nil {
		return nil
	}
	err := s.arena.unmap()
	s.arena = nil
	return err
}

// String is "fiber 3 (count)".
func (f *Fiber) String() string { return fmt.Sprintf("fiber %d (%s)", f.index, f.body.Name()) }

// look calls with while no fiber runs and f's stack is there; never after Close, nor for a Fiber that Spawn did
// not make.
func (f *Fiber) look(with func(*arena)) {
	if f.scheduler == nil {
		return
	}
	f.scheduler.mu.Lock()
	defer f.scheduler.mu.Unlock()
	if f.scheduler.arena != nil {
		with(f.scheduler.arena)
	}
}

// Words returns a copy of the fiber's words; zeros after Close.
func (f *Fiber) Words() (w [words]uint64) {
	f.look(func(*arena) { w = f.block.words })
	return w
}

// Done reports whether the body has returned; false after Close.
func (f *Fiber) Done() (done bool) {
	f.look(func(*arena) { done = f.block.done != 0 })
	return done
}

// StackUsed is how many bytes of the stack were ever written to, its block included; 0 after Close. Words that
// were written with 0 at the very end are not seen.
func (f *Fiber) StackUsed() (bytes int) {
	f.look(func(a *arena) { bytes = a.used(f.index) })
	return bytes
}

// A Pair is the switch alone: the goroutine and one other stack, whose code does nothing but switch back. It
// is what a benchmark of the switch wants. Safe for concurrent use.
type Pair struct {
	mu      sync.Mutex
	arena   *arena // nil: closed
	context uintptr
}

// NewPair maps the other stack.
func NewPair() (*Pair, error) {
	a, err := mapStacks(1, os.Getpagesize())
	if err != nil {
		return nil, err
	}
	return &Pair{arena: a, context: a.preparePong()}, nil
}

// Switch goes to the other stack and comes back, rounds times: two switches each.
func (p *Pair) Switch(rounds int) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.arena == nil {
		return ErrClosed
	}
	for rounds > 0 {
		n := min(rounds, 8*sliceTurns)
		p.context = pingPong(p.context, n)
		rounds -= n
	}
	return nil
}

// Close unmaps the other stack.
func (p *Pair) Close() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.arena == nil {
		return nil
	}
	err := p.arena.unmap()
	p.arena = nil
	return err
}
