package reactor

import (
	"bytes"
	"crypto/rand"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func TestEchoReturnsWhatWasSent(t *testing.T) {
	for _, network := range []string{"tcp", "tcp4", "tcp6", "unix"} {
		t.Run(network, func(t *testing.T) {
			l := start(t, Options{ReadBuffer: 4099})
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

func TestHalfClose(t *testing.T) {
	t.Run("the peer first", func(t *testing.T) {
		l := start(t, Options{})
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
		l := start(t, Options{})
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

func TestCloseSendsWhatWasWritten(t *testing.T) {
	l := start(t, Options{WriteLimit: 64 << 20})
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

func TestAbortResets(t *testing.T) {
	l := start(t, Options{})
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

func TestPeerThatResets(t *testing.T) {
	for _, paused := range []bool{false, true} {
		l := start(t, Options{})
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

func TestInputBeforeAnEndIsDelivered(t *testing.T) {
	l := start(t, Options{})
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
func TestSlowReaderBoundsMemory(t *testing.T) {
	const high, buffer = 100_000, 10_000
	l := start(t, Options{HighWater: high, LowWater: 20_000, ReadBuffer: buffer})
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

func TestWriteLimit(t *testing.T) {
	l := start(t, Options{HighWater: 1000, WriteLimit: 1 << 20})
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

func TestDeadlines(t *testing.T) {
	const short = 20 * time.Millisecond
	t.Run("read", func(t *testing.T) {
		l := start(t, Options{})
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
		l := start(t, Options{})
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
		l := start(t, Options{})
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
		l := start(t, Options{})
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

func TestPanicEndsItsConnectionAlone(t *testing.T) {
	var reports atomic.Int32
	l := start(t, Options{Report: func(err error) {
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
	l := start(t, Options{})
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

func TestAcceptMayRefuse(t *testing.T) {
	l := start(t, Options{})
	c := dial(t, serve(t, l, func(*Conn) Handler { return nil }))
	ends(t, c)
}

func TestDial(t *testing.T) {
	l := start(t, Options{})
	s := serve(t, l, echoes)
	t.Run("stands", func(t *testing.T) {
		r := newRecorder(t)
		c, err := l.Dial("tcp", s.Addr().String(), patience, r)
		if err != nil {
			t.Fatal(err)
		}
		c.Post(func(c *Conn) { c.Write([]byte("hello")) })
		r.expect("open", "data hello")
		on(t, l, func() {
			if c.RemoteAddr().String() != s.Addr().String() {
				t.Errorf("remote %v; want %v", c.RemoteAddr(), s.Addr())
			}
			c.Close()
		})
		r.expect("closed")
		r.expectClosed(nil)
	})
	t.Run("written to before it stands", func(t *testing.T) {
		r := newRecorder(t)
		on(t, l, func() {
			c, err := l.Dial("tcp", s.Addr().String(), 0, r)
			if err == nil {
				err = errors.Join(c.Write([]byte("early")), c.CloseWrite())
			}
			if err != nil {
				t.Error(err)
			}
		})
		r.expect("open", "data early", "eof", "closed")
	})
	t.Run("refused", func(t *testing.T) {
		port := unusedPort(t)
		r := newRecorder(t)
		if _, err := l.Dial("tcp", port, patience, r); err != nil {
			t.Fatal(err)
		}
		r.expect("closed")
		r.expectClosed(unix.ECONNREFUSED)
	})
	t.Run("no such socket", func(t *testing.T) {
		r := newRecorder(t)
		if _, err := l.Dial("unix", filepath.Join(t.TempDir(), "none"), patience, r); err != nil {
			t.Fatal(err)
		}
		r.expectClosed(unix.ENOENT)
	})
	t.Run("times out", func(t *testing.T) {
		full := fullListener(t)
		r := newRecorder(t)
		began := time.Now()
		const timeout = 30 * time.Millisecond
		if _, err := l.Dial("tcp", full, timeout, r); err != nil {
			t.Fatal(err)
		}
		r.expect("closed")
		r.expectClosed(os.ErrDeadlineExceeded)
		if took := time.Since(began); took < timeout {
			t.Errorf("after %v", took)
		}
	})
	t.Run("bad addresses", func(t *testing.T) {
		for _, tt := range [][2]string{
			{"tcp", "localhost:80"}, {"tcp", "127.0.0.1"}, {"tcp", ":80"}, {"tcp4", "[::1]:80"}, {"tcp6", "127.0.0.1:80"},
			{"udp", "127.0.0.1:80"}, {"sctp", "127.0.0.1:80"}, {"tcp", "127.0.0.1:99999"}, {"unix", ""}, {"", ""},
			{"unix", strings.Repeat("long", 100)},
		} {
			r := newRecorder(t)
			_, err := l.Dial(tt[0], tt[1], 0, r)
			if err == nil && tt[0] == "unix" {
				r.expectClosed(unix.EINVAL)
				continue
			}
			if err == nil {
				t.Errorf("%q succeeded", tt)
			}
		}
	})
}

// unusedPort is one that nobody listens on, held so that nobody begins to.
func unusedPort(t *testing.T) string {
	t.Helper()
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Close(fd) })
	if err := unix.Bind(fd, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		t.Fatal(err)
	}
	return localAddr(fd).String()
}

// fullListener is an address whose queue is full, so that connecting to it hangs.
func fullListener(t *testing.T) string {
	t.Helper()
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Close(fd) })
	if err := errors.Join(unix.Bind(fd, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}), unix.Listen(fd, 0)); err != nil {
		t.Fatal(err)
	}
	addr := localAddr(fd)
	for range 10 {
		c, err := net.DialTimeout("tcp", addr.String(), 100*time.Millisecond)
		if err != nil {
			return addr.String()
		}
		t.Cleanup(func() { c.Close() })
	}
	t.Fatal("a queue of 0 took 10 connections")
	return ""
}

func TestAdoptAndRelease(t *testing.T) {
	l := start(t, Options{})
	for _, network := range []string{"tcp", "unix"} {
		address := "127.0.0.1:0"
		if network == "unix" {
			address = filepath.Join(t.TempDir(), "s")
		}
		peer, err := net.Listen(network, address)
		if err != nil {
			t.Fatal(err)
		}
		defer peer.Close()
		ours, err := net.Dial(network, peer.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		theirs, err := peer.Accept()
		if err != nil {
			t.Fatal(err)
		}
		defer theirs.Close()
		theirs.SetDeadline(time.Now().Add(patience))

		r := newRecorder(t)
		r.data = func(c *Conn, b []byte) { c.Write(b) }
		c, err := l.Adopt(ours, r)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := ours.Write([]byte("x")); !errors.Is(err, net.ErrClosed) {
			t.Errorf("the old connection: %v", err)
		}
		say(t, theirs, "over the loop")
		hear(t, theirs, "over the loop")
		r.expect("open", "data over the loop")

		got := make(chan net.Conn, 1)
		on(t, l, func() {
			err := c.Release(func(c net.Conn, err error) {
				if err != nil {
					t.Error(err)
				}
				got <- c
			})
			if err != nil {
				t.Error(err)
			}
		})
		back := <-got
		defer back.Close()
		say(t, back, "and by hand")
		hear(t, theirs, "and by hand")
		on(t, l, func() {
			if err := c.Write([]byte("x")); !errors.Is(err, ErrClosed) {
				t.Errorf("Write after Release: %v", err)
			}
		})
		if len(r.calls) != 0 {
			t.Errorf("the handler heard of it: %q", <-r.calls)
		}
	}
	a, b := net.Pipe()
	defer a.Close()
	defer b.Close()
	if _, err := l.Adopt(a, echo{}); !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("a connection without a descriptor: %v", err)
	}
	if _, err := l.Adopt(nil, echo{}); !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("no connection: %v", err)
	}
	packets, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	defer packets.Close()
	if _, err := l.Adopt(packets, echo{}); !errors.Is(err, unix.EPROTOTYPE) {
		t.Errorf("a socket of datagrams: %v", err)
	}
	on(t, l, func() {
		c, err := l.Dial("tcp", unusedPort(t), 0, echo{})
		if err == nil {
			err = c.Release(func(net.Conn, error) { t.Error("released") })
		}
		if !errors.Is(err, unix.ENOTCONN) {
			t.Errorf("a connection that does not stand: %v", err)
		}
	})
}

// Whoever shares a connection, as a child does that inherited it, may make it blocking.
func TestConnectionThatOthersMakeBlocking(t *testing.T) {
	l := start(t, Options{WriteLimit: 64 << 20})
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

// Output that is sent after the batch calls handlers too: Drained, and Closed.
func TestPanicWhileOutputIsFlushed(t *testing.T) {
	l := start(t, Options{HighWater: 1000, WriteLimit: 64 << 20})
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
	l := start(t, Options{Report: func(error) { panic("not even this") }})
	reason := errors.New("a mistake")
	r := newRecorder(t)
	r.data = func(*Conn, []byte) { panic(reason) }
	say(t, dial(t, serve(t, l, func(*Conn) Handler { return r })), "x")
	r.expectClosed(reason)
}

func TestReleaseInAccept(t *testing.T) {
	l := start(t, Options{})
	got := make(chan net.Conn, 1)
	r := newRecorder(t)
	var others []int
	c := dial(t, serve(t, l, func(c *Conn) Handler {
		err := c.Release(func(c net.Conn, err error) {
			if err != nil {
				t.Error(err)
			}
			got <- c
		})
		var pipe [2]int // takes the number that has become free
		if err := errors.Join(err, unix.Pipe2(pipe[:], unix.O_CLOEXEC)); err != nil {
			t.Error(err)
		}
		others = pipe[:]
		return r
	}))
	ours := <-got
	defer ours.Close()
	say(t, ours, "by hand")
	hear(t, c, "by hand")
	on(t, l, func() {})
	for _, fd := range others {
		if err := unix.Close(fd); err != nil {
			t.Errorf("another's descriptor: %v", err)
		}
	}
	if len(r.calls) != 0 {
		t.Errorf("the handler heard of it: %q", <-r.calls)
	}
}

// Closed is the last that a handler hears, so it is not called inside of what the handler calls.
func TestCloseWriteOfTheLastHalf(t *testing.T) {
	l := start(t, Options{})
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

func TestAbortAfterClose(t *testing.T) {
	l := start(t, Options{})
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

// Close sends what was written, however long ago the peer should have said something.
func TestReadDeadlineEndsWithClose(t *testing.T) {
	l := start(t, Options{WriteLimit: 64 << 20})
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
func TestDeadlineSetWhileDialing(t *testing.T) {
	l := start(t, Options{})
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

func TestNilHandlerIgnoresEverything(t *testing.T) {
	reports := make(chan error, 10)
	l := start(t, Options{Report: func(err error) { reports <- err }})
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
func TestConnectionThatEndsAtOnce(t *testing.T) {
	l := start(t, Options{})
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
