package reactor

import (
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"slices"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/ring3-go/ring3/iouring"
)

// startRing runs a loop whose driver has little of everything.
func startRing(t *testing.T, opts Options, sizes ringSizes) *Loop {
	t.Helper()
	needDriver(t, IOURing)
	opts.Driver = Epoll
	l, err := New(opts)
	if err != nil {
		t.Fatal(err)
	}
	if err := l.driver.close(); err != nil {
		t.Fatal(err)
	}
	d, err := newRingDriver(l, sizes)
	if err != nil {
		t.Fatal(err)
	}
	l.driver = d
	ran := make(chan error, 1)
	go func() { ran <- l.Run() }()
	t.Cleanup(func() {
		l.Close()
		if err := <-ran; err != nil {
			t.Error(err)
		}
	})
	return l
}

// More is received and sent at once than there are buffers, places for entries, and places for completions: everything
// arrives all the same.
func TestRingThatRunsOutOfEverything(t *testing.T) {
	const clients, size = 20, 10_000
	l := startRing(t, Options{ReadBuffer: 100, HighWater: 4000}, ringSizes{entries: 4, completions: 8, buffers: 2})
	s := serve(t, l, echoes)
	var all sync.WaitGroup
	held := make(chan struct{})
	l.Post(func() { <-held }) // all have sent before the loop looks
	var sent sync.WaitGroup
	for n := range clients {
		c := dial(t, s)
		data := make([]byte, size)
		for i := range data {
			data[i] = byte(n + i/100)
		}
		sent.Add(1)
		all.Go(func() {
			_, err := c.Write(data[:size/2])
			sent.Done()
			if err == nil {
				go func() {
					c.Write(data[size/2:])
					c.(*net.TCPConn).CloseWrite()
				}()
			}
			if got, err2 := io.ReadAll(c); err != nil || err2 != nil || !bytes.Equal(got, data) {
				t.Errorf("client %d: %d bytes, %v, %v", n, len(got), err, err2)
			}
		})
	}
	sent.Wait()
	close(held)
	all.Wait()
}

