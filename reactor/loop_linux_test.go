package reactor

import (
	"context"
	"errors"
	"io"
	"math"
	"net"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

func TestLoopEndsOnce(t *testing.T) { eachDriver(t, testLoopEndsOnce) }

func testLoopEndsOnce(t *testing.T, driver Driver) {
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
		l, err := New(Options{Driver: driver})
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
		if left := added(before, descriptors(t)); len(left) > 0 {
			t.Errorf("%s: left behind: %v", name, left)
		}
	}
}

func TestLoopThatNeverRanIsReleased(t *testing.T) { eachDriver(t, testLoopThatNeverRanIsReleased) }

func testLoopThatNeverRanIsReleased(t *testing.T, driver Driver) {
	before := descriptors(t)
	l, err := New(Options{Driver: driver})
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
	if left := added(before, descriptors(t)); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

func TestClosingLoopTellsItsConnections(t *testing.T) {
	eachDriver(t, testClosingLoopTellsItsConnections)
}

func testClosingLoopTellsItsConnections(t *testing.T, driver Driver) {
	l, err := New(Options{Driver: driver})
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

func (closing) Open(*Conn) {}

func (closing) Data(*Conn, []byte) {}

func (closing) EOF(*Conn) {}

func (closing) Drained(*Conn) {}

func (f closing) Closed(*Conn, error) { f() }

func TestPostsFromManyGoroutinesAreAllCalledInOrder(t *testing.T) {
	eachDriver(t, testPostsFromManyGoroutinesAreAllCalledInOrder)
}

func testPostsFromManyGoroutinesAreAllCalledInOrder(t *testing.T, driver Driver) {
	l := start(t, Options{Driver: driver})
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

// A post comes in, or it is told that the loop has ended; there is nothing between.
func TestPostsWhileTheLoopEnds(t *testing.T) { eachDriver(t, testPostsWhileTheLoopEnds) }

func testPostsWhileTheLoopEnds(t *testing.T, driver Driver) {
	for range 300 {
		l, err := New(Options{Driver: driver})
		if err != nil {
			t.Fatal(err)
		}
		ran := make(chan error, 1)
		go func() { ran <- l.Run() }()
		var posters sync.WaitGroup
		var taken, called atomic.Int64
		for range 2 {
			posters.Go(func() {
				for {
					if err := l.Post(func() { called.Add(1) }); err != nil {
						if !errors.Is(err, ErrClosed) {
							t.Error(err)
						}
						return
					}
					taken.Add(1)
				}
			})
		}
		on(t, l, func() {})
		for range 2 {
			posters.Go(func() {
				if err := l.Close(); err != nil {
					t.Error(err)
				}
			})
		}
		posters.Wait()
		if err := <-ran; err != nil {
			t.Error(err)
		}
		if taken, called := taken.Load(), called.Load(); taken != called {
			t.Fatalf("%d posts taken, %d called", taken, called)
		}
	}
}

func TestTimers(t *testing.T) { eachDriver(t, testTimers) }

func testTimers(t *testing.T, driver Driver) {
	l := start(t, Options{Driver: driver})
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
func TestTimesAreAsFarAsTheyLike(t *testing.T) { eachDriver(t, testTimesAreAsFarAsTheyLike) }

func testTimesAreAsFarAsTheyLike(t *testing.T, driver Driver) {
	l := start(t, Options{Driver: driver})
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

// A handler that ends the loop's goroutine, as t.FailNow does, ends the loop, and nothing is left behind.
func TestHandlerThatEndsTheGoroutine(t *testing.T) { eachDriver(t, testHandlerThatEndsTheGoroutine) }

func testHandlerThatEndsTheGoroutine(t *testing.T, driver Driver) {
	before := descriptors(t)
	l, err := New(Options{Driver: driver})
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
	if left := added(before, descriptors(t)); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}
