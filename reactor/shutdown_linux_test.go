package reactor

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// Requests that were sent before the goodbye are answered, whatever the moment.
func TestShutdownLosesNoRequest(t *testing.T) { eachDriver(t, testShutdownLosesNoRequest) }

func testShutdownLosesNoRequest(t *testing.T, driver Driver) {
	l := start(t, Options{Driver: driver})
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
	eachDriver(t, testShutdownAnswersWhatHasArrived)
}

func testShutdownAnswersWhatHasArrived(t *testing.T, driver Driver) {
	l := start(t, Options{Driver: driver})
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

// Nothing tells whether a client that has just connected will ask. The loop waits for it, and not for one that had its time.
func TestShutdownWaitsForTheFirstRequest(t *testing.T) {
	eachDriver(t, testShutdownWaitsForTheFirstRequest)
}

func testShutdownWaitsForTheFirstRequest(t *testing.T, driver Driver) {
	server, client := identity()
	for _, secure := range []bool{false, true} {
		l := start(t, Options{Driver: driver})
		opened := make(chan *Conn, 2)
		accept := func(*Conn) Handler { return opens{opened} }
		var s *Listener
		connect := func() net.Conn { return dial(t, s) }
		if secure {
			s = serveTLS(t, l, server, accept)
			connect = func() net.Conn {
				c := tls.Client(dial(t, s), client)
				if err := c.Handshake(); err != nil {
					t.Fatal(err)
				}
				return c
			}
		} else {
			s = serve(t, l, accept)
		}
		old := connect()
		oldConn := <-opened
		fresh := connect()
		freshConn := <-opened
		on(t, l, func() { // a machine that is slow does not matter
			oldConn.since -= freshTicks
			freshConn.since += 1000 * freshTicks
		})
		shut := make(chan error, 1)
		go func() { shut <- l.Shutdown(context.Background()) }()
		ends(t, old) // many looks before the other asks
		time.Sleep(40 * drainPause)
		say(t, fresh, "?")
		hear(t, fresh, "?")
		ends(t, fresh)
		if err := <-shut; err != nil {
			t.Error(err)
		}
	}
}

// More requests have been received than the ring has places to say so: those that wait behind them are no less received.
func TestShutdownSeesWhatTheRingHasNoPlaceFor(t *testing.T) {
	const clients = 40
	l := startRing(t, Options{}, ringSizes{entries: 4, completions: 8, buffers: 64})
	s := serve(t, l, func(*Conn) Handler { return slow{} })
	var asking []net.Conn
	for range clients {
		c := dial(t, s)
		say(t, c, "1")
		hear(t, c, "1")
		asking = append(asking, c)
	}
	draining, held := make(chan struct{}), make(chan struct{})
	l.Post(func() {
		l.drain()
		close(draining)
		<-held
		for c := range l.conns {
			for unread(c.fd) == 0 {
				runtime.Gosched()
			}
		}
	})
	<-draining
	for _, c := range asking {
		say(t, c, "2")
	}
	shut := make(chan error, 1)
	go func() { shut <- l.Shutdown(context.Background()) }()
	close(held)
	for _, c := range asking {
		hear(t, c, "2")
		ends(t, c)
	}
	if err := <-shut; err != nil {
		t.Error(err)
	}
}

// slow is so slow that the next look comes before the next batch, and nothing of its own is in the ring then.
type slow struct{ Base }

func (slow) Data(c *Conn, b []byte) {
	time.Sleep(2 * drainPause)
	b = bytes.Clone(b)
	c.Post(func(c *Conn) { c.Write(b) })
}

// opens is an echo that tells of its connections.
type opens struct{ opened chan *Conn }

func (o opens) Open(c *Conn)         { o.opened <- c }
func (opens) Data(c *Conn, b []byte) { c.Write(b) }
func (opens) EOF(c *Conn)            { c.Close() }
func (opens) Drained(*Conn)          {}
func (opens) Closed(*Conn, error)    {}

// Accepting what waits is the program's code too.
func TestShutdownOutlivesAPanicInAccept(t *testing.T) {
	eachDriver(t, testShutdownOutlivesAPanicInAccept)
}

func testShutdownOutlivesAPanicInAccept(t *testing.T, driver Driver) {
	l := start(t, Options{Driver: driver})
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

func TestShutdownGivesUpWithItsContext(t *testing.T) {
	eachDriver(t, testShutdownGivesUpWithItsContext)
}

func testShutdownGivesUpWithItsContext(t *testing.T, driver Driver) {
	l := start(t, Options{Driver: driver})
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
