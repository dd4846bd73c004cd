package reactor

import (
	"bytes"
	"crypto/rand"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func TestEchoReturnsWhatWasSent(t *testing.T) { eachDriver(t, testEchoReturnsWhatWasSent) }

func testEchoReturnsWhatWasSent(t *testing.T, driver Driver) {
	for _, network := range []string{"tcp", "tcp4", "tcp6", "unix"} {
		t.Run(network, func(t *testing.T) {
			l := start(t, Options{Driver: driver, ReadBuffer: 4099})
			address := map[string]string{"tcp6": "[::1]:0", "unix": filepath.Join(t.TempDir(), "s")}[network]
			if address == "" {
				address = "127.0.0.1:0"
			}
			s, err := l.Listen(network, address, echoes)
			if network == "tcp6" && (errors.Is(err, unix.EAFNOSUPPORT) || errors.Is(err, unix.EADDRNOTAVAIL)) {
				t.Skipf("tried IPv6: %v", err)
			}
			if err != nil {
				t.Fatal(err)
			}
			sent := make([]byte, 3<<20)
			rand.Read(sent)
			c := dial(t, s)
			go func() {
				c.Write(sent)
				c.(interface{ CloseWrite() error }).CloseWrite()
			}()
			got, err := io.ReadAll(c)
			if err != nil || !bytes.Equal(got, sent) {
				t.Errorf("%d of %d bytes, equal %v, %v", len(got), len(sent), bytes.Equal(got, sent), err)
			}
		})
	}
}

func TestHalfClose(t *testing.T) { eachDriver(t, testHalfClose) }

func testHalfClose(t *testing.T, driver Driver) {
	t.Run("the peer first", func(t *testing.T) {
		l := start(t, Options{Driver: driver})
		r := newRecorder(t)
		r.eof = func(c *Conn) {
			if err := c.Write([]byte("and on")); err != nil {
				t.Error(err)
			}
			c.Close()
		}
		c := dial(t, serve(t, l, func(*Conn) Handler { return r }))
		say(t, c, "x")
		r.expect("open", "data x")
		c.(*net.TCPConn).CloseWrite()
		hear(t, c, "and on")
		ends(t, c)
		r.expect("eof", "closed")
		r.expectClosed(nil)
	})
	t.Run("the handler first", func(t *testing.T) {
		l := start(t, Options{Driver: driver})
		r := newRecorder(t)
		r.open = func(c *Conn) {
			err := errors.Join(c.Write([]byte("last words")), c.CloseWrite(), c.CloseWrite())
			if err != nil || !errors.Is(c.Write([]byte("more")), ErrClosed) {
				t.Error(err)
			}
		}
		c := dial(t, serve(t, l, func(*Conn) Handler { return r }))
		hear(t, c, "last words")
		ends(t, c)
		say(t, c, "heard")
		r.expect("open", "data heard")
		c.Close()
		r.expect("eof", "closed") // and nothing is left to do
		r.expectClosed(nil)
	})
}

func TestCloseSendsWhatWasWritten(t *testing.T) { eachDriver(t, testCloseSendsWhatWasWritten) }

func testCloseSendsWhatWasWritten(t *testing.T, driver Driver) {
	l := start(t, Options{Driver: driver, WriteLimit: 64 << 20})
	sent := bytes.Repeat([]byte("0123456789"), 3<<20) // more than the queues of both ends take
	r := newRecorder(t)
	r.open = func(c *Conn) {
		if err := errors.Join(c.Write(sent), c.Close()); err != nil {
			t.Error(err)
		}
		if c.Buffered() == 0 {
			t.Error("all was sent at once: the test shows nothing")
		}
	}
	c := dial(t, serve(t, l, func(*Conn) Handler { return r }))
	got, err := io.ReadAll(c)
	if err != nil || !bytes.Equal(got, sent) {
		t.Errorf("%d of %d bytes, %v", len(got), len(sent), err)
	}
	r.expectClosed(nil)
}

func TestAbortResets(t *testing.T) { eachDriver(t, testAbortResets) }

func testAbortResets(t *testing.T, driver Driver) {
	l := start(t, Options{Driver: driver})
	reason := errors.New("enough")
	r := newRecorder(t)
	r.data = func(c *Conn, _ []byte) { c.Write([]byte("x")); c.Abort(reason) }
	c := dial(t, serve(t, l, func(*Conn) Handler { return r }))
	say(t, c, "x")
	if _, err := io.ReadAll(c); !errors.Is(err, unix.ECONNRESET) {
		t.Errorf("peer: %v; want ECONNRESET", err)
	}
	r.expectClosed(reason)
}

func TestPeerThatResets(t *testing.T) { eachDriver(t, testPeerThatResets) }

func testPeerThatResets(t *testing.T, driver Driver) {
	for _, paused := range []bool{false, true} {
		l := start(t, Options{Driver: driver})
		r := newRecorder(t)
		r.open = func(c *Conn) {
			if paused {
				c.Pause()
			}
		}
		c := dial(t, serve(t, l, func(*Conn) Handler { return r }))
		r.expect("open")
		c.(*net.TCPConn).SetLinger(0)
		c.Close()
		if paused {
			// Nobody reads, so nobody hears of it; and the loop does not spin meanwhile.
			on(t, l, func() {})
			var before, after unix.Rusage
			on(t, l, func() { unix.Getrusage(unix.RUSAGE_THREAD, &before) })
			time.Sleep(50 * time.Millisecond) // no event is the point
			on(t, l, func() { unix.Getrusage(unix.RUSAGE_THREAD, &after) })
			if used := time.Duration(after.Utime.Nano() + after.Stime.Nano() - before.Utime.Nano() - before.Stime.Nano()); used > 25*time.Millisecond {
				t.Errorf("the loop used %v of 50ms", used)
			}
			on(t, l, func() { r.conn.Resume() })
		}
		r.expect("closed")
		r.expectClosed(unix.ECONNRESET)
	}
}

func TestInputBeforeAnEndIsDelivered(t *testing.T) { eachDriver(t, testInputBeforeAnEndIsDelivered) }

func testInputBeforeAnEndIsDelivered(t *testing.T, driver Driver) {
	l := start(t, Options{Driver: driver})
	r := newRecorder(t)
	r.open = func(c *Conn) { c.Pause() }
	dir := t.TempDir()
	s, err := l.Listen("unix", filepath.Join(dir, "s"), func(*Conn) Handler { return r })
	if err != nil {
		t.Fatal(err)
	}
	c := dial(t, s)
	r.expect("open")
	say(t, c, "before the end")
	c.Close() // of both halves: EPOLLHUP
	on(t, l, func() {})
	on(t, l, func() { r.conn.Resume() })
	r.expect("data before the end", "eof")
	on(t, l, func() { r.conn.Close() })
	r.expect("closed")
	if s.Close() != nil {
		t.Error("Close failed")
	}
	on(t, l, func() {})
	if entries, _ := os.ReadDir(dir); len(entries) != 0 {
		t.Errorf("left in the directory: %v", entries)
	}
}

// The peer writes and does not read. What the program keeps of it stays below the mark and one buffer, and it all
// comes back in the end.
func TestSlowReaderBoundsMemory(t *testing.T) { eachDriver(t, testSlowReaderBoundsMemory) }

func testSlowReaderBoundsMemory(t *testing.T, driver Driver) {
	const high, buffer = 100_000, 10_000
	l := start(t, Options{Driver: driver, HighWater: high, LowWater: 20_000, ReadBuffer: buffer})
	var most atomic.Int64
	r := newRecorder(t)
	r.calls = make(chan string, 100_000)
	r.data = func(c *Conn, b []byte) {
		c.Write(b)
		most.Store(max(most.Load(), int64(c.Buffered())))
	}
	r.eof = func(c *Conn) { c.Close() }
	c := dial(t, serve(t, l, func(*Conn) Handler { return r }))
	sent := make([]byte, 20<<20)
	rand.Read(sent)
	written := make(chan error, 1)
	go func() {
		_, err := c.Write(sent)
		c.(*net.TCPConn).CloseWrite()
		written <- err
	}()
	// The writer stands still when every buffer is full: the kernel's queues are what they were a while ago, and it
	// was not the loop that had no time.
	full := time.Now().Add(patience)
	for last, same := -1, 0; same < 5 || most.Load() <= high && time.Now().Before(full); time.Sleep(10 * time.Millisecond) {
		now := unsent(t, c)
		if now == last && now > 0 {
			same++
		} else {
			last, same = now, 0
		}
	}
	if got := most.Load(); got <= high || got > high+buffer {
		t.Errorf("kept %d bytes at most; want between %d and %d", got, high, high+buffer)
	}
	if err := c.SetDeadline(time.Now().Add(2 * patience)); err != nil { // an emulated processor takes its time
		t.Fatal(err)
	}
	got, err := io.ReadAll(c)
	if err != nil || !bytes.Equal(got, sent) {
		t.Errorf("%d of %d bytes, %v", len(got), len(sent), err)
	}
	if err := <-written; err != nil {
		t.Error(err)
	}
	r.expectClosed(nil)
	drained := 0
	for len(r.calls) > 0 {
		if <-r.calls == "drained" {
			drained++
		}
	}
	if drained == 0 {
		t.Error("Drained was never called")
	}
}

// unsent is what a socket's send queue holds.
func unsent(t *testing.T, c net.Conn) (n int) {
	t.Helper()
	raw, err := c.(*net.TCPConn).SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	raw.Control(func(fd uintptr) { n, err = unix.IoctlGetInt(int(fd), unix.TIOCOUTQ) })
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func TestWriteLimit(t *testing.T) { eachDriver(t, testWriteLimit) }

func testWriteLimit(t *testing.T, driver Driver) {
	l := start(t, Options{Driver: driver, HighWater: 1000, WriteLimit: 1 << 20})
	r := newRecorder(t)
	var refused error
	r.data = func(c *Conn, _ []byte) {
		for refused == nil {
			refused = c.Write(make([]byte, 100_000))
		}
		c.Abort(nil)
	}
	say(t, dial(t, serve(t, l, func(*Conn) Handler { return r })), "x")
	r.expectClosed(nil)
	if !errors.Is(refused, ErrWriteLimit) {
		t.Errorf("Write: %v; want ErrWriteLimit", refused)
	}
}

func TestAcceptMayRefuse(t *testing.T) { eachDriver(t, testAcceptMayRefuse) }

func testAcceptMayRefuse(t *testing.T, driver Driver) {
	l := start(t, Options{Driver: driver})
	c := dial(t, serve(t, l, func(*Conn) Handler { return nil }))
	ends(t, c)
}

// Whoever shares a connection, as a child does that inherited it, may make it blocking.
func TestConnectionThatOthersMakeBlocking(t *testing.T) {
	eachDriver(t, testConnectionThatOthersMakeBlocking)
}

func testConnectionThatOthersMakeBlocking(t *testing.T, driver Driver) {
	l := start(t, Options{Driver: driver, WriteLimit: 64 << 20})
	r := newRecorder(t)
	r.open = func(c *Conn) {
		if err := unix.SetNonblock(c.fd, false); err != nil {
			t.Error(err)
		}
		c.Write(make([]byte, 16<<20))
	}
	c := dial(t, serve(t, l, func(*Conn) Handler { return r }))
	r.expect("open")
	on(t, l, func() {}) // it is not in write
	if n, err := io.CopyN(io.Discard, c, 16<<20); err != nil {
		t.Errorf("%d bytes, %v", n, err)
	}
}

// Closed is the last that a handler hears, so it is not called inside of what the handler calls.
func TestCloseWriteOfTheLastHalf(t *testing.T) { eachDriver(t, testCloseWriteOfTheLastHalf) }

func testCloseWriteOfTheLastHalf(t *testing.T, driver Driver) {
	l := start(t, Options{Driver: driver})
	r := newRecorder(t)
	r.eof = func(c *Conn) {
		if err := c.CloseWrite(); err != nil {
			t.Error(err)
		}
		r.calls <- "after CloseWrite"
	}
	c := dial(t, serve(t, l, func(*Conn) Handler { return r }))
	c.(*net.TCPConn).CloseWrite()
	ends(t, c)
	r.expect("open", "eof", "after CloseWrite", "closed")
	r.expectClosed(nil)

	t.Run("before it stands", func(t *testing.T) {
		r := newRecorder(t)
		s := serve(t, l, echoes)
		on(t, l, func() {
			c, err := l.Dial("tcp", s.Addr().String(), patience, r)
			if err == nil {
				err = c.CloseWrite()
			}
			if err != nil {
				t.Error(err)
			}
		})
		r.expect("open", "eof", "closed")
	})
}

func TestAbortAfterClose(t *testing.T) { eachDriver(t, testAbortAfterClose) }

func testAbortAfterClose(t *testing.T, driver Driver) {
	l := start(t, Options{Driver: driver})
	reason := errors.New("enough")
	r := newRecorder(t)
	r.data = func(c *Conn, _ []byte) { c.Close(); c.Abort(reason); c.Abort(nil) }
	c := dial(t, serve(t, l, func(*Conn) Handler { return r }))
	say(t, c, "x")
	if _, err := io.ReadAll(c); !errors.Is(err, unix.ECONNRESET) {
		t.Errorf("peer: %v; want ECONNRESET", err)
	}
	r.expectClosed(reason)
}

func TestNilHandlerIgnoresEverything(t *testing.T) { eachDriver(t, testNilHandlerIgnoresEverything) }

func testNilHandlerIgnoresEverything(t *testing.T, driver Driver) {
	reports := make(chan error, 10)
	l := start(t, Options{Driver: driver, Report: func(err error) { reports <- err }})
	s := serve(t, l, func(c *Conn) Handler { c.Post(func(c *Conn) { c.SetHandler(nil) }); return echo{} })
	on(t, l, func() {
		c, err := l.Dial("tcp", s.Addr().String(), 0, nil)
		if err != nil {
			t.Error(err)
			return
		}
		c.Write([]byte("x"))
		c.CloseWrite()
	})
	for left := 1; left > 0; time.Sleep(time.Millisecond) {
		on(t, l, func() { left = len(l.conns) })
	}
	if len(reports) != 0 {
		t.Error(<-reports)
	}
}

// A connection that ends before the loop has taken it on is not taken on.
func TestConnectionThatEndsAtOnce(t *testing.T) { eachDriver(t, testConnectionThatEndsAtOnce) }

func testConnectionThatEndsAtOnce(t *testing.T, driver Driver) {
	l := start(t, Options{Driver: driver})
	s := serve(t, l, echoes)
	r := newRecorder(t)
	on(t, l, func() {
		c, err := l.Dial("tcp", s.Addr().String(), 0, r)
		if err != nil {
			t.Error(err)
			return
		}
		c.SetReadDeadline(time.Now())
		time.Sleep(3 * time.Millisecond) // ticks: it is over in this round, before what Dial has posted
	})
	r.expect("closed")
	r.expectClosed(os.ErrDeadlineExceeded)

	ours := dial(t, s)
	on(t, l, func() {
		c, err := l.Adopt(ours, r)
		if err == nil {
			err = c.Release(func(c net.Conn, err error) {
				if err != nil {
					t.Error(err)
					return
				}
				c.Close()
			})
		}
		if err != nil {
			t.Error(err)
		}
	})
	for left := 1; left > 0; time.Sleep(time.Millisecond) { // the other end of it
		on(t, l, func() { left = len(l.conns) })
	}
	if len(r.calls) != 0 {
		t.Errorf("the handler heard of it: %q", <-r.calls)
	}
}
