package procfs

import (
	"bufio"
	"errors"
	"io"
	"os"
	"os/exec"
	"runtime"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// patience bounds every wait here; no wait ends by it unless a test fails.
const patience = 20 * time.Second

// childEnv makes the test binary a child that says it is there and then sleeps
// until its standard input ends.
const childEnv = "RING3_PROCFS_TEST_CHILD"

// init keeps the main thread for TestMain: the runtime cannot end that thread,
// so no test may have it for onThread or sleeper.
func init() { runtime.LockOSThread() }

func TestMain(m *testing.M) {
	if os.Getenv(childEnv) != "" {
		os.Stdout.WriteString("here\n")
		io.Copy(io.Discard, os.Stdin)
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// A child is a process that does nothing.
type child struct {
	pid int
	end func() // ends and reaps it; more calls do nothing
}

// startChild starts a child and waits until it runs its own code.
func startChild(t *testing.T, attr *syscall.SysProcAttr) (child, error) {
	t.Helper()
	cmd := exec.Command("/proc/self/exe")
	// The race detector would hold up each exit for a second.
	cmd.Env = append(os.Environ(), childEnv+"=1", "GORACE=atexit_sleep_ms=0")
	cmd.SysProcAttr = attr
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		return child{}, err
	}
	ended := false
	c := child{pid: cmd.Process.Pid, end: func() {
		if !ended {
			ended = true
			stdin.Close()
			cmd.Wait()
		}
	}}
	t.Cleanup(c.end)
	if _, err := bufio.NewReader(stdout).ReadString('\n'); err != nil {
		t.Fatalf("child did not come up: %v", err)
	}
	return c, nil
}

// mustStartChild is startChild for a child that needs no privilege.
func mustStartChild(t *testing.T) child {
	t.Helper()
	c, err := startChild(t, nil)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// onThread runs f on a thread that ends with it, so that f may leave it in any
// state. It returns when f has.
func onThread(f func(tid int)) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread() // and never unlock: the runtime then ends the thread
		f(unix.Gettid())
	}()
	<-done
}

// sleeper starts a thread that sleeps in a read until wake is called, and
// returns its id. The thread calls first before it sleeps.
func sleeper(t *testing.T, first func()) (tid int, wake func()) {
	t.Helper()
	var p [2]int
	if err := unix.Pipe2(p[:], unix.O_CLOEXEC); err != nil {
		t.Fatal(err)
	}
	tids, done := make(chan int, 1), make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread()
		tids <- unix.Gettid()
		first()
		var b [1]byte
		for {
			if _, err := unix.Read(p[0], b[:]); err != unix.EINTR {
				return
			}
		}
	}()
	woken := false
	wake = func() {
		if !woken {
			woken = true
			unix.Close(p[1])
			<-done
			unix.Close(p[0])
		}
	}
	t.Cleanup(wake)
	return <-tids, wake
}

// eventually calls ok until it is true, and fails the test if it never is.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !ok(); runtime.Gosched() {
		if time.Now().After(deadline) {
			t.Fatalf("never: %s", what)
		}
	}
}

// between fails the test unless before <= got <= after.
func between[T int | uint64 | time.Duration](t *testing.T, what string, before, got, after T) {
	t.Helper()
	if got < before || got > after {
		t.Errorf("%s = %v; want it from %v to %v", what, got, before, after)
	}
}

// fixture returns a file of testdata. Those are as Linux 6.18 on amd64 printed
// them.
func fixture(t testing.TB, name string) []byte {
	t.Helper()
	b, err := os.ReadFile("testdata/" + name)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestReadersOfAProcessThatEndedSayGone(t *testing.T) {
	c := mustStartChild(t)
	readers := map[string]func(pid int) error{
		"PidStat":       func(pid int) error { _, err := PidStat(pid); return err },
		"TaskStat":      func(pid int) error { _, err := TaskStat(pid, pid); return err },
		"PidStatus":     func(pid int) error { _, err := PidStatus(pid); return err },
		"TaskStatus":    func(pid int) error { _, err := TaskStatus(pid, pid); return err },
		"PidSchedstat":  func(pid int) error { _, err := PidSchedstat(pid); return err },
		"TaskSchedstat": func(pid int) error { _, err := TaskSchedstat(pid, pid); return err },
		"Tasks":         func(pid int) error { _, err := Tasks(pid); return err },
		"Children":      func(pid int) error { _, err := Children(pid, pid); return err },
		"CgroupOf":      func(pid int) error { _, err := CgroupOf(pid); return err },
	}
	for name, reader := range readers {
		if err := reader(c.pid); err != nil && !errors.Is(err, errors.ErrUnsupported) {
			t.Errorf("%s of a process: %v", name, err)
		}
	}
	c.end()
	for name, reader := range readers {
		for _, pid := range []int{c.pid, 0, -1, 1 << 31, 1 << 40} {
			if err := reader(pid); !Gone(err) {
				t.Errorf("%s(%d), of no process: error %v; want a gone one", name, pid, err)
			}
		}
	}
}

func TestReadersOfAThreadThatEndedSayGone(t *testing.T) {
	tid, wake := sleeper(t, func() {})
	if _, err := TaskStat(os.Getpid(), tid); err != nil {
		t.Fatal(err)
	}
	wake()
	eventually(t, "the thread ends", func() bool {
		_, err := TaskStat(os.Getpid(), tid)
		return Gone(err)
	})
	for name, reader := range map[string]func(pid, tid int) error{
		"TaskStat":      func(pid, tid int) error { _, err := TaskStat(pid, tid); return err },
		"TaskStatus":    func(pid, tid int) error { _, err := TaskStatus(pid, tid); return err },
		"TaskSchedstat": func(pid, tid int) error { _, err := TaskSchedstat(pid, tid); return err },
		"Children":      func(pid, tid int) error { _, err := Children(pid, tid); return err },
	} {
		if err := reader(os.Getpid(), tid); !Gone(err) {
			t.Errorf("%s: error %v; want a gone one", name, err)
		}
	}
}

// TestKernelSaysESRCHBetweenOpenAndRead holds the kernel to what the package
// comment says of it.
func TestKernelSaysESRCHBetweenOpenAndRead(t *testing.T) {
	for _, file := range []string{"stat", "status", "schedstat", "cgroup"} {
		c := mustStartChild(t)
		f, err := os.Open(pidDir(c.pid) + "/" + file)
		if errors.Is(err, os.ErrNotExist) {
			t.Logf("kernel without %s", file)
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		c.end()
		if _, err := io.ReadAll(f); !errors.Is(err, syscall.ESRCH) || !Gone(err) {
			t.Errorf("read of %s after its process ended: %v; want ESRCH", file, err)
		}
		f.Close()
	}
}

func TestOptionalFileOfALiveTaskIsUnsupportedNotGone(t *testing.T) {
	never := func([]byte) (int, error) { return 0, errors.New("parsed") }
	_, err := readOptional(pidDir(os.Getpid()), "no-such-file", "CONFIG_NONE", never)
	if !errors.Is(err, errors.ErrUnsupported) || Gone(err) {
		t.Errorf("error %v; want an unsupported one", err)
	}
}
