package reactor

import (
	"errors"
	"io"
	"net"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func TestPanicEndsItsConnectionAlone(t *testing.T) { eachDriver(t, testPanicEndsItsConnectionAlone) }

func testPanicEndsItsConnectionAlone(t *testing.T, driver Driver) {
	var reports atomic.Int32
	l := start(t, Options{Driver: driver, Report: func(err error) {
		if errors.As(err, new(*PanicError)) {
			reports.Add(1)
		}
	}})
	bystander := dial(t, serve(t, l, echoes))
	say(t, bystander, "a")
	hear(t, bystander, "a")
	reason := errors.New("a mistake")
	for name, set := range map[string]func(*recorder){
		"Open": func(r *recorder) { r.open = func(*Conn) { panic(reason) } },
		"Data": func(r *recorder) { r.data = func(*Conn, []byte) { panic(reason) } },
		"EOF":  func(r *recorder) { r.eof = func(*Conn) { panic(reason) } },
		"timer": func(r *recorder) {
			r.open = func(c *Conn) { c.Post(func(*Conn) { panic(reason) }) }
		},
	} {
		r := newRecorder(t)
		set(r)
		c := dial(t, serve(t, l, func(*Conn) Handler { return r }))
		c.Write([]byte("x"))
		c.(*net.TCPConn).CloseWrite()
		r.expectClosed(reason)
		if reports.Swap(0) != 1 {
			t.Errorf("%s: not reported", name)
		}
	}
	// In accept, and in what belongs to no connection.
	c := dial(t, serve(t, l, func(*Conn) Handler { panic(reason) }))
	if _, err := io.ReadAll(c); err != nil && !errors.Is(err, unix.ECONNRESET) {
		t.Error(err)
	}
	l.Post(func() { panic(reason) })
	on(t, l, func() { l.AfterFunc(0, func() { panic(reason) }) })
	for reports.Load() < 3 {
		time.Sleep(time.Millisecond)
	}
	say(t, bystander, "b")
	hear(t, bystander, "b")
}

func TestPostedFunctionsOutliveAPanicAmongThem(t *testing.T) {
	eachDriver(t, testPostedFunctionsOutliveAPanicAmongThem)
}

func testPostedFunctionsOutliveAPanicAmongThem(t *testing.T, driver Driver) {
	l := start(t, Options{Driver: driver})
	done := make(chan int, 10)
	l.Post(func() {
		for i := range 10 {
			l.Post(func() {
				done <- i
				if i%3 == 0 {
					panic(i)
				}
			})
		}
	})
	for want := range 10 {
		if got := <-done; got != want {
			t.Fatalf("function %d; want %d", got, want)
		}
	}
}

// Output that is sent after the batch calls handlers too: Drained, and Closed.
func TestPanicWhileOutputIsFlushed(t *testing.T) { eachDriver(t, testPanicWhileOutputIsFlushed) }

func testPanicWhileOutputIsFlushed(t *testing.T, driver Driver) {
	l := start(t, Options{Driver: driver, HighWater: 1000, WriteLimit: 64 << 20})
	reason := errors.New("a mistake")
	r := newRecorder(t)
	r.drained = func(*Conn) { panic(reason) }
	keep := func(c *Conn) { // output, with room for it in the kernel when the handler returns
		for c.Buffered() == 0 {
			c.Write(make([]byte, 100_000))
		}
	}
	read := make(chan struct{})
	r.data = func(c *Conn, _ []byte) {
		keep(c)
		read <- struct{}{}
		<-read
	}
	bystander := dial(t, serve(t, l, echoes))
	c := dial(t, serve(t, l, func(*Conn) Handler { return r }))
	say(t, c, "x")
	<-read
	c.SetReadDeadline(time.Now().Add(100 * time.Millisecond)) // all that the kernel has
	io.Copy(io.Discard, c)
	on := make(chan struct{})
	l.Post(func() { close(on) }) // runs after that batch
	read <- struct{}{}
	r.expectClosed(reason)
	<-on
	say(t, bystander, "a")
	hear(t, bystander, "a")
}

func TestPanicInReportIsTheEndOfNothing(t *testing.T) {
	eachDriver(t, testPanicInReportIsTheEndOfNothing)
}

func testPanicInReportIsTheEndOfNothing(t *testing.T, driver Driver) {
	l := start(t, Options{Driver: driver, Report: func(error) { panic("not even this") }})
	reason := errors.New("a mistake")
	r := newRecorder(t)
	r.data = func(*Conn, []byte) { panic(reason) }
	say(t, dial(t, serve(t, l, func(*Conn) Handler { return r })), "x")
	r.expectClosed(reason)
}
