package epoll

import (
	"errors"
	"io/fs"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

func itoa(n int) string { return strconv.Itoa(n) }

func TestEventIsWhatTheKernelWrites(t *testing.T) {
	// x/sys took the size from the C structure of each processor.
	if got, want := unsafe.Sizeof(Event{}), unsafe.Sizeof(unix.EpollEvent{}); got != want {
		t.Errorf("size %d; want %d", got, want)
	}
	if got, want := unsafe.Offsetof(Event{}.slot), unsafe.Offsetof(unix.EpollEvent{}.Fd); got != want {
		t.Errorf("data at %d; want %d", got, want)
	}
}

func TestModes(t *testing.T) {
	for _, tt := range []struct {
		name       string
		mode       Events
		first      bool // reported when data came
		again      bool // and again, nobody having read
		afterMore  bool // and when more came
		afterRearm bool // and after Modify, nobody having read
	}{
		{"level", 0, true, true, true, true},
		{"edge", EdgeTriggered, true, false, true, true},
		{"one-shot", OneShot, true, false, false, true},
		{"one-shot edge", OneShot | EdgeTriggered, true, false, false, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := newPoller(t)
			r, w := pipe(t)
			tok := add(t, p, r.fd, In|tt.mode)
			check := func(when string, want bool) {
				t.Helper()
				if got := len(poll(t, p)) == 1; got != want {
					t.Errorf("%s: reported %v; want %v", when, got, want)
				}
			}
			check("before", false)
			w.write("a")
			check("data", tt.first)
			check("the same data", tt.again)
			w.write("b")
			check("more data", tt.afterMore)
			if err := p.Modify(tok, In|tt.mode); err != nil {
				t.Fatal(err)
			}
			check("modified", tt.afterRearm)
			if got := r.drain(); got != "ab" {
				t.Errorf("read %q", got)
			}
			check("drained", false)
		})
	}
}

func TestConditions(t *testing.T) {
	for _, tt := range []struct {
		name  string
		setup func(t *testing.T) (watched *end, want Events)
	}{
		{"writable", func(t *testing.T) (*end, Events) { a, _ := socketpair(t); return a, Out }},
		{"peer shut down writing", func(t *testing.T) (*end, Events) {
			a, b := socketpair(t)
			unix.Shutdown(b.fd, unix.SHUT_WR)
			return a, In | Out | RdHup
		}},
		{"peer gone", func(t *testing.T) (*end, Events) {
			a, b := socketpair(t)
			b.close()
			return a, In | Out | RdHup | Hup
		}},
		{"writer of a pipe gone", func(t *testing.T) (*end, Events) { r, w := pipe(t); w.close(); return r, Hup }},
		{"reader of a pipe gone", func(t *testing.T) (*end, Events) { r, w := pipe(t); r.close(); return w, Out | Err }},
		{"urgent data", func(t *testing.T) (*end, Events) {
			a, b := tcpPair(t)
			if err := unix.Sendto(b.fd, []byte("!"), unix.MSG_OOB, nil); err != nil {
				t.Fatal(err)
			}
			return a, Pri | Out
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := newPoller(t)
			e, want := tt.setup(t)
			tok := add(t, p, e.fd, In|Out|Pri|RdHup)
			expect(t, p, is(tok, want))
		})
	}
}

// tcpPair connects two sockets over loopback.
func tcpPair(t *testing.T) (a, b *end) {
	t.Helper()
	socket := func() *end {
		fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			t.Fatal(err)
		}
		return newEnd(t, fd)
	}
	l := socket()
	if err := errors.Join(unix.Bind(l.fd, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}), unix.Listen(l.fd, 1)); err != nil {
		t.Fatal(err)
	}
	at, err := unix.Getsockname(l.fd)
	if err != nil {
		t.Fatal(err)
	}
	a = socket()
	if err := unix.Connect(a.fd, at); err != nil {
		t.Fatal(err)
	}
	fd, _, err := unix.Accept4(l.fd, unix.SOCK_CLOEXEC)
	if err != nil {
		t.Fatal(err)
	}
	return a, newEnd(t, fd)
}

