package reactor

import (
	"errors"
	"io"
	"net"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/ring3-go/ring3/internal/features"
	"github.com/ring3-go/ring3/internal/features/featuretest"
)

func TestMain(m *testing.M) {
	if driver := os.Getenv(successorEnv); driver != "" {
		succeed(driver)
		return
	}
	if what := os.Getenv(forbiddenEnv); what != "" {
		forbidden(what)
		return
	}
	// The runtime opens the descriptors of its own poller when it first needs it, and keeps them.
	if r, w, err := os.Pipe(); err == nil {
		r.Close()
		w.Close()
	}
	goleak.VerifyTestMain(m)
}

// eachDriver calls f for each driver. io_uring may be missing where kernels before 6.1, or a policy, have none.
func eachDriver(t *testing.T, f func(t *testing.T, driver Driver)) {
	for _, driver := range []Driver{Epoll, IOURing} {
		t.Run(driver.String(), func(t *testing.T) {
			needDriver(t, driver)
			f(t, driver)
		})
	}
}

// needDriver skips what is about a driver that this kernel cannot have.
func needDriver(t testing.TB, driver Driver) {
	t.Helper()
	if driver != IOURing {
		return
	}
	if err := tryRing(); err != nil {
		featuretest.Skip(t, features.RingDefer, err)
	}
}

// patience is for what must happen and has no time of its own.
const patience = 30 * time.Second

// start runs a loop until the end of the test, which fails where a descriptor is left behind.
func start(t testing.TB, opts Options) *Loop {
	t.Helper()
	before := descriptors(t)
	l, err := New(opts)
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- l.Run() }()
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
		if err := <-done; err != nil {
			t.Errorf("Run: %v", err)
		}
		left := descriptors(t)
		for _, d := range before { // what has gone since was an earlier loop's of the same test
			if i := slices.Index(left, d); i >= 0 {
				left = slices.Delete(left, i, i+1)
			}
		}
		if len(left) > 0 {
			t.Errorf("left behind: %v; before: %v", left, before)
		}
	})
	on(t, l, func() {}) // a loop that is closed before it runs is another matter
	return l
}

// descriptors lists what this process has open, without the numbers, which others may take meanwhile.
func descriptors(t testing.TB) []string {
	t.Helper()
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	var open []string
	for _, e := range entries {
		to, err := os.Readlink("/proc/self/fd/" + e.Name())
		if err == nil && !strings.HasPrefix(to, "/proc/") {
			open = append(open, to)
		}
	}
	slices.Sort(open)
	return open
}

// on calls f on the loop and waits for it.
func on(t testing.TB, l *Loop, f func()) {
	t.Helper()
	done := make(chan struct{})
	if err := l.Post(func() { defer close(done); f() }); err != nil {
		t.Fatal(err)
	}
	<-done
}

// serve listens on any port of loopback.
func serve(t testing.TB, l *Loop, accept func(*Conn) Handler) *Listener {
	t.Helper()
	s, err := l.Listen("tcp", "127.0.0.1:0", accept)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// dial connects by the standard library, which knows nothing of the loop.
func dial(t testing.TB, s *Listener) net.Conn {
	t.Helper()
	c, err := net.Dial(s.Addr().Network(), s.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	c.SetDeadline(time.Now().Add(patience))
	return c
}

func say(t testing.TB, c io.Writer, text string) {
	t.Helper()
	if _, err := c.Write([]byte(text)); err != nil {
		t.Fatal(err)
	}
}

// hear reads exactly what is expected.
func hear(t testing.TB, c io.Reader, want string) {
	t.Helper()
	b := make([]byte, len(want))
	if n, err := io.ReadFull(c, b); err != nil || string(b) != want {
		t.Fatalf("read %q, %v; want %q", b[:n], err, want)
	}
}

// ends reads to the end, which must come at once.
func ends(t testing.TB, c io.Reader) {
	t.Helper()
	if b, err := io.ReadAll(c); len(b) != 0 || err != nil {
		t.Fatalf("read %q, %v; want the end", b, err)
	}
}

// echo sends everything back.
type echo struct{ Base }

func (echo) Data(c *Conn, b []byte) { c.Write(b) }

func echoes(*Conn) Handler { return echo{} }

// A recorder is a handler that tells a test what it was called for.
type recorder struct {
	t      testing.TB
	calls  chan string
	closed chan error
	conn   *Conn // since Open

	open, eof, drained func(*Conn) // what to do besides; nil: nothing
	data               func(*Conn, []byte)
}

func newRecorder(t testing.TB) *recorder {
	return &recorder{t: t, calls: make(chan string, 1000), closed: make(chan error, 1)}
}

func (r *recorder) called(what string, f func(*Conn), c *Conn) {
	r.calls <- what
	if f != nil {
		f(c)
	}
}

func (r *recorder) Open(c *Conn) { r.conn = c; r.called("open", r.open, c) }

func (r *recorder) Data(c *Conn, b []byte) {
	r.calls <- "data " + string(b)
	if r.data != nil {
		r.data(c, b)
	}
}

func (r *recorder) EOF(c *Conn)     { r.called("eof", r.eof, c) }
func (r *recorder) Drained(c *Conn) { r.called("drained", r.drained, c) }

func (r *recorder) Closed(c *Conn, err error) {
	r.calls <- "closed"
	r.closed <- err
	if c.Write(nil) == nil {
		r.t.Error("Write after Closed succeeded")
	}
}

// expect waits for calls in this order.
func (r *recorder) expect(want ...string) {
	r.t.Helper()
	for _, w := range want {
		select {
		case got := <-r.calls:
			if got != w {
				r.t.Fatalf("call %q; want %q", got, w)
			}
		case <-time.After(patience):
			r.t.Fatalf("no call; want %q", w)
		}
	}
}

// expectClosed waits for the end.
func (r *recorder) expectClosed(want error) {
	r.t.Helper()
	select {
	case err := <-r.closed:
		if !errors.Is(err, want) {
			r.t.Fatalf("closed with %v; want %v", err, want)
		}
	case <-time.After(patience):
		r.t.Fatal("it was not closed")
	}
}
