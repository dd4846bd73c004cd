package iouring

import (
	"errors"
	"io"
	"os"
	"runtime"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"go.uber.org/goleak"

	"github.com/ring3-go/ring3/internal/features"
	"github.com/ring3-go/ring3/internal/features/featuretest"
	"github.com/ring3-go/ring3/syscalls"
)

// childEnv makes the test binary a child that does what its value names.
const childEnv = "IOURING_TEST_CHILD"

func TestMain(m *testing.M) {
	// The runtime opens the descriptors of its own poller when it first needs it, which a timer of its own may be at any
	// time, and keeps them. Tests and children count descriptors, so that is before them.
	if r, w, err := os.Pipe(); err == nil {
		r.Close()
		w.Close()
	}
	if what, ok := os.LookupEnv(childEnv); ok {
		os.Exit(runChild(what))
	}
	goleak.VerifyTestMain(m)
}

// newRing returns a ring that is closed at the end of the test, which fails where a descriptor or a mapping of
// it is left. A test without io_uring skips.
func newRing(t testing.TB, o Options) *Ring {
	t.Helper()
	if o.SingleIssuer {
		runtime.LockOSThread()
		t.Cleanup(runtime.UnlockOSThread)
	}
	before := openFiles(t)
	r, err := New(o)
	if err != nil {
		featuretest.Skip(t, features.Ring, err)
	}
	t.Cleanup(func() {
		if err := r.Close(); err != nil {
			t.Error(err)
		}
		if after := openFiles(t); !t.Failed() && len(after) > len(before) {
			t.Errorf("descriptors before: %v; after: %v", before, after)
		}
	})
	makeWorkers(t, r)
	return r
}

// makeWorkers has the kernel make a worker thread of each kind for this thread, until it succeeds: kernels before 6.15
// give up after three signals, and cancel the work; see the package's documentation. A worker stays.
func makeWorkers(t testing.TB, r *Ring) {
	t.Helper()
	const other = syscalls.IORING_SETUP_R_DISABLED | syscalls.IORING_SETUP_IOPOLL | syscalls.IORING_SETUP_SQPOLL
	if k := running(t); k.Release.Major > 6 || k.Release.Major == 6 && k.Release.Minor >= 15 || r.Flags()&other != 0 {
		return
	}
	runtime.LockOSThread()
	t.Cleanup(runtime.UnlockOSThread)
	var ends [2]int
	must(t, unix.Pipe2(ends[:], unix.O_CLOEXEC))
	defer unix.Close(ends[0])
	defer unix.Close(ends[1])
	for _, fill := range []func(Entry) error{
		Entry.Nop,
		func(e Entry) error { return e.Write(ends[1], []byte("x"), -1) },
	} {
		for {
			c := do(t, r, func(e Entry) error {
				must(t, e.SetFlags(syscalls.IOSQE_ASYNC))
				return fill(e)
			})
			if c.Err() != unix.ECANCELED {
				must(t, c.Err())
				break
			}
		}
	}
}

// kinds are the rings that most tests run on.
var kinds = []struct {
	name    string
	options Options
}{
	{"any goroutine", Options{Entries: 64}},
	{"one thread", Options{Entries: 64, SingleIssuer: true}},
	{"a thread of the kernel", Options{Entries: 64, Flags: syscalls.IORING_SETUP_SQPOLL}},
}

// eachKind runs a test on rings of each kind.
func eachKind(t *testing.T, test func(t *testing.T, r *Ring)) {
	for _, k := range kinds {
		t.Run(k.name, func(t *testing.T) { test(t, newRing(t, k.options)) })
	}
}

