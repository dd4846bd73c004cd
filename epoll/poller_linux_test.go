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
			// The network may take a moment, in which somebody else has the processor.
			there := []unix.PollFd{{Fd: int32(a.fd), Events: unix.POLLPRI}}
			for {
				n, err := unix.Poll(there, 60_000)
				if n == 1 {
					return a, Pri | Out
				}
				if err != unix.EINTR {
					t.Fatalf("poll: %d, %v", n, err)
				}
			}
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
