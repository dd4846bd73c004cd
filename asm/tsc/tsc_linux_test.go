//go:build amd64 || arm64

package tsc

import (
	"bytes"
	"context"
	"errors"
	"os"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
	"pgregory.net/rapid"

	"github.com/ring3-go/ring3/asm"
	"github.com/ring3-go/ring3/asm/internal/lessontest"
)

func TestLessonKeepsItsContract(t *testing.T) {
	defer goleak.VerifyNone(t)
	lessontest.Check(t, Lesson())
}

// trusted skips the test where the kernel itself does not go by this counter.
func trusted(t *testing.T) {
	t.Helper()
	if runtime.GOARCH == "arm64" {
		return // the kernel has no other
	}
	const name = "/sys/devices/system/clocksource/clocksource0/available_clocksource"
	sources, err := os.ReadFile(name)
	if err != nil {
		t.Skipf("tried: %v", err)
	}
	if !strings.Contains(string(sources), "tsc") {
		t.Skipf("tried: the kernel has found the counter unstable; it trusts %s", bytes.TrimSpace(sources))
	}
}

// stated is the rate by which the kernel makes its delay loops: that of this counter, twice, in MHz.
func stated(t *testing.T) float64 {
	t.Helper()
	info, err := os.ReadFile("/proc/cpuinfo")
	if err != nil {
		t.Fatal(err)
	}
	m := regexp.MustCompile(`(?mi)^bogomips\s*:\s*([0-9.]+)`).FindSubmatch(info)
	if m == nil {
		t.Skip("tried: no bogomips in /proc/cpuinfo")
	}
	mips, err := strconv.ParseFloat(string(m[1]), 64)
	if err != nil {
		t.Fatal(err)
	}
	return mips / 2 * 1e6
}

func TestRateIsThatOfTheKernel(t *testing.T) {
	trusted(t)
	rate, err := Calibrate(t.Context(), 100*time.Millisecond)
	if err != nil {
		t.Fatal(err)
	}
	if rate.Low > rate.High || rate.Low <= 0 {
		t.Fatalf("rate %+v", rate)
	}
	const part = 0.01 // what a kernel's own measurement at boot may be off by
	if hz, from := Frequency(); hz != 0 && (float64(hz) < rate.Low*(1-part) || float64(hz) > rate.High*(1+part)) {
		t.Errorf("rate %+v; %s says %d", rate, from, hz)
	}
	if emulatedProcess() {
		t.Skip("tried: /proc/cpuinfo is that of another kind of processor")
	}
	if hz := stated(t); hz < rate.Low*(1-part) || hz > rate.High*(1+part) {
		t.Errorf("rate %+v; the kernel counts on %.0f", rate, hz)
	}
}

// emulatedProcess reports whether only this process is emulated: the files of the kernel are about another
// processor.
func emulatedProcess() bool {
	info, err := os.ReadFile("/proc/cpuinfo")
	return err == nil && runtime.GOARCH == "arm64" && !bytes.Contains(info, []byte("CPU implementer"))
}

func TestTwoCalibrationsAgree(t *testing.T) {
	trusted(t)
	var rates [2]Rate
	for i := range rates {
		var err error
		if rates[i], err = Calibrate(t.Context(), 30*time.Millisecond); err != nil {
			t.Fatal(err)
		}
	}
	const slew = 0.001 // the clock may be sped up or slowed down in between, by 500 parts in a million
	a, b := rates[0], rates[1]
	if a.Low > b.High*(1+slew) || b.Low > a.High*(1+slew) {
		t.Errorf("rates %+v and %+v", a, b)
	}
}

func TestCalibrateEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Calibrate(ctx, time.Hour); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
}