// openFiles lists what this process has open, leaving out what the runtime keeps for itself.
func openFiles(t testing.TB) []string {
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

// mappings returns how many mappings of rings this process has.
func mappings(t testing.TB) int {
	t.Helper()
	text, err := os.ReadFile("/proc/self/maps")
	if err != nil {
		t.Fatal(err)
	}
	return strings.Count(string(text), "anon_inode:[io_uring]")
}

// get is Ring.Get for tests in which there is room.
func get(t testing.TB, r *Ring) Entry {
	t.Helper()
	e, err := r.Get()
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// start gets an entry, has it filled in, and submits it.
func start(t testing.TB, r *Ring, fill func(Entry) error) Token {
	t.Helper()
	e := get(t, r)
	must(t, fill(e))
	if _, err := r.Submit(); err != nil {
		t.Fatal(err)
	}
	return e.Token()
}

// do starts an operation and returns its one completion.
func do(t testing.TB, r *Ring, fill func(Entry) error) Completion {
	t.Helper()
	tok := start(t, r, fill)
	c := next(t, r)
	if c.Token != tok {
		t.Fatalf("completion %v; want of %v", c, tok)
	}
	return c
}

// next waits for a completion and takes it.
func next(t testing.TB, r *Ring) Completion {
	t.Helper()
	var one [1]Completion
	for r.Reap(one[:]) == 0 {
		n, err := r.SubmitAndWait(1, longest)
		if err != nil {
			t.Fatal(err)
		}
		if n == 0 {
			t.Fatalf("no completion in %v", longest)
		}
	}
	return one[0]
}

// nextOf waits for n completions and returns them by token, in order of arrival.
func nextOf(t testing.TB, r *Ring, n int) map[Token][]Completion {
	t.Helper()
	all := make(map[Token][]Completion)
	for range n {
		c := next(t, r)
		all[c.Token] = append(all[c.Token], c)
	}
	return all
}

// none fails where there is a completion.
func none(t testing.TB, r *Ring) {
	t.Helper()
	if _, err := r.SubmitAndWait(0, 0); err != nil {
		t.Fatal(err)
	}
	for c := range r.Completions() {
		t.Fatalf("completion %v; want none", c)
	}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// want fails where an error is not the expected one, nil included.
func want(t testing.TB, err, expected error) {
	t.Helper()
	if !errors.Is(err, expected) || expected == nil && err != nil {
		t.Fatalf("error %v; want %v", err, expected)
	}
}

// result fails where a completion has not this result: bytes, or an errno.
func result(t testing.TB, c Completion, expected int) {
	t.Helper()
	if int(c.Res) != expected {
		t.Fatalf("completion %v; want result %d", c, expected)
	}
}

func failed(t testing.TB, c Completion, expected unix.Errno) {
	t.Helper()
	if c.Err() != expected {
		t.Fatalf("completion %v; want %v", c, expected)
	}
}

// An end is a descriptor that a test uses by hand, closed at its end.
type end struct {
	t  testing.TB
	fd int
}

func newEnd(t testing.TB, fd int, err error) *end {
	t.Helper()
	must(t, err)
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

// read reads once.
func (e *end) read() string {
	e.t.Helper()
	b := make([]byte, 1<<16)
	n, err := unix.Read(e.fd, b)
	must(e.t, err)
	return string(b[:n])
}

func pipe(t testing.TB) (r, w *end) {
	t.Helper()
	var fds [2]int
	err := unix.Pipe2(fds[:], unix.O_CLOEXEC)
	return newEnd(t, fds[0], err), newEnd(t, fds[1], err)
}

func socketpair(t testing.TB, typ int) (a, b *end) {
	t.Helper()
	fds, err := unix.Socketpair(unix.AF_UNIX, typ|unix.SOCK_CLOEXEC, 0)
	return newEnd(t, fds[0], err), newEnd(t, fds[1], err)
}

// file makes a file with this content and opens it.
func file(t testing.TB, content string) *end {
	t.Helper()
	path := t.TempDir() + "/file"
	must(t, os.WriteFile(path, []byte(content), 0o600))
	fd, err := unix.Open(path, unix.O_RDWR|unix.O_CLOEXEC, 0)
	return newEnd(t, fd, err)
}

// contents reads a file by another descriptor than its own.
func (e *end) contents() string {
	e.t.Helper()
	f, err := os.Open("/proc/self/fd/" + itoa(e.fd))
	must(e.t, err)
	defer f.Close()
	b, err := io.ReadAll(f)
	must(e.t, err)
	return string(b)
}

func equal[T comparable](t testing.TB, got, want []T) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Fatalf("got %v; want %v", got, want)
	}
}
