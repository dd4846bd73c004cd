//go:build linux

package syscall

import (
	"bytes"
	"errors"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
	"pgregory.net/rapid"

	"github.com/ring3-go/ring3/asm"
	"github.com/ring3-go/ring3/asm/internal/lessontest"
	"github.com/ring3-go/ring3/asm/step"
)

func TestMain(m *testing.M) {
	if step.Child(func() []asm.Lesson { return []asm.Lesson{Lesson()} }) {
		return
	}
	os.Exit(m.Run())
}

func TestLesson(t *testing.T) { lessontest.Check(t, Lesson()) }

func TestWhatIsWrittenArrives(t *testing.T) {
	from, to, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer from.Close()
	defer to.Close()
	rapid.Check(t, func(t *rapid.T) {
		want := rapid.SliceOfN(rapid.Byte(), 1, 4096).Draw(t, "bytes")
		n, err := Print(int(to.Fd()), want)
		if n != len(want) || err != nil {
			t.Fatalf("Print = %d, %v; want %d", n, err, len(want))
		}
		got := make([]byte, len(want))
		if n, err := from.Read(got); err != nil || !bytes.Equal(got[:n], want) {
			t.Errorf("the other end has %x, %v; want %x", got, err, want)
		}
	})
	if n, err := Print(int(to.Fd()), nil); n != 0 || err != nil {
		t.Errorf("of nothing: %d, %v", n, err)
	}
}

// TestErrnoIsThatOfTheStandardLibrary makes the same wrong calls in both ways.
func TestErrnoIsThatOfTheStandardLibrary(t *testing.T) {
	from, to, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer from.Close()
	defer to.Close()
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer full.Close()
	b := make([]byte, 1)
	p := uintptr(unsafe.Pointer(&b[0]))
	for _, c := range []struct {
		name  string
		fd    int64
		p     uintptr
		n     uint64
		errno unix.Errno
	}{
		{"no descriptor", -1, p, 1, unix.EBADF},
		{"a descriptor for reading", int64(from.Fd()), p, 1, unix.EBADF},
		{"an address with nothing there", int64(to.Fd()), 8, 1, unix.EFAULT},
		{"an address of the kernel's", int64(to.Fd()), 0xffff_8000_0000_0000, 1, unix.EFAULT},
		{"a full device", int64(full.Fd()), p, 1, unix.ENOSPC},
	} {
		_, _, want := unix.Syscall(unix.SYS_WRITE, uintptr(c.fd), c.p, uintptr(c.n))
		if got := Errno(Write(c.fd, c.p, c.n)); got != c.errno || got != want {
			t.Errorf("%s: %v; want %v, and the standard library has %v", c.name, got, c.errno, want)
		}
	}
	runtime.KeepAlive(b)
	if got := Errno(Nothing()); got != unix.ENOSYS {
		t.Errorf("a call that there is not: %v", got)
	}
	if _, err := Print(-1, b); !errors.Is(err, unix.EBADF) {
		t.Errorf("Print: %v", err)
	}
	for _, answer := range []int64{0, 1, 1 << 40, -4096, -1 << 63} {
		if err := Errno(answer); err != nil {
			t.Errorf("Errno(%d) = %v", answer, err)
		}
	}
	if Errno(-4095) == nil {
		t.Error("-4095 is no error")
	}
}

func TestRegistersSurviveButForThoseThatAreTold(t *testing.T) {
	if got, want := Kept()&tried, uint64(tried&^lost); got != want {
		t.Errorf("kept %#x, want %#x", got, want)
	}
}

