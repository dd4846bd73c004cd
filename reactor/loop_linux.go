package reactor

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// A Loop waits for its connections, listeners, timers and posted functions, and calls what belongs to each.
// Everything that it has is owned by the goroutine in [Loop.Run]; the methods of Loop itself are safe for
// concurrent use, but for AfterFunc, File and Blocking, which are for functions that run on the loop.
type Loop struct {
	opts   Options
	driver driver
	kind   Driver
	why    string

	conns     map[*Conn]struct{} // open or opening
	listeners map[*Listener]struct{}
	packets   map[*PacketConn]struct{}
	files     workers
	draining  bool
	done      chan struct{} // closed when the loop has ended
	buf       []byte        // lent to Data
	plain     []byte        // the same, decrypted
	supply    chunks
	dirty     []*Conn // have output to flush at the end of the batch
	timers    wheel
	epoch     time.Time // tick 0
	current   faulty    // whose code runs, for a panic
	waits     uint64    // how often the driver has waited

	stopping atomic.Bool // Close was called
	asleep   atomic.Bool // in the driver's wait, or about to be: a post has to wake it
	running  atomic.Bool

	mu     sync.Mutex
	posted []func()
	over   bool // nothing is run any more
	spare  []func()
}

// faulty is what a panic is charged to. It may be nil.
type faulty interface{ panicked(*PanicError) }

// New makes a loop that does not run yet. Errors: of the driver's descriptors, EMFILE or ENFILE; errors.ErrUnsupported
// where the driver that is asked for does not work here.
func New(opts Options) (*Loop, error) {
	if err := opts.fill(); err != nil {
		return nil, err
	}
	l := &Loop{
		opts: opts, buf: make([]byte, opts.ReadBuffer), epoch: time.Now(), done: make(chan struct{}),
		conns: make(map[*Conn]struct{}), listeners: make(map[*Listener]struct{}), packets: make(map[*PacketConn]struct{}),
	}
	l.files.loop = l
	var err error
	l.driver, l.kind, l.why, err = newDriver(l, opts.Driver)
	if err != nil {
		return nil, err
	}
	return l, nil
}

// Driver returns which driver the loop has, and why that one.
func (l *Loop) Driver() (d Driver, why string) { return l.kind, l.why }

// Post has f called on the loop, after what was posted before: at the latest when the loop ends. It does not wait for
// that. Errors: [ErrClosed] when the loop has ended, and f will not be called.
func (l *Loop) Post(f func()) error {
	l.mu.Lock()
	if l.over {
		l.mu.Unlock()
		return ErrClosed
	}
	l.posted = append(l.posted, f)
	l.mu.Unlock()
	if !l.asleep.Load() {
		return nil
	}
	// The loop may end between the two, and its driver with it: f was called then.
	if err := l.driver.wake(); err != nil && !errors.Is(err, os.ErrClosed) {
		return err
	}
	return nil
}

// Close makes [Loop.Run] return. It does not wait for that, so handlers may call it. A loop that does not run is
// released at once. Close is idempotent.
func (l *Loop) Close() error {
	l.stopping.Store(true)
	if l.running.CompareAndSwap(false, true) { // nobody is in Run, and nobody will be
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		return errors.Join(l.driver.start(), l.end())
	}
	err := l.Post(func() {})
	if errors.Is(err, ErrClosed) {
		return nil
	}
	return err
}

// Run runs the loop on the calling goroutine until [Loop.Close] or the end of [Loop.Shutdown]. It locks the goroutine
// to its thread meanwhile. Before it returns, every listener and connection is closed, and their handlers have
// been told [ErrClosed].
//
// Run returns nil then, [ErrClosed] where the loop has ended before, and an error where it runs already or the
// driver failed, which ends the loop too.
func (l *Loop) Run() (err error) {
	if !l.running.CompareAndSwap(false, true) {
		if l.stopping.Load() {
			return ErrClosed
		}
		return errors.New("reactor: the loop runs already")
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	unpin := func() error { return nil }
	// Deferred, because a handler may end the goroutine: runtime.Goexit.
	defer func() { err = errors.Join(err, l.end(), unpin()) }()
	if l.opts.Pin {
		undo, err := pin(l.opts.CPU)
		if err != nil {
			return err
		}
		unpin = undo
	}
	if err := l.driver.start(); err != nil {
		return fmt.Errorf("reactor: %w", err)
	}
	for !l.stopping.Load() {
		if err := l.turn(); err != nil {
			return err
		}
	}
	return nil
}

// turn is one round: posted functions, timers, then what the driver has.
func (l *Loop) turn() error {
	l.protect(l.runPosted)
	l.protect(l.files.reap)
	l.protect(func() { l.timers.advance(l.ticks()) })
	l.flush()
	if l.stopping.Load() || l.draining && len(l.conns) == 0 {
		l.stopping.Store(true)
		return nil
	}
	// A pass that does not sleep comes first: under load it finds something, and then nobody who posts has to
	// wake the driver, and the driver need not tell the scheduler.
	n, err := l.wait(0)
	if err != nil || n > 0 {
		return err
	}
	// From here on whoever posts wakes the driver; what was posted before is seen now. A wake-up may come late,
	// in a later wait that has been left for other reasons: then its post is in the queue already.
	l.asleep.Store(true)
	defer l.asleep.Store(false)
	if l.pending() {
		return nil
	}
	_, err = l.wait(l.timeout())
	return err
}

// wait handles one batch of the driver's.
func (l *Loop) wait(timeout time.Duration) (n int, err error) {
	l.waits++
	l.protect(func() { n, err = l.driver.wait(timeout) })
	l.flush()
	return n, err
}

// pending reports whether another goroutine has left something to do.
func (l *Loop) pending() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.posted) > 0 || l.files.pending()
}

