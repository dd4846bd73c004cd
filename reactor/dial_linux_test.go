package reactor

import (
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func TestDial(t *testing.T) { eachDriver(t, testDial) }

func testDial(t *testing.T, driver Driver) {
	l := start(t, Options{Driver: driver})
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

func TestAdoptAndRelease(t *testing.T) { eachDriver(t, testAdoptAndRelease) }

func testAdoptAndRelease(t *testing.T, driver Driver) {
	l := start(t, Options{Driver: driver})
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

func TestReleaseInAccept(t *testing.T) { eachDriver(t, testReleaseInAccept) }

func testReleaseInAccept(t *testing.T, driver Driver) {
	l := start(t, Options{Driver: driver})
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