func clock(t testing.TB) Clock {
	t.Helper()
	c, err := NewClock()
	if errors.Is(err, errors.ErrUnsupported) {
		t.Skipf("tried: %v", err) // vdso=0 on the kernel's command line, or an emulator
	}
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestTheClockIsTheKernels(t *testing.T) {
	c := clock(t)
	kernel := func(id int32) int64 {
		var ts unix.Timespec
		_, _, errno := unix.Syscall(unix.SYS_CLOCK_GETTIME, uintptr(id), uintptr(unsafe.Pointer(&ts)), 0)
		if errno != 0 {
			t.Fatal(errno)
		}
		return ts.Nano()
	}
	for _, id := range []int32{unix.CLOCK_MONOTONIC, unix.CLOCK_MONOTONIC_RAW, unix.CLOCK_BOOTTIME} {
		before := kernel(id)
		now, err := c.Now(id)
		after := kernel(id)
		if err != nil || now < before || now > after {
			t.Errorf("clock %d: %d, %v; the kernel had %d before and %d after", id, now, err, before, after)
		}
	}
	if _, err := c.Now(12345); !errors.Is(err, unix.EINVAL) {
		t.Errorf("a clock that there is not: %v", err)
	}
	if _, err := (Clock{}).Now(0); !errors.Is(err, unix.EINVAL) {
		t.Errorf("the zero Clock: %v", err)
	}
}

// try skips a test where nothing can be stepped: package step has the tests of that.
func try(t *testing.T, err error) {
	t.Helper()
	if errors.Is(err, errors.ErrUnsupported) || errors.Is(err, unix.ENOEXEC) || errors.Is(err, os.ErrPermission) {
		t.Skipf("tried to step: %v", err)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// TestTheClockNeedsNoTrap steps through the vDSO, and looks for the instruction that changes the ring. Where the
// kernel reads time from a device, only the kernel can. The vDSO reads again when the kernel has updated its
// numbers meanwhile, which on a slow machine it always has between steps; so there is a limit.
func TestTheClockNeedsNoTrap(t *testing.T) {
	clock(t)
	traps, outside := 0, 0
	for s, err := range step.All(t.Context(), Lesson(), "call", step.Options{Calls: step.CallsAll, Max: 500}) {
		if errors.Is(err, step.ErrLimit) {
			break
		}
		try(t, err)
		if s.Function == "" {
			outside++
		}
		if strings.HasPrefix(s.Go, instruction) {
			traps++
		}
	}
	if outside < 10 {
		t.Errorf("%d steps in the vDSO", outside)
	}
	source, err := os.ReadFile("/sys/devices/system/clocksource/clocksource0/current_clocksource")
	if err != nil {
		t.Skipf("where time comes from cannot be read: %v", err)
	}
	readable := slices.Contains([]string{"tsc", "kvm-clock", "hyperv_clocksource_tsc_page", "arch_sys_counter"}, strings.TrimSpace(string(source)))
	if readable != (traps == 0) {
		t.Errorf("%d system calls while time comes from %s", traps, source)
	}
}

func TestHelloSaysHello(t *testing.T) {
	var out bytes.Buffer
	for _, err := range step.All(t.Context(), Lesson(), "Hello", step.Options{Stdout: &out}) {
		try(t, err)
	}
	if out.String() != "hello from ring 3\n" {
		t.Errorf("it says %q", out.String())
	}
}

// TestUnderCollectionAndProfiling sends the profiler's signal into the vDSO and into the kernel.
func TestUnderCollectionAndProfiling(t *testing.T) {
	c := clock(t)
	lessontest.UnderPressure(t, func() {
		until := time.Now().Add(time.Second)
		var wg sync.WaitGroup
		for range 4 {
			wg.Go(func() {
				last := int64(0)
				for time.Now().Before(until) {
					for range 100 {
						now, err := c.Now(unix.CLOCK_MONOTONIC)
						if err != nil || now < last {
							t.Errorf("%d after %d, %v", now, last, err)
							return
						}
						last = now
						if Kept()&tried != tried&^lost {
							t.Error("registers lost")
							return
						}
					}
					_ = make([]byte, 1<<10)
				}
			})
		}
		wg.Wait()
	})
}

func BenchmarkNothing(b *testing.B) {
	for b.Loop() {
		Nothing()
	}
}

// BenchmarkNothingGo is the same by the standard library's raw call.
func BenchmarkNothingGo(b *testing.B) {
	for b.Loop() {
		unix.RawSyscall(0xffff, 0, 0, 0)
	}
}

func BenchmarkClock(b *testing.B) {
	c := clock(b)
	for b.Loop() {
		c.Now(unix.CLOCK_MONOTONIC)
	}
}

func BenchmarkClockGo(b *testing.B) {
	for b.Loop() {
		_ = time.Now()
	}
}
