package step_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/ring3-go/ring3/asm/step"
	"github.com/ring3-go/ring3/asm/step/internal/sample"
)

func TestErrorsSayWhatWentWrong(t *testing.T) {
	start := func(function string) error {
		s, err := step.Start(t.Context(), sample.Lesson(), function, step.Options{})
		if err == nil {
			s.Close()
		}
		return err
	}
	try(t, start("Outer"))
	for function, want := range map[string]string{
		"Nowhere": `no function "Nowhere"`, "Never": "exit code 0", "Exits": "exit code 7", "Panics": "no way",
	} {
		if err := start(function); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v; want %s", function, err, want)
		}
	}
	if err := start("Exits"); !errors.Is(err, step.ErrEnded) {
		t.Errorf("%v is not ErrEnded", err)
	}
	var last error
	for _, err := range step.All(t.Context(), sample.Lesson(), "Forever", step.Options{Max: 50}) {
		last = err
	}
	if !errors.Is(last, step.ErrLimit) {
		t.Errorf("after 50 steps of an endless loop: %v", last)
	}
	t.Run("killed", func(t *testing.T) {
		t.Setenv(asVictim, "1")
		if err := start("Outer"); !errors.Is(err, step.ErrEnded) || !strings.Contains(err.Error(), "by SIGTERM") {
			t.Errorf("a child that dies first: %v", err)
		}
	})
	t.Setenv("RING3_STEP_CHILD", "1")
	if err := start("Outer"); !errors.Is(err, step.ErrNoChild) {
		t.Errorf("in a child: %v", err)
	}
}