func TestExclusiveWakesOneOfTwoPollers(t *testing.T) {
	r, w := pipe(t)
	var woken atomic.Int32
	var wait sync.WaitGroup
	pollers := []*Poller{newPoller(t), newPoller(t)}
	for _, p := range pollers {
		add(t, p, r.fd, In|Exclusive|EdgeTriggered)
		wait.Go(func() {
			if n, err := p.Wait(make([]Event, 1), -1); err == nil && n == 1 {
				woken.Add(1)
			}
		})
	}
	inKernel(t, 2, unix.SYS_EPOLL_PWAIT2, unix.SYS_EPOLL_PWAIT)
	w.write("x")
	for woken.Load() == 0 {
		time.Sleep(time.Millisecond)
	}
	for _, p := range pollers {
		if err := p.Wake(); err != nil { // the one that still waits returns without an event
			t.Fatal(err)
		}
	}
	wait.Wait()
	if n := woken.Load(); n != 1 {
		t.Errorf("one byte woke %d pollers", n)
	}
}

func TestExclusiveCannotBeModified(t *testing.T) {
	p := newPoller(t)
	r, _ := pipe(t)
	tok := add(t, p, r.fd, In|Exclusive)
	if err := p.Modify(tok, In|Exclusive); !errors.Is(err, unix.EINVAL) {
		t.Errorf("Modify: %v; want EINVAL", err)
	}
}

func TestAddReportsWhatTheKernelSays(t *testing.T) {
	p := newPoller(t)
	r, _ := pipe(t)
	tok := add(t, p, r.fd, In)
	other := newPoller(t)
	defer func(tok Token) { // out of the circle before both are closed
		if err := other.Remove(tok); err != nil {
			t.Error(err)
		}
	}(add(t, other, p.FD(), In))
	dir, err := os.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer dir.Close()
	for name, tt := range map[string]struct {
		fd   int
		want unix.Errno
	}{
		"registered already":    {r.fd, unix.EEXIST},
		"not open":              {1 << 20, unix.EBADF},
		"negative":              {-1, unix.EBADF},
		"beyond 32 bits":        {r.fd + 1<<32, unix.EBADF},
		"itself":                {p.FD(), unix.EINVAL},
		"its own wake-up":       {p.wakefd, unix.EINVAL},
		"a circle":              {other.FD(), unix.ELOOP},
		"what cannot be polled": {int(dir.Fd()), unix.EPERM},
	} {
		if _, err := p.Add(tt.fd, In); !errors.Is(err, tt.want) {
			t.Errorf("%s: %v; want %v", name, err, tt.want)
		}
	}
	if !p.Live(tok) {
		t.Error("a registration was lost by attempts at others")
	}
}

func TestTokenEndsWithItsRegistration(t *testing.T) {
	p := newPoller(t)
	r, w := pipe(t)
	w.write("x")
	first := add(t, p, r.fd, In)
	if err := p.Remove(first); err != nil {
		t.Fatal(err)
	}
	expect(t, p)
	second := add(t, p, r.fd, In)
	if first == second || first.Slot() != second.Slot() {
		t.Errorf("tokens %v and %v; want one slot, two generations", first, second)
	}
	expect(t, p, is(second, In))
	for _, err := range []error{p.Remove(first), p.Modify(first, In), p.Remove(0), p.Remove(newToken(99, 1)), p.Remove(wakeToken)} {
		if !errors.Is(err, ErrStale) || !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("stale token: %v", err)
		}
	}
	if p.Live(first) || !p.Live(second) {
		t.Errorf("live: %v %v", p.Live(first), p.Live(second))
	}
}

