package reactor

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/ring3-go/ring3/internal/features"
	"github.com/ring3-go/ring3/syscalls"
)

// registered returns how many files the kernel says the loop's ring has, on the loop.
func registered(t *testing.T, l *Loop) (n int) {
	t.Helper()
	on(t, l, func() {
		ring := l.driver.(*ringDriver).ring
		info, err := os.ReadFile(fmt.Sprintf("/proc/self/fdinfo/%d", ring.FD()))
		if err != nil {
			t.Error(err)
		}
		_, files, _ := strings.Cut(string(info), "UserFiles:")
		files, _, _ = strings.Cut(files, "UserBufs:")
		n = len(regexp.MustCompile(`(?m)^ *\d+: \S`).FindAllString(files, -1))
	})
	return n
}

// startPlaces starts a loop with registered files, where the kernel lets go of them at once.
func startPlaces(t *testing.T, files int) *Loop {
	t.Helper()
	l := startRing(t, Options{}, ringSizes{entries: 16, completions: 64, buffers: 16, files: files})
	var has bool
	on(t, l, func() { has = l.driver.(*ringDriver).ring.Features()&syscalls.IORING_FEAT_RW_ATTR != 0 })
	if !has {
		converse(t, dial(t, serve(t, l, echoes)), placeAfter+1)
		if n := registered(t, l); n != 0 {
			t.Errorf("%d registered files; this kernel would keep them open", n)
		}
		k, err := features.Running()
		if err != nil {
			t.Fatal(err)
		}
		if k.Release.Major > 6 || k.Release.Major == 6 && k.Release.Minor >= 14 {
			t.Fatalf("Linux %v should have IORING_FEAT_RW_ATTR", k.Release)
		}
		t.Skipf("tried to send by a registered file, since 6.14, on Linux %v: there is none", k.Release)
	}
	return l
}

// converse has so many messages echoed.
func converse(t testing.TB, c net.Conn, n int) {
	t.Helper()
	for i := range n {
		text := fmt.Sprintf("%s %d\n", c.LocalAddr(), i)
		say(t, c, text)
		hear(t, c, text)
	}
}

// A connection that goes on gets a place among the registered files, and leaves it when it ends, whoever ends it: the peer
// hears of the end at once, which it would not while the ring had the socket open.
func TestAConnectionLeavesItsPlace(t *testing.T) {
	l := startPlaces(t, 1)
	released := make(chan net.Conn, 1)
	for _, ending := range []string{"close", "abort", "write and abort", "release", "eof"} {
		t.Run(ending, func(t *testing.T) {
			r := newRecorder(t)
			r.data = func(c *Conn, b []byte) {
				switch string(b) {
				case "close":
					c.Close()
				case "abort":
					c.Abort(nil)
				case "write and abort":
					c.Write(b)
					c.Abort(nil)
				case "release":
					c.Release(func(c net.Conn, err error) { released <- c })
				default:
					c.Write(b)
				}
			}
			r.eof = func(c *Conn) { c.Close() }
			c := dial(t, serve(t, l, func(*Conn) Handler { return r }))
			converse(t, c, placeAfter-1)
			if n := registered(t, l); n != 0 {
				t.Fatalf("%d registered files after a few messages", n)
			}
			converse(t, c, 2)
			if n := registered(t, l); n != 1 {
				t.Fatalf("%d registered files; want the connection's", n)
			}
			switch ending {
			case "eof":
				c.(*net.TCPConn).CloseWrite()
			default:
				say(t, c, ending)
			}
			if ending == "release" {
				(<-released).Close()
			}
			if b, err := io.ReadAll(c); os.IsTimeout(err) {
				t.Errorf("read %q and no end", b)
			}
			if n := registered(t, l); n != 0 {
				t.Errorf("%d registered files after the end", n)
			}
		})
	}
}