// Wherever a thread goes, its ordered readings never go back; those without order do not on one CPU.
func TestReadingsNeverGoBack(t *testing.T) {
	trusted(t)
	cpus, err := asm.CPUs()
	if err != nil {
		t.Fatal(err)
	}
	var last uint64
	rapid.Check(t, func(t *rapid.T) {
		cpu := rapid.SampledFrom(cpus).Draw(t, "cpu")
		n := rapid.IntRange(1, 200).Draw(t, "readings")
		ordered := rapid.Bool().Draw(t, "ordered")
		unpin, err := asm.Pin(cpu)
		if err != nil {
			t.Fatal(err)
		}
		defer unpin()
		first := Ordered()
		if first < last {
			t.Fatalf("%d on CPU %d after %d", first, cpu, last)
		}
		ticks := make([]uint64, n+1)
		read := fill
		if ordered {
			read = fillOrdered
		}
		read(&ticks[0], n)
		for i, v := range ticks[:n] {
			if v < first || i > 0 && v < ticks[i-1] {
				t.Fatalf("reading %d is %d after %d", i, v, first)
			}
		}
		if ticks[n] != 0 {
			t.Fatalf("more than %d readings", n)
		}
		last = Ordered()
	})
}

// How long an access takes is the machine's business: here only that it is made, that it is of that word alone, and
// that what is counted lies inside of what is counted around it.
func TestTimedAccessesAreMade(t *testing.T) {
	unpin, err := asm.Pin(firstCPU(t))
	if err != nil {
		t.Fatal(err)
	}
	defer unpin()
	for name, access := range map[string]func(*uint64) uint64{
		"load": timeLoad, "load, fenced": timeLoadFenced, "load, drained": timeLoadDrained,
		"store": timeStore, "store, fenced": timeStoreFenced, "store, drained": timeStoreDrained,
	} {
		words := [3]uint64{5, 6, 7}
		before := Ordered()
		ticks := access(&words[1])
		if all := Ordered() - before; ticks > all {
			t.Errorf("%s: %d ticks, of %d", name, ticks, all)
		}
		want := [3]uint64{5, 6, 7}
		if strings.HasPrefix(name, "store") {
			want[1] = 1
		}
		if words != want {
			t.Errorf("%s: words %d; want %d", name, words, want)
		}
	}
}

func firstCPU(t *testing.T) int {
	t.Helper()
	cpus, err := asm.CPUs()
	if err != nil {
		t.Fatal(err)
	}
	return cpus[0]
}

func TestProcessorsAgree(t *testing.T) {
	defer goleak.VerifyNone(t)
	trusted(t)
	cpus, err := asm.CPUs()
	if err != nil {
		t.Fatal(err)
	}
	if len(cpus) < 2 {
		t.Skip("tried: there is one CPU")
	}
	n := uint64(100_000)
	if testing.Short() {
		n = 500
	}
	for _, other := range cpus[1:min(4, len(cpus))] {
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		c, err := Cross(ctx, cpus[0], other, n)
		cancel()
		if err != nil && !errors.Is(err, context.DeadlineExceeded) { // a busy machine
			t.Fatal(err)
		}
		if low, high := c.Offset(); c.Backwards != 0 || low > high {
			t.Errorf("CPUs %d and %d: %+v", cpus[0], other, c)
		}
	}
}

func TestCrossNeedsTwoProcessorsThatAreThere(t *testing.T) {
	defer goleak.VerifyNone(t)
	cpu := firstCPU(t)
	for _, other := range []int{cpu, 1000} {
		if _, err := Cross(t.Context(), cpu, other, 10); err == nil {
			t.Errorf("CPUs %d and %d: no error", cpu, other)
		}
	}
}

func TestReadingUnderCollectorAndProfiler(t *testing.T) {
	lessontest.UnderPressure(t, func() {
		for start := time.Now(); time.Since(start) < 200*time.Millisecond; {
			differences(fill)
			middleOf(timeStoreDrained)
		}
	})
}

func BenchmarkReading(b *testing.B) {
	for _, r := range []struct {
		name string
		read func()
	}{
		{"Now", func() { Now() }},
		{"Ordered", func() { Ordered() }},
		{"time.Now", func() { _ = time.Now() }},
	} {
		b.Run(r.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				r.read()
			}
		})
	}
}
