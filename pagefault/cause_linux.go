//go:build amd64 || arm64

package pagefault

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"runtime"
	"strconv"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Run causes the faults and returns what came of them, or a *[CannotHereError]. Other errors match os.ErrInvalid
// where the options or the cause (none of [Causes]) make no sense, and those of ctx. They happen on one thread, in an
// order that no prefetcher guesses where the cause allows it, with the signals of other threads blocked.
//
// Causes that end in signals, that fork, and those that a userfaultfd serves, have a child process: main, or TestMain, calls
// [Child] first. Nothing else of the process is changed, and all is undone.
func (c Cause) Run(ctx context.Context, opts CauseOptions) (*Caused, error) {
	opts, err := opts.validate()
	if err != nil {
		return nil, fmt.Errorf("cause %q: %w", c.Name, err)
	}
	var done *Caused
	switch {
	case c.prepare == nil:
		err = os.ErrInvalid // none of [Causes]
	case ctx.Err() != nil:
		err = ctx.Err()
	case c.inChild && !isChild():
		done, err = c.runInChild(ctx, opts)
	default:
		done, err = c.run(opts)
	}
	var cannot *CannotHereError
	if err != nil && !errors.As(err, &cannot) {
		return nil, fmt.Errorf("cause %q: %w", c.Name, err)
	}
	return done, err
}

// CauseNamed returns the cause of that name.
func CauseNamed(name string) (Cause, error) {
	for _, c := range Causes() {
		if c.Name == name {
			return c, nil
		}
	}
	return Cause{}, fmt.Errorf("no cause of page faults is named %q: %w", name, os.ErrNotExist)
}

// A scene is what a cause prepares: the addresses to touch, how, and what to undo.
type scene struct {
	cause  Cause
	class  Class // the cause's, but for the file system or the device that was found
	opts   CauseOptions
	touch  touch
	fd     uintptr // of touchSystemCall
	addrs  []uintptr
	cached int64 // how many of them are in memory after all, so that their fault is a minor one
	undo   []func() error
}

// later notes what is to be undone, last first.
func (s *scene) later(undo func() error) { s.undo = append(s.undo, undo) }

func (s *scene) end() error {
	var errs []error
	for i := len(s.undo) - 1; i >= 0; i-- {
		errs = append(errs, s.undo[i]())
	}
	return errors.Join(errs...)
}

func (s *scene) cannot(why string, err error) error {
	return &CannotHereError{Cause: s.cause.Name, Why: why, Err: err}
}

// pages sets the addresses: n of them, stride bytes apart.
func (s *scene) pages(base, stride uintptr) {
	for i := range s.addrs {
		s.addrs[i] = base + uintptr(i)*stride
	}
}

// run causes the faults in this process.
func (c Cause) run(opts CauseOptions) (_ *Caused, err error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	s := &scene{cause: c, class: c.Class, opts: opts, addrs: make([]uintptr, opts.Count)}
	defer func() { err = errors.Join(err, s.end()) }()
	if err := c.prepare(s); err != nil {
		return nil, err
	}
	if c.shuffled {
		rand.Shuffle(len(s.addrs), func(i, j int) { s.addrs[i], s.addrs[j] = s.addrs[j], s.addrs[i] })
	}
	done := &Caused{Class: s.class, Expected: c.Each.times(int64(len(s.addrs))), TID: unix.Gettid()}
	if s.cached > 0 {
		done.Expected.Minor += s.cached
		done.Expected.Major -= s.cached
	}
	if err := s.measure(done); err != nil {
		return nil, err
	}
	return done, nil
}

// runInChild has a child cause them.
func (c Cause) runInChild(ctx context.Context, opts CauseOptions) (*Caused, error) {
	out, state, err := runChild(ctx, c.childArgs(opts)...)
	if err != nil {
		return nil, err
	}
	done, err := c.parse(out)
	if err != nil {
		return nil, fmt.Errorf("%w (the child ended with %s)", err, state)
	}
	return done, nil
}

// childArgs are those of a child that causes.
func (c Cause) childArgs(opts CauseOptions) []string {
	return []string{"cause", c.Name, strconv.Itoa(opts.Count), strconv.FormatBool(opts.Reserve), opts.Dir, strconv.Itoa(opts.gate)}
}

// A causeReport is what such a child says.
type causeReport struct {
	Done          *Caused
	Cannot, Error string
}

