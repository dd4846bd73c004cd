//go:build linux

package fiber_test

import (
	"bytes"
	"compress/gzip"
	"io"
	"os"
	"runtime"
	"runtime/pprof"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/ring3-go/ring3/asm/fiber"
	"github.com/ring3-go/ring3/asm/fiber/internal/bodies"
)

// duration is how long signals are sent.
func duration() time.Duration {
	if testing.Short() {
		return 300 * time.Millisecond
	}
	return 3 * time.Second
}

// While fibers run on two threads, the collector stops the world again and again, the profiler's timer
// and thousands of further SIGPROF and SIGURG hit the threads, each at whatever instruction it is. The runtime
// walks the stack from there. Registers and turns must come out exact, and the profile must have seen fibers.
func TestSignalsAndCollectionsDoNoHarm(t *testing.T) {
	var profile bytes.Buffer
	if err := pprof.StartCPUProfile(&profile); err != nil {
		t.Skipf("the tests are being profiled: %v", err)
	}
	defer pprof.StopCPUProfile()

	const runners, keepers = 2, 20
	var signals atomic.Int64
	var end atomic.Bool
	var wait sync.WaitGroup
	tids := make(chan int, runners)
	control, control2 := bodies.Control()
	for range runners {
		s := open(t, fiber.Options{Stacks: keepers + 3})
		var keep []*fiber.Fiber
		for i := range keepers {
			keep = append(keep, spawn(t, s, bodies.Keep, 1<<60, 0, uint64(i+1)<<32, 0, control, control2))
		}
		spin := spawn(t, s, fiber.Spin)
		spawn(t, s, fiber.Recurse, 100) // whose stack is deep to walk
		spawn(t, s, fiber.Count, 0, 1<<60)
		wait.Go(func() {
			runtime.LockOSThread()
			defer runtime.UnlockOSThread()
			tids <- unix.Gettid()
			total := 0
			for !end.Load() {
				had, err := s.Run(100_000)
				if err != nil {
					t.Error(err)
					return
				}
				total += had
			}
			for _, f := range keep {
				if w := f.Words(); w[bodies.KeepLost] != 0 {
					t.Errorf("%v lost %d registers in %d turns", f, w[bodies.KeepLost], w[bodies.KeepDone])
				}
			}
			// Recurse has returned in its second turn; the others had the rest in equal parts.
			had, share := int(spin.Words()[0]), (total-2)/(keepers+2)
			if had < share || had > share+1 {
				t.Errorf("%d turns of %d, want %d", had, total, share)
			}
		})
	}
	for range runners {
		tid := <-tids
		wait.Go(func() {
			for !end.Load() {
				for _, signal := range []unix.Signal{unix.SIGPROF, unix.SIGURG} {
					if err := unix.Tgkill(os.Getpid(), tid, signal); err != nil {
						t.Error(err)
						return
					}
					signals.Add(1)
				}
				runtime.Gosched()
			}
		})
	}
	var garbage [][]byte
	collections := 0
	for from := time.Now(); time.Since(from) < duration(); collections++ {
		for range 100 {
			garbage = append(garbage, make([]byte, 1000))
		}
		if len(garbage) > 2000 {
			garbage = nil
		}
		runtime.GC()
	}
	end.Store(true)
	wait.Wait()
	pprof.StopCPUProfile()
	t.Logf("%d signals, %d collections", signals.Load(), collections)

	text, err := gzip.NewReader(&profile)
	if err != nil {
		t.Fatal(err)
	}
	names, err := io.ReadAll(text)
	if err != nil {
		t.Fatal(err)
	}
	// The names of the functions that were seen are in the profile's string table.
	for _, want := range []string{"keep", "yield", "start"} {
		if !bytes.Contains(names, []byte("\x32"+string(rune(len(want)))+want)) {
			t.Errorf("the profile has not seen %s", want)
		}
	}
}

// A Run of as good as no end lets the collector stop the world, and another goroutine have the only
// processor.
func TestRunWithoutEndStopsNobody(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	s := open(t, fiber.Options{Stacks: 2})
	f := spawn(t, s, fiber.Spin)
	spawn(t, s, fiber.Spin)
	began, done := make(chan struct{}), make(chan int)
	go func() {
		close(began)
		had, err := s.Run(1 << 50)
		if err != nil {
			t.Error(err)
		}
		done <- had
	}()
	<-began
	for range 3 {
		runtime.Gosched()
		runtime.GC()
	}
	s.Interrupt()
	had := <-done
	if spun := int(f.Words()[0]); had == 0 || spun < had/2 || spun > had/2+1 {
		t.Errorf("%d turns, %d of one of two fibers", had, spun)
	}
	// One interrupt ends one Run.
	if again, err := s.Run(10); again != 10 || err != nil {
		t.Errorf("the next Run: %d, %v", again, err)
	}
	s.Interrupt()
	if again, err := s.Run(10); again != 0 || err != nil {
		t.Errorf("after an interrupt beforehand: %d, %v", again, err)
	}
}

func TestCloseEndsRun(t *testing.T) {
	s := open(t, fiber.Options{Stacks: 1})
	spawn(t, s, fiber.Spin)
	began, done := make(chan struct{}), make(chan struct{})
	go func() {
		close(began)
		s.Run(1 << 50)
		close(done)
	}()
	<-began
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	<-done
}
