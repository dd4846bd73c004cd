package vdso

import (
	"errors"
	"fmt"
	"runtime"
	"sync"
	"testing"

	"golang.org/x/sys/unix"
)

const goarch = runtime.GOARCH

// clocks are those that only go forward.
var clocks = []int32{
	unix.CLOCK_MONOTONIC, unix.CLOCK_MONOTONIC_RAW, unix.CLOCK_MONOTONIC_COARSE, unix.CLOCK_BOOTTIME,
	unix.CLOCK_PROCESS_CPUTIME_ID, unix.CLOCK_THREAD_CPUTIME_ID,
}

// bracketed reads a clock between two readings by real calls.
func bracketed(clock int32) error {
	var before, ts, after unix.Timespec
	if err := errors.Join(unix.ClockGettime(clock, &before), ClockGettime(clock, &ts), unix.ClockGettime(clock, &after)); err != nil {
		return fmt.Errorf("clock %d: %w", clock, err)
	}
	if ts.Nano() < before.Nano() || ts.Nano() > after.Nano() {
		return fmt.Errorf("clock %d: %d is not between the kernel's %d and %d", clock, ts.Nano(), before.Nano(), after.Nano())
	}
	return nil
}

func TestClocksAgreeWithTheKernel(t *testing.T) {
	t.Logf("%+v", Resolved())
	runtime.LockOSThread() // for the thread's own clock
	defer runtime.UnlockOSThread()
	for range 1000 {
		for _, clock := range clocks {
			if err := bracketed(clock); err != nil {
				t.Fatal(err)
			}
		}
	}
}

func TestErrorsAreTheKernels(t *testing.T) {
	for _, clock := range []int32{-1, 12, 99, 1 << 30} {
		var ts unix.Timespec
		want := unix.ClockGettime(clock, &ts)
		if err := ClockGettime(clock, &ts); want == nil || !errors.Is(err, want) {
			t.Errorf("clock %d: %v; the kernel says %v", clock, err, want)
		}
	}
	if err := ClockGettime(unix.CLOCK_MONOTONIC, nil); !errors.Is(err, unix.EFAULT) {
		t.Errorf("into nothing: %v", err)
	}
	if err := Gettimeofday(nil); !errors.Is(err, unix.EFAULT) {
		t.Errorf("time of day into nothing: %v", err)
	}
}

// The wall clock may be set, though not often: one of a few attempts is undisturbed.
func TestTimeOfDayAgreesWithTheKernel(t *testing.T) {
	var err error
	for range 3 {
		var before, after unix.Timespec
		var tv unix.Timeval
		err = errors.Join(unix.ClockGettime(unix.CLOCK_REALTIME, &before), Gettimeofday(&tv), unix.ClockGettime(unix.CLOCK_REALTIME, &after))
		if err == nil && before.Nano()/1000 <= tv.Nano()/1000 && tv.Nano() <= after.Nano() {
			return
		}
		err = fmt.Errorf("%d is not between %d and %d (%w)", tv.Nano(), before.Nano(), after.Nano(), err)
	}
	t.Error(err)
}

func TestGetcpuFollowsTheThread(t *testing.T) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	var all unix.CPUSet
	if err := unix.SchedGetaffinity(0, &all); err != nil {
		t.Fatal(err)
	}
	defer unix.SchedSetaffinity(0, &all)
	for want := range 1024 {
		if !all.IsSet(want) {
			continue
		}
		var one unix.CPUSet
		one.Set(want)
		if err := unix.SchedSetaffinity(0, &one); err != nil {
			t.Fatal(err)
		}
		if cpu, node, err := Getcpu(); cpu != want || node < 0 || err != nil {
			t.Errorf("bound to CPU %d: CPU %d, node %d, %v", want, cpu, node, err)
		}
	}
}

// Each goroutine begins with a small stack, at another depth, and is called while the collector moves and
// shrinks stacks.
func TestStackGrowsForTheCall(t *testing.T) {
	var group sync.WaitGroup
	errs := make(chan error, 64)
	for depth := range cap(errs) {
		group.Go(func() { errs <- deep(depth) })
		if depth%8 == 0 {
			group.Go(runtime.GC)
		}
	}
	group.Wait()
	for range cap(errs) {
		if err := <-errs; err != nil {
			t.Error(err)
		}
	}
}

// deep uses some stack before it reads a clock into a variable there.
func deep(n int) error {
	var room [128]byte
	room[n%len(room)] = byte(n)
	if n > 0 {
		err := deep(n - 1)
		if room[n%len(room)] != byte(n) {
			return fmt.Errorf("depth %d: the stack was overwritten", n)
		}
		return err
	}
	return bracketed(unix.CLOCK_MONOTONIC)
}

func TestNothingIsAllocated(t *testing.T) {
	Resolved()
	var ts unix.Timespec
	var tv unix.Timeval
	for name, call := range map[string]func(){
		"clock_gettime": func() { ClockGettime(unix.CLOCK_MONOTONIC, &ts) },
		"gettimeofday":  func() { Gettimeofday(&tv) },
		"getcpu":        func() { Getcpu() },
	} {
		if n := testing.AllocsPerRun(100, call); n != 0 {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
}

func BenchmarkClockGettime(b *testing.B) {
	b.ReportAllocs()
	var ts unix.Timespec
	for b.Loop() {
		ClockGettime(unix.CLOCK_MONOTONIC, &ts)
	}
}

func BenchmarkGetcpu(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		Getcpu()
	}
}