// parse reads it.
func (c Cause) parse(report []byte) (*Caused, error) {
	if err := childError(report); err != nil {
		return nil, err
	}
	var r causeReport
	err := json.Unmarshal(report, &r)
	switch {
	case err != nil || r == (causeReport{}):
		return nil, errors.New("no report: does the program call pagefault.Child first?")
	case r.Cannot != "":
		return nil, &CannotHereError{Cause: c.Name, Why: r.Cannot}
	case r.Error != "":
		return nil, errors.New(r.Error)
	}
	return r.Done, nil
}

// causeInChild is the child's part of it: name, count, reserve, dir, gate.
func causeInChild(args []string) error {
	c, err := CauseNamed(args[0])
	n, countErr := strconv.Atoi(args[1])
	reserve, reserveErr := strconv.ParseBool(args[2])
	gate, gateErr := strconv.Atoi(args[4])
	if err := errors.Join(err, countErr, reserveErr, gateErr); err != nil {
		return err
	}
	var r causeReport
	r.Done, err = c.Run(context.Background(), CauseOptions{Count: n, Reserve: reserve, Dir: args[3], gate: gate})
	var cannot *CannotHereError
	if errors.As(err, &cannot) {
		r.Cannot = cannot.Why
		if cannot.Err != nil {
			r.Cannot += ": " + cannot.Err.Error()
		}
	} else if err != nil {
		r.Error = err.Error()
	}
	return reportJSON(r)
}

// measure touches every address once, and takes the time of each touch and what the kernel counted meanwhile.
//
// What the loop itself needs has been touched by a round on a page that is there, which gives the overhead as well.
// Signals are blocked, because their handlers' frames are touches too. Nobody can stop this thread meanwhile,
// not for the garbage collector either: a round takes milliseconds.
func (s *scene) measure(done *Caused) error {
	blocked, old := asynchronous(), unix.Sigset_t{}
	here := new([64]byte)
	there := make([]uintptr, len(s.addrs))
	for i := range there {
		there[i] = uintptr(unsafe.Pointer(here))
	}
	m := &meter{times: make([]int64, len(s.addrs)), fd: s.fd}
	if s.cause.unresolved() {
		more, err := mapRegion(-1, int64(pageLength()), unix.MAP_PRIVATE|unix.MAP_ANONYMOUS)
		if err != nil {
			return err
		}
		s.later(func() error { return unmapRegion(more) })
		m.more = addressOf(more)
	}
	if err := unix.PthreadSigmask(unix.SIG_SETMASK, &blocked, &old); err != nil {
		return os.NewSyscallError("rt_sigprocmask", err)
	}
	least := int64(math.MaxInt64) // whatever else ran meanwhile is no overhead
	for range 3 {                 // the same way that counts, so that no part of the stack and the code is met there for the first time
		m.count(there, s.touch)
		least = min(least, m.total)
	}
	overhead := time.Duration(least)
	if s.cause.Signal != 0 { // the way through a handler has been gone before it counts
		m.run(s.addrs[:1], s.touch)
	}
	m.gate = uintptr(s.opts.gate)
	before, after := m.count(s.addrs, s.touch)
	if err := unix.PthreadSigmask(unix.SIG_SETMASK, &old, nil); err != nil {
		return os.NewSyscallError("rt_sigprocmask", err)
	}
	runtime.KeepAlive(here)
	done.Kernel = Counts{Minor: after.Minor - before.Minor, Major: after.Major - before.Major}
	done.Signals = m.signals
	done.Overhead = overhead
	done.Total = max(0, time.Duration(m.total)-overhead)
	each := int64(overhead) / int64(len(there))
	for _, t := range m.times {
		done.Time.Record(uint64(max(0, t-each)))
	}
	return nil
}

// asynchronous are all signals but those that an instruction raises: for these the kernel does not wait.
func asynchronous() (set unix.Sigset_t) {
	for i := range set.Val {
		set.Val[i] = ^set.Val[i]
	}
	for _, s := range []unix.Signal{unix.SIGSEGV, unix.SIGBUS, unix.SIGILL, unix.SIGFPE, unix.SIGTRAP} {
		set.Val[0] &^= 1 << (s - 1)
	}
	return set
}

// A touch is a way to an address. The loop knows them all: it calls nothing that could be stopped.
type touch uint8

const (
	touchLoad touch = iota
	touchStore
	touchLoadSkipping  // past a signal
	touchStoreSkipping // past a signal
	touchSystemCall    // ioctl FIONBIO, which reads a number there: one access, and one fault
)

