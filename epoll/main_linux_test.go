package epoll

import (
	"errors"
	"io"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"go.uber.org/goleak"
)

// childEnv makes the test binary a child that waits for the end of its input and then ends as its value says.
const childEnv = "EPOLL_TEST_CHILD"

func TestMain(m *testing.M) {
	if how, ok := os.LookupEnv(childEnv); ok {
		io.Copy(io.Discard, os.Stdin)
		if how == "signal" {
			unix.Kill(os.Getpid(), unix.SIGKILL)
		}
		os.Exit(7)
	}
	// The runtime opens the descriptors of its own poller when it first needs it, and keeps them.
	if r, w, err := os.Pipe(); err == nil {
		r.Close()
		w.Close()
	}
	goleak.VerifyTestMain(m)
}

// newPoller returns a Poller that is closed at the end of the test, which fails where a descriptor is left.
func newPoller(t testing.TB) *Poller {
	t.Helper()
	before := descriptors(t)
	p, err := New()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.Close(); err != nil {
			t.Error(err)
		}
		if after := descriptors(t); !slices.Equal(before, after) {
			t.Errorf("descriptors before: %v; after: %v", before, after)
		}
	})
	return p
}

// descriptors lists what this process has open, leaving out what the runtime keeps for itself.
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
			open = append(open, e.Name()+" "+to)
		}
	}
	return open
}

// pipe returns both ends of one, non-blocking, closed at the end of the test where it has not done so.
func pipe(t testing.TB) (r, w *end) {
	t.Helper()
	var fds [2]int
	if err := unix.Pipe2(fds[:], unix.O_CLOEXEC|unix.O_NONBLOCK); err != nil {
		t.Fatal(err)
	}
	return newEnd(t, fds[0]), newEnd(t, fds[1])
}

func socketpair(t testing.TB) (a, b *end) {
	t.Helper()
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		t.Fatal(err)
	}
	return newEnd(t, fds[0]), newEnd(t, fds[1])
}

// An end is a descriptor that a test uses by hand.
type end struct {
	t  testing.TB
	fd int
}

func newEnd(t testing.TB, fd int) *end {
	e := &end{t, fd}
	t.Cleanup(e.close)
	return e
}

func (e *end) close() {
	if e.fd >= 0 {
		unix.Close(e.fd)
		e.fd = -1
	}
}

func (e *end) write(s string) {
	e.t.Helper()
	if n, err := unix.Write(e.fd, []byte(s)); n != len(s) {
		e.t.Fatalf("write %d bytes: %d, %v", len(s), n, err)
	}
}

// drain reads until there is nothing and returns what came.
func (e *end) drain() string {
	e.t.Helper()
	var got []byte
	for b := make([]byte, 4096); ; {
		switch n, err := unix.Read(e.fd, b); {
		case n > 0:
			got = append(got, b[:n]...)
		case n == 0 || errors.Is(err, unix.EAGAIN):
			return string(got)
		default:
			e.t.Fatal(err)
		}
	}
}

func add(t testing.TB, p *Poller, fd int, events Events) Token {
	t.Helper()
	tok, err := p.Add(fd, events)
	if err != nil {
		t.Fatal(err)
	}
	return tok
}

// poll returns what is ready now, as text.
func poll(t testing.TB, p *Poller) []string {
	t.Helper()
	events := make([]Event, 16)
	n, err := p.Wait(events, 0)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for i := range events[:n] {
		got = append(got, events[i].String())
	}
	slices.Sort(got)
	return got
}

func expect(t testing.TB, p *Poller, want ...string) {
	t.Helper()
	slices.Sort(want)
	if got := poll(t, p); !slices.Equal(got, want) {
		t.Fatalf("ready: %q; want %q", got, want)
	}
}

// is gives an event the form that poll does.
func is(tok Token, events Events) string { return tok.String() + " " + events.String() }

// inKernel waits until n threads of this process sleep in one of these system calls, as /proc has it.
func inKernel(t testing.TB, n int, calls ...int) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); time.Sleep(time.Millisecond) {
		tasks, err := os.ReadDir("/proc/self/task")
		if err != nil {
			t.Fatal(err)
		}
		found := 0
		for _, task := range tasks {
			text, err := os.ReadFile("/proc/self/task/" + task.Name() + "/syscall")
			if err != nil {
				continue // it has ended, or may not be read
			}
			nr, _, _ := strings.Cut(string(text), " ")
			for _, call := range calls {
				if nr == itoa(call) {
					found++
				}
			}
		}
		if found >= n {
			return
		}
	}
	t.Fatalf("fewer than %d threads are waiting", n)
}