// A completion with the message 0 is nobody's, and not what stands in slot 0.
func TestRingHearsAMessageForNobody(t *testing.T) {
	failed := make(chan error, 1)
	l := startRing(t, Options{Report: func(err error) { failed <- err }}, ringSizes{entries: 4, completions: 8, buffers: 2})
	other, err := iouring.New(iouring.Options{Entries: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	e, err := other.Get()
	on(t, l, func() {
		if err == nil {
			err = e.MsgRing(l.driver.(*ringDriver).ring.FD(), 0, 1, 0)
		}
		if err == nil {
			_, err = other.SubmitAndWait(1, patience)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	c := dial(t, serve(t, l, echoes))
	say(t, c, "hello")
	hear(t, c, "hello")
	select {
	case err := <-failed:
		t.Error(err)
	default:
	}
}

// Connections are closed with operations queued, in flight and complete, and their descriptors' numbers are used again at
// once: what was for one reaches no other.
func TestRingKeepsConnectionsApart(t *testing.T) {
	const rounds = 300
	l := startRing(t, Options{}, ringSizes{entries: 16, completions: 32, buffers: 16})
	rng := rand.New(rand.NewPCG(1, 2))
	s := serve(t, l, func(*Conn) Handler {
		if rng.IntN(2) == 0 {
			return once{}
		}
		return echo{}
	})
	var clients sync.WaitGroup
	for n := range 8 {
		clients.Go(func() {
			for round := range rounds {
				c, err := net.Dial("tcp", s.Addr().String())
				if err != nil {
					t.Error(err)
					return
				}
				c.SetDeadline(time.Now().Add(patience))
				message := bytes.Repeat([]byte{byte(n), byte(round)}, 300)
				c.Write(message)
				got := make([]byte, len(message))
				k, err := io.ReadFull(c, got)
				if !bytes.HasPrefix(message, got[:k]) {
					t.Errorf("client %d got %v", n, got[:k])
				}
				if os.IsTimeout(err) {
					t.Errorf("client %d, round %d: %v", n, round, err)
				}
				c.Close()
			}
		})
	}
	clients.Wait()
	on(t, l, func() {})
}

// once writes, and ends the connection with that still queued.
type once struct{ Base }

func (once) Data(c *Conn, b []byte) { c.Write(b); c.Abort(nil) }

// Everything that the peer sends comes in order, whoever reads it: first the handler, then who got the connection.
func TestReleaseInTheMiddleOfAStream(t *testing.T) {
	eachDriver(t, testReleaseInTheMiddleOfAStream)
}

func testReleaseInTheMiddleOfAStream(t *testing.T, driver Driver) {
	l := start(t, Options{Driver: driver, ReadBuffer: 1000})
	for range 20 {
		const size = 300_000
		sent := make([]byte, size)
		for i := range sent {
			sent[i] = byte(rand.Uint32())
		}
		var heard []byte
		released := make(chan net.Conn, 1)
		calls := 0
		r := newRecorder(t)
		r.calls = make(chan string, size)
		r.data = func(c *Conn, b []byte) {
			heard = append(heard, b...)
			if calls++; calls == 5 {
				err := c.Release(func(c net.Conn, err error) {
					if err != nil {
						t.Error(err)
					}
					released <- c
				})
				if err != nil {
					t.Error(err)
				}
			}
		}
		c := dial(t, serve(t, l, func(*Conn) Handler { return r }))
		go func() {
			c.Write(sent)
			c.(*net.TCPConn).CloseWrite()
		}()
		conn := <-released
		rest, err := io.ReadAll(conn)
		conn.Close()
		on(t, l, func() {})
		if got := slices.Concat(heard, rest); err != nil || !bytes.Equal(got, sent) {
			t.Fatalf("%d bytes by the handler, %d after that, %v; want %d in all", len(heard), len(rest), err, size)
		}
	}
}

// An answer and the release after it is what a protocol does that changes to another.
func TestReleaseSendsFirst(t *testing.T) { eachDriver(t, testReleaseSendsFirst) }

func testReleaseSendsFirst(t *testing.T, driver Driver) {
	const size = 4 << 20 // more than the kernel takes at once
	answer := bytes.Repeat([]byte("0123456789abcdef"), size/16)
	l := start(t, Options{Driver: driver})
	for _, half := range []bool{false, true} {
		released := make(chan net.Conn, 1)
		r := newRecorder(t)
		r.data = func(c *Conn, b []byte) {
			if err := c.Write(answer); err != nil {
				t.Error(err)
			}
			if half {
				c.CloseWrite()
			}
			err := c.Release(func(c net.Conn, err error) {
				if err != nil {
					t.Error(err)
				}
				released <- c
			})
			if err != nil {
				t.Error(err)
			}
			if c.Write(b) == nil {
				t.Error("Write after Release succeeded")
			}
		}
		c := dial(t, serve(t, l, func(*Conn) Handler { return r }))
		say(t, c, "switch")
		r.expect("open", "data switch")
		got := make([]byte, size)
		if n, err := io.ReadFull(c, got); err != nil || !bytes.Equal(got, answer) {
			t.Fatalf("%d bytes, %v", n, err)
		}
		conn := <-released
		if conn == nil {
			t.Fatal("nothing was released")
		}
		if half {
			ends(t, c)
		} else {
			say(t, conn, "the new protocol")
			hear(t, c, "the new protocol")
		}
		say(t, c, "and back")
		hear(t, conn, "and back")
		conn.Close()
	}
}

// A connection that ends while it is being released is one that was closed.
func TestReleaseThatIsOvertaken(t *testing.T) { eachDriver(t, testReleaseThatIsOvertaken) }

func testReleaseThatIsOvertaken(t *testing.T, driver Driver) {
	l := start(t, Options{Driver: driver})
	r := newRecorder(t)
	c := dial(t, serve(t, l, func(*Conn) Handler { return r }))
	r.expect("open")
	done := make(chan error, 2)
	on(t, l, func() {
		release := func() error {
			return r.conn.Release(func(c net.Conn, err error) {
				if err == nil {
					c.Close()
				}
				done <- err
			})
		}
		if err := release(); err != nil {
			t.Error(err)
		}
		if err := release(); err == nil {
			t.Error("released twice")
		}
		r.conn.Abort(nil)
	})
	<-done
	if _, err := io.ReadAll(c); err != nil && driver == Epoll {
		t.Error(err)
	}
	on(t, l, func() {
		if len(done) > 0 || len(l.conns) > 0 {
			t.Errorf("done again: %d; %d connections", len(done), len(l.conns))
		}
	})
}

// After its end a peer sends no more, but it may vanish.
func TestPeerVanishesAfterItsEnd(t *testing.T) { eachDriver(t, testPeerVanishesAfterItsEnd) }

func testPeerVanishesAfterItsEnd(t *testing.T, driver Driver) {
	l := start(t, Options{Driver: driver})
	r := newRecorder(t)
	c := dial(t, serve(t, l, func(*Conn) Handler { return r }))
	if err := c.(*net.TCPConn).CloseWrite(); err != nil {
		t.Fatal(err)
	}
	r.expect("open", "eof")
	on(t, l, func() { r.conn.Write([]byte("still here")) })
	hear(t, c, "still here")
	c.(*net.TCPConn).SetLinger(0)
	c.Close()
	r.expectClosed(unix.EPIPE) // as the kernel calls a reset after the end
}

func TestFilesThatAreNotOnDisk(t *testing.T) { eachDriver(t, testFilesThatAreNotOnDisk) }

func testFilesThatAreNotOnDisk(t *testing.T, driver Driver) {
	l := start(t, Options{Driver: driver})
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	defer w.Close()
	if _, err := w.Write([]byte("in the pipe")); err != nil {
		t.Fatal(err)
	}
	appended, err := os.OpenFile(t.TempDir()+"/log", os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer appended.Close()
	// What package os says of the same is the truth.
	b := make([]byte, 4)
	_, wantPipe := r.ReadAt(b, 1)
	_, wantAppend := appended.WriteAt(b, 1)
	got := make(chan error, 2)
	on(t, l, func() {
		l.File(r).ReadAt(b, 1, func(_ int, err error) { got <- err })
		l.File(appended).WriteAt(b, 1, func(_ int, err error) { got <- err })
	})
	errs := []string{(<-got).Error(), (<-got).Error()}
	if !slices.Contains(errs, wantPipe.Error()) || !slices.Contains(errs, wantAppend.Error()) {
		t.Errorf("%q; want %q and %q", errs, wantPipe, wantAppend)
	}
}

// The loop looks when the peer's bytes and its end, or its reset, have come together.
func TestEndThatComesWithTheLastBytes(t *testing.T) { eachDriver(t, testEndThatComesWithTheLastBytes) }

func testEndThatComesWithTheLastBytes(t *testing.T, driver Driver) {
	for _, tt := range []struct {
		network string
		reset   bool
	}{{"tcp", false}, {"tcp", true}, {"unix", false}} {
		t.Run(fmt.Sprintf("%s, reset %v", tt.network, tt.reset), func(t *testing.T) {
			l := start(t, Options{Driver: driver})
			address := "127.0.0.1:0"
			if tt.network == "unix" {
				address = t.TempDir() + "/s"
			}
			r := newRecorder(t)
			r.eof = func(c *Conn) { c.Close() }
			s, err := l.Listen(tt.network, address, func(*Conn) Handler { return r })
			if err != nil {
				t.Fatal(err)
			}
			c := dial(t, s)
			say(t, c, "first")
			r.expect("open", "data first")
			held := make(chan struct{})
			l.Post(func() { <-held })
			say(t, c, "last")
			if tt.reset {
				c.(*net.TCPConn).SetLinger(0)
			}
			c.Close()
			close(held)
			select {
			case <-r.closed:
			case <-time.After(patience):
				t.Error("nothing was told of the end")
			}
		})
	}
}
