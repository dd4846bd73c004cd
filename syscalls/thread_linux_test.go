package syscalls

import (
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// A sleeper is a thread of its own that makes a call which blocks.
type sleeper struct {
	tid  int
	done chan error // what the call returned; its thread ends then
}

// startSleeper makes a call on a new thread.
func startSleeper(t *testing.T, call func() error) *sleeper {
	t.Helper()
	tid := make(chan int, 1)
	s := &sleeper{done: make(chan error, 1)}
	go func() {
		lockOtherThread()
		tid <- unix.Gettid()
		s.done <- call()
	}()
	s.tid = <-tid
	return s
}

// lockOtherThread locks the goroutine to a thread that may die with it: any but the process's first.
func lockOtherThread() {
	runtime.LockOSThread()
	for unix.Gettid() == os.Getpid() {
		// The first thread is kept busy while this goroutine finds another one.
		busy, free := make(chan bool), make(chan bool)
		go func() {
			runtime.LockOSThread()
			defer runtime.UnlockOSThread()
			close(busy)
			<-free
		}()
		runtime.UnlockOSThread()
		<-busy
		runtime.LockOSThread()
		close(free)
	}
}

// asleep waits until the kernel says that the thread sleeps, and may be woken by a signal, in a call whose first
// argument is arg. A thread that waits for a page within the call is in another state.
func (s *sleeper) asleep(t *testing.T, arg uintptr) {
	t.Helper()
	want := fmt.Sprintf("%#x", arg)
	eventually(t, "the thread sleeps in its call", func() bool {
		data, err := os.ReadFile(fmt.Sprintf("/proc/self/task/%d/syscall", s.tid))
		if err != nil {
			t.Fatal(err)
		}
		fields := strings.Fields(string(data)) // number, six arguments, SP, PC; or "running"
		if len(fields) != 9 || fields[1] != want {
			return false
		}
		stat, err := os.ReadFile(fmt.Sprintf("/proc/self/task/%d/stat", s.tid))
		if err != nil {
			t.Fatal(err)
		}
		return strings.Contains(string(stat), ") S ")
	})
}

// woken waits until the call returned, and checks its error.
func (s *sleeper) woken(t *testing.T, want error) {
	t.Helper()
	select {
	case err := <-s.done:
		expect(t, err, want)
	case <-time.After(time.Minute):
		t.Fatalf("thread %d still sleeps", s.tid)
	}
}

// pin keeps what p points to reachable and in its place, where an address of it is a number.
func pin(p any) *runtime.Pinner {
	var pinner runtime.Pinner
	pinner.Pin(p)
	return &pinner
}

// expect fails where an error is not the one that is wanted.
func expect(t *testing.T, err, want error) {
	t.Helper()
	if want == nil && err != nil || want != nil && !isError(err, want) {
		t.Fatalf("error %v, want %v", err, want)
	}
}

// isError reports whether err is a system call's, and of the given number.
func isError(err, want error) bool {
	call, ok := err.(*os.SyscallError)
	return ok && call.Err == want
}

// eventually waits for what no event tells of.
func eventually(t *testing.T, what string, is func() bool) {
	t.Helper()
	for end := time.Now().Add(time.Minute); !is(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("a minute passed before %s", what)
		}
	}
}

// onThread runs a function on a locked thread that ends with it, for what a thread does not get rid of. It must not
// end the test.
func onThread(do func()) {
	done := make(chan bool)
	go func() {
		defer close(done)
		lockOtherThread()
		do()
	}()
	<-done
}

// A statusFile is /proc/PID/status or that of a thread.
type statusFile map[string]string

func readStatus(t *testing.T, path string) statusFile {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	s := statusFile{}
	for line := range strings.Lines(string(data)) {
		name, value, _ := strings.Cut(line, ":")
		s[name] = strings.TrimSpace(value)
	}
	return s
}

// hex reads a field that is a number in hexadecimal.
func (s statusFile) hex(t *testing.T, name string) uint64 {
	t.Helper()
	v, err := strconv.ParseUint(s[name], 16, 64)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return v
}

const childVariable = "RING3_SYSCALLS_CHILD"

// children are what this program does instead of testing where childVariable names one. They run on the
// process's first thread.
var children = map[string]func() error{}

// addChild adds one; the result is for a variable of the package to have.
func addChild(name string, do func() error) string {
	children[name] = do
	return name
}

func init() {
	if do := children[os.Getenv(childVariable)]; do != nil {
		if err := do(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
}

// child is a command that runs one of children. It has no descriptors of this process, and no more of its environment
// than the given.
func child(t *testing.T, name string, env ...string) *exec.Cmd {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self)
	cmd.Env = slices.Concat([]string{childVariable + "=" + name}, env)
	return cmd
}

// runChild runs one of children and fails the test where it fails.
func runChild(t *testing.T, name string, env ...string) string {
	t.Helper()
	out, err := child(t, name, env...).CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v\n%s", name, err, out)
	}
	return string(out)
}