func TestASessionThatNobodyStartedIsClosed(t *testing.T) {
	var s step.Session
	if _, err := s.Next(); !errors.Is(err, step.ErrClosed) {
		t.Error(err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

// leftovers fails the test where this process still has a child.
func leftovers(t *testing.T) {
	t.Helper()
	if _, err := unix.Wait4(-1, nil, unix.WNOHANG|unix.WALL, nil); !errors.Is(err, unix.ECHILD) {
		t.Errorf("wait4: %v; want no child", err)
	}
}

func TestClosingEarlyLeavesNothing(t *testing.T) {
	descriptors := func() int {
		list, err := os.ReadDir("/proc/self/fd")
		if err != nil {
			t.Fatal(err)
		}
		return len(list)
	}
	s, err := step.Start(t.Context(), sample.Lesson(), "Outer", step.Options{})
	try(t, err)
	s.Close()
	before := descriptors()
	for steps := range 4 {
		s, err := step.Start(t.Context(), sample.Lesson(), "Outer", step.Options{})
		try(t, err)
		for range steps {
			if _, err := s.Next(); err != nil {
				t.Error(err)
			}
		}
		if err := errors.Join(s.Close(), s.Close()); err != nil {
			t.Error(err)
		}
		if _, err := s.Next(); !errors.Is(err, step.ErrClosed) {
			t.Errorf("after Close: %v", err)
		}
	}
	leftovers(t)
	if after := descriptors(); after != before {
		t.Errorf("%d descriptors before, %d after", before, after)
	}
}

func TestTheEndOfTheContextEndsAStep(t *testing.T) {
	ctx, end := context.WithCancelCause(t.Context())
	s, err := step.Start(ctx, sample.Lesson(), "Forever", step.Options{Max: 1 << 40})
	try(t, err)
	defer s.Close()
	go end(errors.New("enough"))
	for err == nil {
		_, err = s.Next()
	}
	if !errors.Is(err, context.Canceled) {
		t.Errorf("%v; want that the context ended", err)
	}
	s.Close()
	leftovers(t)
}

func TestCloseWakesNext(t *testing.T) {
	s, err := step.Start(t.Context(), sample.Lesson(), "Forever", step.Options{Max: 1 << 40})
	try(t, err)
	ended := make(chan error)
	go func() {
		var err error
		for err == nil {
			_, err = s.Next()
		}
		ended <- err
	}()
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if err := <-ended; !errors.Is(err, step.ErrClosed) {
		t.Errorf("%v; want ErrClosed", err)
	}
	leftovers(t)
}

// TestSignalsDoNotDisturb sends to the stepped thread, between steps, signals that would make its handler run
// in the middle of the function.
func TestSignalsDoNotDisturb(t *testing.T) {
	want, _ := run(t, sample.Lesson(), "Outer", step.Options{})
	s, err := step.Start(t.Context(), sample.Lesson(), "Outer", step.Options{})
	try(t, err)
	defer s.Close()
	children, err := os.ReadFile(fmt.Sprintf("/proc/self/task/%d/children", tracer(t)))
	if err != nil {
		t.Skipf("the child cannot be found: %v", err)
	}
	pid := 0
	if _, err := fmt.Sscan(string(children), &pid); err != nil {
		t.Fatalf("%v in %q", err, children)
	}
	var got []uint64
	for {
		for _, sig := range []unix.Signal{unix.SIGURG, unix.SIGPROF, unix.SIGTERM, unix.SIGCHLD, unix.SIGTSTP} {
			for _, tid := range tasks(t, pid) {
				if tid != pid && traced(t, pid, tid) {
					if err := unix.Tgkill(pid, tid, sig); err != nil {
						t.Error(err)
					}
				}
			}
		}
		next, err := s.Next()
		if err != nil {
			break
		}
		got = append(got, next.Offset)
	}
	if len(got) != len(want) {
		t.Errorf("%d steps, %d without signals", len(got), len(want))
	}
	for i := range min(len(got), len(want)) {
		if got[i] != want[i].Offset {
			t.Errorf("step %d at offset %d, want %d", i+1, got[i], want[i].Offset)
		}
	}
}

// tracer is the thread of this process that has a child.
func tracer(t *testing.T) int {
	t.Helper()
	for _, tid := range tasks(t, os.Getpid()) {
		if list, err := os.ReadFile(fmt.Sprintf("/proc/self/task/%d/children", tid)); err == nil && len(list) > 0 {
			return tid
		}
	}
	return os.Getpid()
}

func tasks(t *testing.T, pid int) (list []int) {
	t.Helper()
	entries, err := os.ReadDir(fmt.Sprintf("/proc/%d/task", pid))
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		tid := 0
		fmt.Sscan(e.Name(), &tid)
		list = append(list, tid)
	}
	return list
}

func traced(t *testing.T, pid, tid int) bool {
	t.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/status", pid, tid))
	return err == nil && !strings.Contains(string(status), "TracerPid:\t0\n")
}

// TestTheChildDiesWithTheTracer kills a program that steps, in the middle of it.
func TestTheChildDiesWithTheTracer(t *testing.T) {
	s, err := step.Start(t.Context(), sample.Lesson(), "Outer", step.Options{})
	try(t, err)
	s.Close()
	tracer := exec.Command("/proc/self/exe", asTracer)
	out, err := tracer.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := tracer.Start(); err != nil {
		t.Fatal(err)
	}
	defer tracer.Wait()
	defer tracer.Process.Kill()
	said := make([]byte, 256)
	if n, err := out.Read(said); err != nil || string(said[:n]) != "<nil>\n" {
		t.Fatalf("%q, %v", said[:n], err)
	}
	child := 0
	for _, tid := range tasks(t, tracer.Process.Pid) {
		list, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", tracer.Process.Pid, tid))
		if err != nil {
			t.Skipf("the child cannot be found: %v", err) // without CONFIG_PROC_CHILDREN
		}
		fmt.Sscan(string(list), &child)
	}
	fd, err := unix.PidfdOpen(child, 0)
	if err != nil {
		t.Fatalf("child %d: %v", child, err)
	}
	defer unix.Close(fd)
	if err := tracer.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	ended := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
	for {
		n, err := unix.Poll(ended, 60_000)
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if n != 1 || err != nil {
			t.Errorf("the child lives on: %d, %v", n, err)
		}
		return
	}
}

func TestManySessionsAtOnce(t *testing.T) {
	try(t, func() error {
		s, err := step.Start(t.Context(), sample.Lesson(), "Outer", step.Options{})
		if err == nil {
			err = s.Close()
		}
		return err
	}())
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range 3 {
				n := 0
				for _, err := range step.All(t.Context(), sample.Lesson(), "Outer", step.Options{}) {
					if err != nil {
						t.Error(err)
					}
					n++
				}
				if n < 10 {
					t.Errorf("%d steps", n)
				}
			}
		})
	}
	wg.Wait()
	leftovers(t)
}

func BenchmarkStep(b *testing.B) {
	s, err := step.Start(b.Context(), sample.Lesson(), "Forever", step.Options{Max: 1 << 60})
	if err != nil {
		b.Skip(err)
	}
	defer s.Close()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := s.Next(); err != nil {
			b.Fatal(err)
		}
	}
}
