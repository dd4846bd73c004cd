package vdso

import (
	"bytes"
	"compress/gzip"
	"io"
	"os"
	"os/signal"
	"runtime"
	"runtime/pprof"
	"sync"
	"sync/atomic"
	"testing"

	"golang.org/x/sys/unix"
)

// Signals arrive in the middle of calls: the profiler's, the scheduler's, and one that Go code waits for. The
// last would end the process where the runtime did not know which goroutine it interrupted.
func TestSignalsMayArriveInTheVDSO(t *testing.T) {
	received := make(chan os.Signal, 1)
	signal.Notify(received, unix.SIGUSR1)
	defer signal.Stop(received)
	defer startProfile(t)()

	var stop atomic.Bool
	var group sync.WaitGroup
	defer group.Wait()
	defer stop.Store(true)
	thread := make(chan int)
	group.Go(func() {
		runtime.LockOSThread()
		state, _ := NewState() // nil where there is none
		if state != nil {
			defer state.Close()
		}
		thread <- unix.Gettid()
		var p [32]byte
		var last, ts unix.Timespec
		for !stop.Load() {
			if err := ClockGettime(unix.CLOCK_MONOTONIC, &ts); err != nil || ts.Nano() < last.Nano() {
				t.Errorf("%d after %d, %v", ts.Nano(), last.Nano(), err)
			}
			last = ts
			if _, _, err := Getcpu(); err != nil {
				t.Error(err)
			}
			if _, err := Getrandom(p[:], 0, state); err != nil {
				t.Error(err)
			}
		}
	})
	tid := <-thread
	signals := 50_000
	if testing.Short() {
		signals = 5000
	}
	for i := range signals {
		if err := unix.Tgkill(unix.Getpid(), tid, unix.SIGUSR1); err != nil {
			t.Fatal(err)
		}
		if i%1000 == 0 {
			runtime.GC() // stops the world, by signals too
		}
	}
	<-received
}

// startProfile profiles this process. The function that it returns ends that, and returns the profile.
func startProfile(t *testing.T) func() []byte {
	t.Helper()
	var b bytes.Buffer
	if err := pprof.StartCPUProfile(&b); err != nil {
		t.Fatal(err)
	}
	return func() []byte {
		pprof.StopCPUProfile()
		z, err := gzip.NewReader(&b)
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(z)
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
}

// What is profiled in the vDSO is found there. The loop ends when it was.
func TestProfilerNamesTheVDSO(t *testing.T) {
	needs(t, Resolved().ClockGettime, "clock_gettime")
	const attempts = 50
	for range attempts {
		profile := startProfile(t)
		var from, ts unix.Timespec
		ClockGettime(unix.CLOCK_THREAD_CPUTIME_ID, &from)
		for ts.Nano()-from.Nano() < 200e6 {
			for range 10_000 {
				ClockGettime(unix.CLOCK_MONOTONIC_RAW, &ts)
			}
			ClockGettime(unix.CLOCK_THREAD_CPUTIME_ID, &ts)
		}
		if bytes.Contains(profile(), []byte("runtime._VDSO")) {
			return
		}
	}
	t.Errorf("%d profiles of a loop around the vDSO do not have it", attempts)
}
