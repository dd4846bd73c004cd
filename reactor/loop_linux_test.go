package reactor

import (
	"context"
	"errors"
	"io"
	"math"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func TestLoopEndsOnce(t *testing.T) {
	for name, end := range map[string]func(*Loop) error{
		"Close":    (*Loop).Close,
		"Shutdown": func(l *Loop) error { return l.Shutdown(context.Background()) },
		"from a handler": func(l *Loop) error {
			done := make(chan error)
			l.Post(func() { err := l.Close(); go func() { done <- err }() })
			return <-done
		},
	} {
		before := descriptors(t)
		l, err := New(Options{})
		if err != nil {
			t.Fatal(err)
		}
		s := serve(t, l, echoes)
		ran := make(chan error, 1)
		go func() { ran <- l.Run() }()
		c := dial(t, s)
		say(t, c, "x")
		hear(t, c, "x")
		if err := l.Run(); err == nil {
			t.Errorf("%s: a second Run succeeded", name)
		}
		if err := end(l); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if err := <-ran; err != nil {
			t.Errorf("%s: Run: %v", name, err)
		}
		c.Close()
		_, dialErr := l.Dial("tcp", s.Addr().String(), 0, echo{})
		_, listenErr := l.Listen("tcp", "127.0.0.1:0", echoes)
		_, fileErr := s.File()
		_, packetErr := l.ListenPacket("udp", "127.0.0.1:0", &packets{})
		for _, err := range []error{dialErr, listenErr, fileErr, packetErr, l.Post(func() {}), l.Run()} {
			if !errors.Is(err, ErrClosed) || !errors.Is(err, net.ErrClosed) {
				t.Errorf("%s: afterwards: %v", name, err)
			}
		}
		if err := errors.Join(s.Close(), s.Close(), l.Close(), l.Shutdown(context.Background())); err != nil {
			t.Errorf("%s: once more: %v", name, err)
		}
		if after := descriptors(t); len(after) != len(before) {
			t.Errorf("%s: descriptors before: %v; after: %v", name, before, after)
		}
	}
}

func TestLoopThatNeverRanIsReleased(t *testing.T) {
	before := descriptors(t)
	l, err := New(Options{})
	if err != nil {
		t.Fatal(err)
	}
	r := newRecorder(t)
	s := serve(t, l, echoes)
	if _, err := l.Dial("tcp", s.Addr().String(), 0, r); err != nil {
		t.Fatal(err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	r.expectClosed(ErrClosed)
	if err := l.Run(); !errors.Is(err, ErrClosed) {
		t.Errorf("Run: %v", err)
	}
	if after := descriptors(t); len(after) != len(before) {
		t.Errorf("descriptors before: %v; after: %v", before, after)
	}
}

func TestClosingLoopTellsItsConnections(t *testing.T) {
	l, err := New(Options{})
	if err != nil {
		t.Fatal(err)
	}
	ran := make(chan error, 1)
	go func() { ran <- l.Run() }()
	again := errors.New("a handler that dials when it is closed")
	r := newRecorder(t)
	s := serve(t, l, func(*Conn) Handler { return r })
	c := dial(t, s)
	r.expect("open")
	var dialed error
	on(t, l, func() {
		r.conn.SetHandler(closing(func() {
			if _, err := l.Dial("tcp", s.Addr().String(), 0, echo{}); !errors.Is(err, ErrClosed) {
				dialed = errors.Join(again, err)
			}
			r.closed <- nil
		}))
	})
	l.Close()
	r.expectClosed(nil)
	if err := errors.Join(<-ran, dialed); err != nil {
		t.Error(err)
	}
	io.ReadAll(c)
}

type closing func()

func (closing) Open(*Conn)            {}
func (closing) Data(*Conn, []byte)    {}
func (closing) EOF(*Conn)             {}
func (closing) Drained(*Conn)         {}
func (f closing) Closed(*Conn, error) { f() }

func TestPostsFromManyGoroutinesAreAllCalledInOrder(t *testing.T) {
	l := start(t, Options{})
	const posters, each = 8, 5000
	next := make([]int, posters) // owned by the loop
	var wait sync.WaitGroup
	for p := range posters {
		wait.Go(func() {
			for i := range each {
				if err := l.Post(func() {
					if next[p] != i {
						t.Errorf("poster %d: %d after %d", p, i, next[p])
					}
					next[p]++
				}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wait.Wait()
	on(t, l, func() {
		for p, n := range next {
			if n != each {
				t.Errorf("poster %d: %d of %d", p, n, each)
			}
		}
	})
}

func TestTimers(t *testing.T) {
	l := start(t, Options{})
	fired := make(chan time.Time, 10)
	var began time.Time
	var stopped *Timer
	const after = 15 * time.Millisecond
	on(t, l, func() {
		began = time.Now()
		l.AfterFunc(after, func() {
			fired <- time.Now()
			if !stopped.Stop() || stopped.Stop() {
				t.Error("Stop of a timer that is set, then of one that is not")
			}
		})
		stopped = l.AfterFunc(10*after, func() { t.Error("a stopped timer fired") })
	})
	if took := (<-fired).Sub(began); took < after {
		t.Errorf("fired after %v; want %v", took, after)
	}
	var timer *Timer
	count := 0
	on(t, l, func() {
		timer = l.AfterFunc(time.Hour, func() {
			fired <- time.Now()
			if count++; count < 3 {
				timer.Reset(0)
			}
		})
		timer.Reset(-time.Second)
	})
	for range 3 {
		<-fired
	}
}

// Times that no clock will show, which programs use for "never".
func TestTimesAreAsFarAsTheyLike(t *testing.T) {
	l := start(t, Options{})
	r := newRecorder(t)
	r.data = func(c *Conn, b []byte) { c.SetReadDeadline(time.Unix(1<<40, 0)); c.Write(b) }
	c := dial(t, serve(t, l, func(*Conn) Handler { return r }))
	on(t, l, func() { l.AfterFunc(math.MaxInt64, func() { t.Error("a timer of 292 years fired") }) })
	later := make(chan struct{})
	say(t, c, "x")
	hear(t, c, "x")
	on(t, l, func() { l.AfterFunc(5*time.Millisecond, func() { close(later) }) })
	<-later
	say(t, c, "y")
	hear(t, c, "y")
}

func TestAcceptPausesWithoutDescriptors(t *testing.T) {
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		t.Fatal(err)
	}
	var paused atomic.Int32
	l := start(t, Options{Report: func(err error) {
		if errors.Is(err, unix.EMFILE) {
			paused.Add(1)
		}
	}})
	s := serve(t, l, echoes)
	first := dial(t, s)
	say(t, first, "x")
	hear(t, first, "x")
	// The second connection's own socket is made before the limit, the other end would be beyond it.
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	tight := limit
	tight.Cur = uint64(fd + 1) // numbers below fd are all taken: the lowest free one was fd
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &tight); err != nil {
		t.Fatal(err)
	}
	defer unix.Setrlimit(unix.RLIMIT_NOFILE, &limit)
	defer unix.Close(fd)
	port := s.Addr().(*net.TCPAddr).Port
	if err := unix.Connect(fd, &unix.SockaddrInet4{Port: port, Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		t.Fatal(err) // the kernel has made the connection; it waits to be accepted
	}
	if _, err := unix.Write(fd, []byte("patient")); err != nil {
		t.Fatal(err)
	}
	for paused.Load() == 0 {
		time.Sleep(time.Millisecond)
	}
	say(t, first, "y") // the others go on
	hear(t, first, "y")
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		t.Fatal(err)
	}
	got := make([]byte, 7)
	if n, err := unix.Read(fd, got); n != 7 || err != nil || string(got) != "patient" {
		t.Errorf("%q, %v", got[:max(n, 0)], err)
	}
	if n := paused.Load(); n > 100 {
		t.Errorf("%d attempts: accepting was not paused", n)
	}
}

func TestListenReportsWhatTheKernelSays(t *testing.T) {
	l := start(t, Options{})
	s := serve(t, l, echoes)
	for _, tt := range []struct {
		network, address string
		want             error
	}{
		{"tcp", s.Addr().String(), unix.EADDRINUSE},
		{"unix", "/nowhere/s", unix.ENOENT},
		{"udp", "127.0.0.1:0", net.UnknownNetworkError("udp")},
	} {
		if _, err := l.Listen(tt.network, tt.address, echoes); !errors.Is(err, tt.want) {
			t.Errorf("%s %s: %v; want %v", tt.network, tt.address, err, tt.want)
		}
	}
	f, err := os.CreateTemp(t.TempDir(), "")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := l.ListenFile(ListenConfig{}, f, echoes); !errors.Is(err, unix.ENOTSOCK) {
		t.Errorf("a file: %v", err)
	}
	for _, o := range []Options{{CPU: -1}, {HighWater: 1, LowWater: 2}, {HighWater: 2, WriteLimit: 1}, {Driver: 99}} {
		if _, err := New(o); err == nil {
			t.Errorf("%+v: no error", o)
		}
	}
}

func TestFileOfAListener(t *testing.T) {
	l := start(t, Options{})
	s := serve(t, l, echoes)
	on(t, l, func() { // from a handler as well
		f, err := s.File()
		if err != nil {
			t.Error(err)
			return
		}
		f.Close()
	})
	s.Close()
	on(t, l, func() {})
	if _, err := s.File(); !errors.Is(err, ErrClosed) {
		t.Errorf("of a closed one: %v", err)
	}
	for _, listen := range []func() (*Listener, error){
		func() (*Listener, error) { return l.Listen("tcp", "127.0.0.1:0", nil) },
		func() (*Listener, error) { return l.ListenFile(ListenConfig{}, os.Stdin, nil) },
		func() (*Listener, error) { return l.ListenFile(ListenConfig{}, nil, echoes) },
	} {
		if _, err := listen(); err == nil {
			t.Error("no error")
		}
	}
}

// A socket that was handed over blocking, as one of a service manager is.
func TestListenFileOfABlockingSocket(t *testing.T) {
	l := start(t, Options{})
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	f := os.NewFile(uintptr(fd), "listener")
	defer f.Close()
	if err := errors.Join(unix.Bind(fd, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}), unix.Listen(fd, 10)); err != nil {
		t.Fatal(err)
	}
	s, err := l.ListenFile(ListenConfig{}, f, echoes)
	if err != nil {
		t.Fatal(err)
	}
	c := dial(t, s)
	say(t, c, "x")
	hear(t, c, "x")
	on(t, l, func() {}) // it is not in accept
}

// A successor may have put its socket where ours was.
func TestUnixListenerRemovesItsOwnFileAlone(t *testing.T) {
	l := start(t, Options{})
	path := filepath.Join(t.TempDir(), "s")
	s, err := l.Listen("unix", path, echoes)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	successor, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer successor.Close()
	s.Close()
	on(t, l, func() {})
	if _, err := os.Stat(path); err != nil {
		t.Errorf("the successor's file: %v", err)
	}
	l.Close()
	<-l.done
	if _, err := l.Listen("unix", path+"2", echoes); !errors.Is(err, ErrClosed) {
		t.Errorf("Listen: %v", err)
	}
	if _, err := os.Stat(path + "2"); err == nil {
		t.Error("a file of a listener that there is not")
	}
}

// One loop alone shares its port with nobody.
func TestGroupOfOneHasItsPortAlone(t *testing.T) {
	g, err := NewGroup(1, Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer g.Close()
	listeners, err := g.Listen(ListenConfig{}, "tcp", "127.0.0.1:0", echoes)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := g.Listen(ListenConfig{}, "tcp", listeners[0].Addr().String(), echoes); !errors.Is(err, unix.EADDRINUSE) {
		t.Errorf("a second listener: %v", err)
	}
}

func TestPinnedLoopRunsThere(t *testing.T) {
	var allowed unix.CPUSet
	if err := unix.SchedGetaffinity(0, &allowed); err != nil {
		t.Fatal(err)
	}
	g, err := NewGroup(0, Options{Pin: true})
	if err != nil {
		t.Fatal(err)
	}
	if got := len(g.Loops()); got != allowed.Count() {
		t.Errorf("%d loops for %d processors", got, allowed.Count())
	}
	ran := make(chan error, 1)
	go func() { ran <- g.Run() }()
	var seen unix.CPUSet
	for _, l := range g.Loops() {
		on(t, l, func() {
			var set unix.CPUSet
			if err := unix.SchedGetaffinity(0, &set); err != nil || set.Count() != 1 {
				t.Errorf("%d processors, %v", set.Count(), err)
			}
			for cpu := range len(set) * 64 {
				if set.IsSet(cpu) {
					seen.Set(cpu)
				}
			}
		})
	}
	if seen != allowed {
		t.Errorf("loops are on %v; want %v", seen, allowed)
	}
	if err := errors.Join(g.Close(), <-ran); err != nil {
		t.Error(err)
	}
	if _, err := NewGroup(1, Options{Pin: true, CPU: 1 << 20}); err == nil {
		t.Error("a processor that there is not: no error")
	}
}

func TestGroupSharesItsListeners(t *testing.T) {
	for _, network := range []string{"tcp", "unix"} {
		g, err := NewGroup(3, Options{})
		if err != nil {
			t.Fatal(err)
		}
		address := "127.0.0.1:0"
		if network == "unix" {
			address = filepath.Join(t.TempDir(), "s")
		}
		var mu sync.Mutex
		served := make(map[*Loop]int)
		listeners, err := g.Listen(ListenConfig{}, network, address, func(c *Conn) Handler {
			mu.Lock()
			defer mu.Unlock()
			served[c.Loop()]++
			return echo{}
		})
		if err != nil {
			t.Fatal(err)
		}
		ran := make(chan error, 1)
		go func() { ran <- g.Run() }()
		const clients = 60
		for range clients {
			c := dial(t, listeners[0])
			say(t, c, "x")
			hear(t, c, "x")
			c.Close()
		}
		if err := errors.Join(g.Shutdown(context.Background()), <-ran); err != nil {
			t.Error(err)
		}
		total := 0
		for _, n := range served {
			total += n
		}
		if total != clients || network == "tcp" && len(served) != 3 {
			t.Errorf("%s: served %v", network, served)
		}
	}
}

// Requests that were sent before the goodbye are answered, whatever the moment.
func TestShutdownLosesNoRequest(t *testing.T) {
	l := start(t, Options{})
	s := serve(t, l, func(*Conn) Handler { return &polite{} })
	const clients = 16
	var wait sync.WaitGroup
	var answered, lost atomic.Int64
	begun := make(chan struct{}, clients)
	for range clients {
		c := dial(t, s)
		wait.Go(func() {
			defer c.Close()
			say(t, c, "?")
			begun <- struct{}{}
			for b := make([]byte, 1); ; {
				if _, err := io.ReadFull(c, b); err != nil {
					lost.Add(1)
					return
				}
				if b[0] == '.' { // goodbye: one request is under way
					if _, err := io.ReadFull(c, b); err != nil || b[0] != '!' {
						lost.Add(1)
					}
					return
				}
				answered.Add(1)
				if _, err := c.Write([]byte("?")); err != nil {
					lost.Add(1)
					return
				}
			}
		})
	}
	for range clients {
		<-begun
	}
	for answered.Load() < 1000 {
		time.Sleep(time.Millisecond)
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := l.Shutdown(ctx); err != nil {
		t.Error(err)
	}
	wait.Wait()
	if lost.Load() != 0 {
		t.Errorf("%d of %d requests were lost", lost.Load(), answered.Load())
	}
}

// polite answers "?" with "!" and says "." before it goes: a client sends no more after it has heard that.
type polite struct{ Base }

func (p *polite) Data(c *Conn, b []byte) {
	for range b {
		c.Write([]byte("!"))
	}
}

func (p *polite) Drain(c *Conn) { c.Write([]byte(".")) } // the client closes

// A connection whose protocol says nothing is closed when it is quiet, and what was sent by then is answered.
func TestShutdownAnswersWhatHasArrived(t *testing.T) {
	l := start(t, Options{})
	s := serve(t, l, echoes)
	idle, busy := dial(t, s), dial(t, s)
	say(t, busy, "x")
	hear(t, busy, "x")
	blocked := make(chan struct{})
	l.Post(func() { <-blocked }) // so that all of it is there at once
	say(t, busy, "the last request")
	waiting := dial(t, s) // in the listener's queue
	say(t, waiting, "accepted at the last moment")
	shut := make(chan error, 1)
	go func() { shut <- l.Shutdown(context.Background()) }()
	close(blocked)
	hear(t, busy, "the last request")
	ends(t, busy)
	hear(t, waiting, "accepted at the last moment")
	ends(t, waiting)
	ends(t, idle)
	if err := <-shut; err != nil {
		t.Error(err)
	}
	if c, err := net.Dial("tcp", s.Addr().String()); err == nil {
		c.Close()
		t.Error("the port still listens")
	}
}

// Accepting what waits is the program's code too.
func TestShutdownOutlivesAPanicInAccept(t *testing.T) {
	l := start(t, Options{})
	accepted := 0
	s := serve(t, l, func(*Conn) Handler {
		if accepted++; accepted > 1 {
			panic("a mistake")
		}
		return echo{}
	})
	idle := dial(t, s)
	say(t, idle, "x")
	hear(t, idle, "x")
	shut := make(chan error, 1)
	l.Post(func() {
		l.Post(func() { // together with Shutdown's: nothing is accepted between the two
			for range 3 {
				if c, err := net.Dial("tcp", s.Addr().String()); err == nil {
					defer c.Close()
				}
			}
		})
		go func() { shut <- l.Shutdown(context.Background()) }()
		for {
			l.mu.Lock()
			n := len(l.posted)
			l.mu.Unlock()
			if n == 2 {
				return
			}
			runtime.Gosched()
		}
	})
	select {
	case err := <-shut:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(patience):
		t.Fatal("Shutdown waits for what nobody does")
	}
}

// A handler that ends the loop's goroutine, as t.FailNow does, ends the loop, and nothing is left behind.
func TestHandlerThatEndsTheGoroutine(t *testing.T) {
	before := descriptors(t)
	l, err := New(Options{})
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() { defer close(ended); l.Run() }()
	r := newRecorder(t)
	r.data = func(*Conn, []byte) { runtime.Goexit() }
	c := dial(t, serve(t, l, func(*Conn) Handler { return r }))
	say(t, c, "x")
	r.expectClosed(ErrClosed)
	<-ended
	if err := l.Shutdown(context.Background()); err != nil {
		t.Error(err)
	}
	c.Close()
	if after := descriptors(t); len(after) != len(before) {
		t.Errorf("descriptors before: %v; after: %v", before, after)
	}
}

func TestShutdownGivesUpWithItsContext(t *testing.T) {
	l := start(t, Options{})
	r := newRecorder(t)
	s := serve(t, l, func(*Conn) Handler { return stubborn{r} })
	c := dial(t, s)
	r.expect("open")
	ctx, cancel := context.WithCancel(context.Background())
	shut := make(chan error, 1)
	go func() { shut <- l.Shutdown(ctx) }()
	r.expect("drain")
	cancel()
	if err := <-shut; !errors.Is(err, context.Canceled) {
		t.Errorf("Shutdown: %v", err)
	}
	r.expectClosed(ErrClosed)
	io.ReadAll(c)
}

type stubborn struct{ *recorder }

func (s stubborn) Drain(*Conn) { s.calls <- "drain" }
