package reactor

import (
	"io"
	"os"
	"testing"
	"time"
)

func TestDeadlines(t *testing.T) { eachDriver(t, testDeadlines) }

func testDeadlines(t *testing.T, driver Driver) {
	const short = 20 * time.Millisecond
	t.Run("read", func(t *testing.T) {
		l := start(t, Options{Driver: driver})
		r := newRecorder(t)
		var set time.Time
		r.open = func(c *Conn) { c.SetReadDeadline(time.Now().Add(time.Hour)) }
		r.data = func(c *Conn, _ []byte) { set = time.Now(); c.SetReadDeadline(set.Add(short)) }
		c := dial(t, serve(t, l, func(*Conn) Handler { return r }))
		say(t, c, "x")
		r.expect("open", "data x", "closed")
		r.expectClosed(os.ErrDeadlineExceeded)
		if took := time.Since(set); took < short {
			t.Errorf("after %v; want %v", took, short)
		}
	})
	t.Run("moved on", func(t *testing.T) {
		l := start(t, Options{Driver: driver})
		r := newRecorder(t)
		moved := 0
		var last time.Time
		r.open = func(c *Conn) {
			var move func()
			move = func() {
				last = time.Now()
				c.SetReadDeadline(last.Add(2 * short))
				if moved++; moved < 10 {
					l.AfterFunc(short/2, move)
				}
			}
			move()
		}
		dial(t, serve(t, l, func(*Conn) Handler { return r }))
		r.expectClosed(os.ErrDeadlineExceeded)
		if took := time.Since(last); moved != 10 || took < 2*short {
			t.Errorf("moved %d times, then closed after %v", moved, took)
		}
	})
	t.Run("write", func(t *testing.T) {
		l := start(t, Options{Driver: driver})
		r := newRecorder(t)
		r.open = func(c *Conn) {
			c.Write(make([]byte, 10<<20))
			c.SetWriteDeadline(time.Now().Add(short))
			c.Close()
		}
		dial(t, serve(t, l, func(*Conn) Handler { return r })) // and does not read
		r.expectClosed(os.ErrDeadlineExceeded)
	})
	t.Run("of output that is sent", func(t *testing.T) {
		l := start(t, Options{Driver: driver})
		r := newRecorder(t)
		r.open = func(c *Conn) {
			c.SetWriteDeadline(time.Now().Add(time.Millisecond))
			c.Write([]byte("x"))
			l.AfterFunc(short, func() { c.Write([]byte("y")) })
		}
		c := dial(t, serve(t, l, func(*Conn) Handler { return r }))
		hear(t, c, "xy")
	})
}

// Close sends what was written, however long ago the peer should have said something.
func TestReadDeadlineEndsWithClose(t *testing.T) { eachDriver(t, testReadDeadlineEndsWithClose) }

func testReadDeadlineEndsWithClose(t *testing.T, driver Driver) {
	l := start(t, Options{Driver: driver, WriteLimit: 64 << 20})
	const size = 16 << 20
	r := newRecorder(t)
	passed := make(chan struct{})
	r.data = func(c *Conn, _ []byte) {
		c.SetReadDeadline(time.Now().Add(5 * time.Millisecond))
		c.Write(make([]byte, size))
		c.Close()
		l.AfterFunc(10*time.Millisecond, func() { close(passed) })
	}
	c := dial(t, serve(t, l, func(*Conn) Handler { return r }))
	say(t, c, "x")
	<-passed
	if n, err := io.Copy(io.Discard, c); n != size || err != nil {
		t.Errorf("%d bytes, %v; want %d", n, err, size)
	}
	r.expectClosed(nil)
}

// Dial's timeout and the program's deadline are two.
func TestDeadlineSetWhileDialing(t *testing.T) { eachDriver(t, testDeadlineSetWhileDialing) }

func testDeadlineSetWhileDialing(t *testing.T, driver Driver) {
	l := start(t, Options{Driver: driver})
	s := serve(t, l, echoes)
	r := newRecorder(t)
	on(t, l, func() {
		c, err := l.Dial("tcp", s.Addr().String(), 2*patience, r)
		if err != nil {
			t.Error(err)
			return
		}
		c.SetReadDeadline(time.Now().Add(20 * time.Millisecond))
	})
	r.expectClosed(os.ErrDeadlineExceeded)
}