// A batch holds an event of a descriptor that was closed, and whose number is another's, since the kernel
// wrote the batch. It must not be passed on.
func TestEventOfEndedRegistrationInsideABatchIsDropped(t *testing.T) {
	p := newPoller(t)
	r, w := pipe(t)
	w.write("x")
	old := add(t, p, r.fd, In)
	events := make([]Event, 4)
	if err := p.enter(); err != nil {
		t.Fatal(err)
	}
	n, errno := p.kernelWait(events, 0, nil)
	if n != 1 || errno != 0 {
		t.Fatal(n, errno)
	}
	if err := p.Remove(old); err != nil {
		t.Fatal(err)
	}
	add(t, p, r.fd, In) // the same number, the same slot
	if n, _, err := p.leave(events[:n]); n != 0 || err != nil {
		t.Errorf("%d events passed on, %v", n, err)
	}
}

// The kernel keeps the registration of a closed descriptor whose file is open under another number.
func TestGhostOfClosedDescriptorNeitherReportsNorSpins(t *testing.T) {
	for _, reuse := range []bool{false, true} {
		t.Run("number reused "+strconv.FormatBool(reuse), func(t *testing.T) {
			p := newPoller(t)
			r, w := pipe(t)
			alive, aliveW := pipe(t)
			fired, firedW := pipe(t)
			aliveTok, firedTok := add(t, p, alive.fd, In), add(t, p, fired.fd, In|OneShot)
			firedW.write("x")
			expect(t, p, is(firedTok, In))

			dup, err := unix.FcntlInt(uintptr(r.fd), unix.F_DUPFD_CLOEXEC, 0)
			if err != nil {
				t.Fatal(err)
			}
			newEnd(t, dup)
			ghost := add(t, p, r.fd, In)
			number := r.fd
			r.close()
			w.write("x") // level-triggered: reported for ever
			if reuse {
				r2, _ := pipe(t)
				if r2.fd != number {
					t.Fatalf("number %d was not used again", number)
				}
				add(t, p, r2.fd, In)
			} else if err := p.Remove(ghost); !errors.Is(err, unix.EBADF) && !errors.Is(err, unix.ENOENT) {
				t.Fatalf("Remove after close: %v", err)
			}
			expect(t, p)
			// The kernel itself says that nothing is ready any more.
			if n, errno := p.kernelWait(make([]Event, 4), 0, nil); n != 0 || errno != 0 {
				t.Errorf("the kernel still reports %d events, %v", n, errno)
			}
			// And the others are as they were: one that is live, one that has fired.
			aliveW.write("y")
			expect(t, p, is(aliveTok, In))
			firedW.close()
			expect(t, p, is(aliveTok, In))
			if err := p.Modify(firedTok, In); err != nil {
				t.Fatal(err)
			}
			expect(t, p, is(aliveTok, In), is(firedTok, In|Hup))
		})
	}
}