// fionbio is FIONBIO of uapi/asm-generic/ioctls.h.
const fionbio = 0x5421

// A meter is what the loop writes to, and what it needs.
type meter struct {
	times   []int64
	total   int64
	signals int64
	fd      uintptr
	gate    uintptr // a socket; 0 for none
	more    uintptr // a page that nobody has touched; 0 for none
	byte    [8]byte
}

// run touches each address and takes the time. All that it calls is nosplit: where a function may grow the stack, the
// scheduler may stop it too, and go its ways on this thread, through memory of its own.
//
//go:norace
//go:nosplit
//go:noinline
func (m *meter) run(addrs []uintptr, how touch) {
	m.signals = 0
	begin := now()
	last := begin
	for i, addr := range addrs {
		switch how {
		case touchLoad:
			loadByte(addr)
		case touchStore:
			storeByte(addr)
		case touchLoadSkipping:
			m.signals += int64(skipping(addr, false))
		case touchStoreSkipping:
			m.signals += int64(skipping(addr, true))
		case touchSystemCall:
			unix.RawSyscall6(unix.SYS_IOCTL, m.fd, fionbio, addr, 0, 0, 0)
		}
		at := now()
		m.times[i] = at - last
		last = at
	}
	m.total = last - begin
}

// count runs between two looks at what the kernel has counted. It waits before, and where somebody observes for him, before
// and after, and before that once more: when a thread has waited, the kernel may write to its memory (rseq(2), of C's
// library), and after a fork that is a fault of its own. An exception that came to nothing is known as such when the
// thread takes its next fault, so there is one more at the end then.
//
//go:norace
//go:nosplit
//go:noinline
func (m *meter) count(addrs []uintptr, how touch) (before, after Counts) {
	m.wait()
	m.wait()
	before = threadUsage()
	m.run(addrs, how)
	after = threadUsage()
	if m.gate != 0 && m.more != 0 {
		storeByte(m.more)
	}
	m.wait()
	return before, after
}

// wait says that it is there and waits for an answer, or for a moment where nobody is there to give one: by raw calls, after
// which the thread has not got to find itself a P, with memory of its own.
//
//go:norace
//go:nosplit
func (m *meter) wait() {
	if m.gate != 0 {
		unix.RawSyscall6(unix.SYS_WRITE, m.gate, uintptr(unsafe.Pointer(&m.byte)), 1, 0, 0, 0)
		unix.RawSyscall6(unix.SYS_READ, m.gate, uintptr(unsafe.Pointer(&m.byte)), 1, 0, 0, 0)
		return
	}
	moment := unix.Timespec{Nsec: 1}
	unix.RawSyscall6(unix.SYS_NANOSLEEP, uintptr(unsafe.Pointer(&moment)), 0, 0, 0, 0, 0)
}

// now is the monotonic clock in nanoseconds, by a system call: the faster ways to it are not nosplit.
//
//go:norace
//go:nosplit
func now() int64 {
	var t unix.Timespec
	unix.RawSyscall6(unix.SYS_CLOCK_GETTIME, unix.CLOCK_MONOTONIC, uintptr(unsafe.Pointer(&t)), 0, 0, 0, 0)
	return t.Sec*1e9 + t.Nsec
}

// loadByte and storeByte touch memory that is no part of Go's heap, or is kept.
//
//go:norace
//go:nocheckptr
//go:nosplit
//go:noinline
func loadByte(addr uintptr) byte {
	return *(*byte)(*(*unsafe.Pointer)(unsafe.Pointer(&addr)))
}

//go:norace
//go:nocheckptr
//go:nosplit
//go:noinline
func storeByte(addr uintptr) {
	*(*byte)(*(*unsafe.Pointer)(unsafe.Pointer(&addr))) = 1
}

// skipping loads or stores a byte and returns how many faults it met instead: it needs [handlerSkips].
//
//go:noescape
func skipping(addr uintptr, write bool) (caught int)

// threadUsage cannot fail: the thread is this one and the structure is ours.
//
//go:norace
//go:nosplit
func threadUsage() Counts {
	var u unix.Rusage
	unix.RawSyscall6(unix.SYS_GETRUSAGE, unix.RUSAGE_THREAD, uintptr(unsafe.Pointer(&u)), 0, 0, 0, 0)
	return Counts{Minor: u.Minflt, Major: u.Majflt}
}