// protect calls f and survives its panic, which it charges to whose code was running. One call serves a whole
// batch, so it costs nothing per event; what the batch had left comes again, because the driver keeps it.
func (l *Loop) protect(f func()) {
	l.current = nil
	defer func() {
		value := recover()
		if value == nil {
			return
		}
		e := newPanicError(value)
		culprit := l.current
		l.report(e)
		if culprit != nil {
			l.protect(func() { culprit.panicked(e) })
		}
	}()
	f()
}

func (l *Loop) report(err error) {
	if l.opts.Report == nil {
		return
	}
	defer func() { recover() }() // of panics it is told; of its own there is nobody to tell
	l.opts.Report(err)
}

func (l *Loop) runPosted() {
	l.mu.Lock()
	batch := l.posted
	l.posted, l.spare = l.spare[:0], nil
	l.mu.Unlock()
	done := 0
	defer func() {
		if done < len(batch) { // batch[done-1] panicked: the rest stays first in the queue
			l.mu.Lock()
			l.posted = append(slices.Clone(batch[done:]), l.posted...)
			l.mu.Unlock()
		}
		clear(batch)
		l.spare = batch[:0]
	}()
	for done < len(batch) {
		f := batch[done]
		done++
		l.current = nil
		f()
	}
}

// flush hands the driver what handlers have written since the last time.
func (l *Loop) flush() {
	for len(l.dirty) > 0 {
		l.protect(l.flushDirty) // what is sent calls handlers
	}
}

func (l *Loop) flushDirty() {
	for len(l.dirty) > 0 {
		last := len(l.dirty) - 1
		c := l.dirty[last]
		l.dirty[last], l.dirty = nil, l.dirty[:last]
		if c.out.size > 0 && !c.gone {
			if err := l.driver.flush(c); err != nil {
				c.failed(err)
			}
		}
		c.dirty = false // only now: what a handler adds is the driver's already
	}
}

// ticks is now, on the wheel's clock, rounded down.
func (l *Loop) ticks() int64 { return int64(time.Since(l.epoch) / time.Millisecond) }

// tickOf is the first tick at or after a time.
func (l *Loop) tickOf(t time.Time) int64 {
	d := t.Sub(l.epoch) // the longest there is where it is longer
	ticks := int64(d / time.Millisecond)
	if d%time.Millisecond > 0 {
		ticks++
	}
	return ticks
}

// timeout is how long the driver may wait: until the wheel has something to do.
func (l *Loop) timeout() time.Duration {
	const longest = 24 * time.Hour
	if l.timers.count == 0 {
		return -1
	}
	next := l.timers.next()
	d := time.Duration(min(next-l.timers.now, int64(longest/time.Millisecond)))
	return max(time.Until(l.epoch.Add((time.Duration(l.timers.now)+d)*time.Millisecond)), 0)
}

// end closes everything and releases the driver.
func (l *Loop) end() error {
	l.stopping.Store(true)
	l.mu.Lock()
	l.over = true // nothing is posted any more
	l.mu.Unlock()
	for l.left() { // who is told of an end may begin something new
		l.protect(l.runPosted) // what a function was posted for may hold a descriptor
		l.files.wait.Wait()
		for l.files.inKernel > 0 {
			if _, err := l.wait(-1); err != nil { // they have failed with it
				break
			}
		}
		l.protect(l.files.reap)
		for s := range l.listeners {
			s.shut()
		}
		for p := range l.packets {
			l.protect(func() { p.shut(ErrClosed) })
		}
		for c := range l.conns {
			l.protect(func() { l.current = c; c.shut(ErrClosed) })
		}
	}
	l.files.wait.Wait()
	defer close(l.done)
	if err := l.driver.close(); err != nil {
		return fmt.Errorf("reactor: %w", err)
	}
	return nil
}

// left reports whether something is left to end.
func (l *Loop) left() bool {
	return len(l.posted)+len(l.listeners)+len(l.packets)+len(l.conns) > 0 || l.files.busy()
}