// However many wait: a ghost that some of them get while others sleep would have them spin.
func TestGhostIsLaidWhileOthersWait(t *testing.T) {
	p := newPoller(t)
	const waiters = 3
	var wait sync.WaitGroup
	for range waiters {
		wait.Go(func() {
			for {
				switch n, err := p.Wait(make([]Event, 1), -1); {
				case errors.Is(err, ErrClosed):
					return
				case n != 0 || err != nil:
					t.Error(n, err)
				}
			}
		})
	}
	defer wait.Wait()
	defer p.Close()
	inKernel(t, waiters, unix.SYS_EPOLL_PWAIT2, unix.SYS_EPOLL_PWAIT)
	r, w := pipe(t)
	dup, err := unix.FcntlInt(uintptr(r.fd), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	newEnd(t, dup)
	ghost := add(t, p, r.fd, In)
	r.close()
	if err := p.Remove(ghost); err == nil {
		t.Fatal("Remove after close succeeded")
	}
	w.write("x")
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(time.Millisecond) {
		p.mu.Lock()
		laid := p.suspects == 0
		p.mu.Unlock()
		if laid {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("the ghost is still there")
		}
	}
	inKernel(t, waiters, unix.SYS_EPOLL_PWAIT2, unix.SYS_EPOLL_PWAIT)
	events := make([]Event, 1)
	if n, errno := p.kernelWait(events, 0, nil); n != 0 || errno != 0 {
		t.Errorf("the kernel reports %v, %v", events[:n], errno)
	}
}

// An event that came together with a ghost is passed on although the set cannot be rebuilt: it may be the only one.
func TestEventBesideAGhostIsNotLost(t *testing.T) {
	p := newPoller(t)
	r, w := pipe(t)
	dup, err := unix.FcntlInt(uintptr(r.fd), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	newEnd(t, dup)
	ghost := add(t, p, r.fd, In)
	alive, aliveW := pipe(t)
	tok := add(t, p, alive.fd, In|EdgeTriggered)
	r.close()
	p.Remove(ghost)
	w.write("x")
	aliveW.write("x")

	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		t.Fatal(err)
	}
	none := limit
	none.Cur = 0
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &none); err != nil {
		t.Fatal(err)
	}
	events := make([]Event, 4)
	n, err := p.Wait(events, 0)
	_, errAgain := p.Wait(make([]Event, 4), 0)
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		t.Fatal(err)
	}
	if n != 1 || err != nil || events[0].Token() != tok {
		t.Errorf("%d events, %v; want that of %v", n, err, tok)
	}
	if !errors.Is(errAgain, unix.EMFILE) {
		t.Errorf("the ghost alone: %v; want EMFILE", errAgain)
	}
	expect(t, p) // laid
}

func TestWaitReturnsWhenTheTimeoutIsOver(t *testing.T) {
	for _, coarse := range []bool{false, true} {
		p := newPoller(t)
		p.coarse.Store(coarse)
		const timeout = 5*time.Millisecond + 1
		began := time.Now()
		n, err := p.Wait(make([]Event, 1), timeout)
		if took := time.Since(began); n != 0 || err != nil || took < timeout {
			t.Errorf("coarse %v: %d, %v after %v; want nothing after %v", coarse, n, err, took, timeout)
		}
	}
}

func TestWaitNeedsRoom(t *testing.T) {
	p := newPoller(t)
	if _, err := p.Wait(nil, 0); !errors.Is(err, unix.EINVAL) {
		t.Errorf("Wait(nil): %v; want EINVAL", err)
	}
}

func TestSignalsDoNotEndAWait(t *testing.T) {
	p := newPoller(t)
	stop := make(chan struct{})
	var wait sync.WaitGroup
	wait.Go(func() { // SIGURG, which the runtime itself uses and ignores
		for {
			select {
			case <-stop:
				return
			default:
				unix.Kill(os.Getpid(), unix.SIGURG)
			}
		}
	})
	const timeout = 50 * time.Millisecond
	began := time.Now()
	n, err := p.Wait(make([]Event, 1), timeout)
	took := time.Since(began)
	close(stop)
	wait.Wait()
	if n != 0 || err != nil || took < timeout {
		t.Errorf("%d, %v after %v", n, err, took)
	}
}