// A ring does not let go of a socket: here because the place is a wrong one, else because a filter of system calls was put
// up after the loop began. The peer hears of the end all the same, and nobody gets a connection that they could not end.
func TestAPlaceThatIsNotEmptied(t *testing.T) {
	l := startPlaces(t, 4)
	released := make(chan error, 1)
	for _, ending := range []string{"close", "release"} {
		t.Run(ending, func(t *testing.T) {
			r := newRecorder(t)
			r.data = func(c *Conn, b []byte) {
				switch string(b) {
				case "close":
					c.ring.place += 100
					c.Close()
				case "release":
					c.ring.place += 100
					c.Release(func(_ net.Conn, err error) { released <- err })
				default:
					c.Write(b)
				}
			}
			c := dial(t, serve(t, l, func(*Conn) Handler { return r }))
			converse(t, c, placeAfter)
			say(t, c, ending)
			if b, err := io.ReadAll(c); os.IsTimeout(err) {
				t.Errorf("read %q and no end", b)
			}
			if ending == "release" {
				if err := <-released; !errors.Is(err, unix.EINVAL) {
					t.Errorf("released with %v", err)
				}
			}
		})
	}
}

// A connection ends while what it has written is still to be submitted, by its place. The next one to want a place does not
// get that one yet, or it would send what is not its own.
func TestAPlaceWaitsForWhatNamesIt(t *testing.T) {
	l := startPlaces(t, 1)
	next := newRecorder(t)
	next.data = func(c *Conn, b []byte) { c.Write(b) }
	b := dial(t, serve(t, l, func(*Conn) Handler { return next }))
	converse(t, b, placeAfter-1)

	first := newRecorder(t)
	first.data = func(c *Conn, b []byte) {
		c.Write(b)
		if string(b) == "secret" {
			c.Abort(nil)
			l.Post(func() { next.conn.Write([]byte("mine")) })
		}
	}
	a := dial(t, serve(t, l, func(*Conn) Handler { return first }))
	converse(t, a, placeAfter)
	if n := registered(t, l); n != 1 {
		t.Fatalf("%d registered files; want the first connection's", n)
	}
	say(t, a, "secret")
	hear(t, b, "mine")
	say(t, b, "more")
	hear(t, b, "more")
}

// There are fewer places than connections, which come and go: what is sent by a place reaches who has it now.
func TestPlacesPassFromConnectionToConnection(t *testing.T) {
	l := startPlaces(t, 2)
	s := serve(t, l, func(*Conn) Handler { return talker{} })
	var clients sync.WaitGroup
	for n := range 6 {
		clients.Go(func() {
			rng := rand.New(rand.NewPCG(1, uint64(n)))
			for round := range 60 {
				if err := talk(s.Addr().String(), rng); err != nil {
					t.Errorf("client %d, round %d: %v", n, round, err)
					return
				}
			}
		})
	}
	clients.Wait()
	// The loop hears of the last ends in a moment, and each look at it is a turn.
	left := registered(t, l)
	for deadline := time.Now().Add(patience); left > 0 && time.Now().Before(deadline); {
		left = registered(t, l)
	}
	if left > 0 {
		t.Errorf("%d registered files when all have gone", left)
	}
}

// A talker echoes lines, and aborts the connection when it is told to, with what it has just written.
type talker struct{ Base }

func (talker) Data(c *Conn, b []byte) {
	c.Write(b)
	if strings.HasPrefix(string(b), "abort") {
		c.Abort(nil)
	}
}

// talk says this and that, several lines at once now and then, and ends in one of three ways.
func talk(addr string, rng *rand.Rand) error {
	c, err := net.Dial("tcp", addr)
	if err != nil {
		return err
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(patience))
	lines := bufio.NewReader(c)
	for i := range rng.IntN(3 * placeAfter) {
		text := fmt.Sprintf("%s says %d\n", c.LocalAddr(), i)
		said := strings.Repeat(text, 1+rng.IntN(3))
		if _, err := c.Write([]byte(said)); err != nil {
			return err
		}
		for range strings.Count(said, "\n") {
			if got, err := lines.ReadString('\n'); got != text {
				return fmt.Errorf("heard %q, %v; want %q", got, err, text)
			}
		}
	}
	switch rng.IntN(3) {
	case 0:
		return nil // the descriptor is closed
	case 1:
		err = c.(*net.TCPConn).CloseWrite()
	default:
		_, err = c.Write([]byte("abort\n"))
	}
	if err != nil {
		return err
	}
	if rest, err := io.ReadAll(lines); os.IsTimeout(err) || err != nil && !errors.Is(err, unix.ECONNRESET) {
		return fmt.Errorf("after the end: %q, %w", rest, err)
	}
	return nil
}