func TestWakeEndsOneWait(t *testing.T) {
	p := newPoller(t)
	for range 1000 { // all before the wait: one wake-up together
		if err := p.Wake(); err != nil {
			t.Fatal(err)
		}
	}
	if n, err := p.Wait(make([]Event, 1), -1); n != 0 || err != nil {
		t.Fatal(n, err)
	}
	if n, errno := p.kernelWait(make([]Event, 1), 0, nil); n != 0 || errno != 0 {
		t.Errorf("a second wake-up is pending: %d, %v", n, errno)
	}

	done := make(chan error)
	go func() { _, err := p.Wait(make([]Event, 1), -1); done <- err }()
	inKernel(t, 1, unix.SYS_EPOLL_PWAIT2, unix.SYS_EPOLL_PWAIT)
	if err := p.Wake(); err != nil {
		t.Fatal(err)
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
}

func TestNoWakeUpIsLost(t *testing.T) {
	p := newPoller(t)
	const posts = 20_000
	var posted atomic.Int64
	var wait sync.WaitGroup
	for range 2 {
		wait.Go(func() {
			for range posts / 2 {
				posted.Add(1)
				if err := p.Wake(); err != nil {
					t.Error(err)
				}
			}
		})
	}
	for seen := int64(0); seen < posts; seen = posted.Load() {
		if _, err := p.Wait(make([]Event, 1), -1); err != nil { // a lost one would be a deadlock
			t.Fatal(err)
		}
	}
	wait.Wait()
}

func TestCloseWakesWaiters(t *testing.T) {
	p := newPoller(t)
	const waiters = 5
	errs := make(chan error, waiters)
	for range waiters {
		go func() { _, err := p.Wait(make([]Event, 1), -1); errs <- err }()
	}
	inKernel(t, waiters, unix.SYS_EPOLL_PWAIT2, unix.SYS_EPOLL_PWAIT)
	if err := p.Close(); err != nil {
		t.Fatal(err)
	}
	for range waiters {
		if err := <-errs; !errors.Is(err, ErrClosed) {
			t.Errorf("Wait: %v; want ErrClosed", err)
		}
	}
	_, addErr := p.Add(0, In)
	_, waitErr := p.Wait(make([]Event, 1), 0)
	for _, err := range []error{addErr, waitErr, p.Wake(), p.Modify(1, In), p.Remove(1)} {
		if !errors.Is(err, ErrClosed) || !errors.Is(err, fs.ErrClosed) {
			t.Errorf("after Close: %v", err)
		}
	}
	if err := p.Close(); err != nil {
		t.Errorf("second Close: %v", err)
	}
}

func TestCloseRacesWithEverything(t *testing.T) {
	for range 50 {
		p := newPoller(t)
		r, _ := pipe(t)
		var wait sync.WaitGroup
		for range 3 {
			wait.Go(func() {
				for events := make([]Event, 1); ; {
					if _, err := p.Wait(events, time.Hour); err != nil {
						return
					}
				}
			})
		}
		wait.Go(func() {
			for {
				tok, err := p.Add(r.fd, In)
				if err != nil {
					return
				}
				p.Wake()
				if p.Remove(tok) != nil {
					return
				}
			}
		})
		p.Close()
		wait.Wait()
	}
}

func TestPollerIsCloseOnExec(t *testing.T) {
	p := newPoller(t)
	for _, fd := range []int{p.epfd, p.wakefd} {
		flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0)
		if err != nil || flags&unix.FD_CLOEXEC == 0 {
			t.Errorf("descriptor %d: flags %#x, %v", fd, flags, err)
		}
	}
}

func TestWaitDoesNotAllocate(t *testing.T) {
	p := newPoller(t)
	r, w := pipe(t)
	add(t, p, r.fd, In)
	w.write("x")
	events := make([]Event, 8)
	for _, timeout := range []time.Duration{0, time.Second} {
		if n := testing.AllocsPerRun(100, func() {
			if n, err := p.Wait(events, timeout); n != 1 || err != nil {
				t.Fatal(n, err)
			}
		}); n != 0 {
			t.Errorf("%v allocations a wait of %v", n, timeout)
		}
	}
}

func BenchmarkWait(b *testing.B) {
	p := newPoller(b)
	for range 64 {
		r, w := pipe(b)
		add(b, p, r.fd, In)
		w.write("x")
	}
	events := make([]Event, 64)
	b.ReportAllocs()
	for b.Loop() {
		if n, err := p.Wait(events, 0); n != 64 || err != nil {
			b.Fatal(n, err)
		}
	}
	b.ReportMetric(float64(b.Elapsed())/float64(b.N)/64, "ns/event")
}
