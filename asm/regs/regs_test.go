//go:build linux

package regs

import (
	"math"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/ring3-go/ring3/asm/internal/lessontest"
)

func TestLesson(t *testing.T) { lessontest.Check(t, Lesson()) }

// The twins in Go.
func addGo(a, b uint64, c uint8) (uint64, uint8) {
	sum := a + b + uint64(c)
	return sum, uint8(sum)
}
func frameGo(x uint64) uint64  { return 2*x + 1 }
func tripleGo(x uint64) uint64 { return 3 * x }

func TestFunctionsComputeWhatTheirTwinsDo(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b, c := rapid.Uint64().Draw(t, "a"), rapid.Uint64().Draw(t, "b"), rapid.Uint8().Draw(t, "c")
		sum, low := Add(a, b, c)
		if wantSum, wantLow := addGo(a, b, c); sum != wantSum || low != wantLow {
			t.Errorf("Add = %d, %d; want %d, %d", sum, low, wantSum, wantLow)
		}
		if got, want := Frame(a), frameGo(a); got != want {
			t.Errorf("Frame = %d, want %d", got, want)
		}
		if got, want := twice(a), 2*a; got != want {
			t.Errorf("twice = %d, want %d", got, want)
		}
		if got, want := ByHand(a), tripleGo(a); got != want {
			t.Errorf("ByHand = %d, want %d", got, want)
		}
	})
}

func TestTheFrameIsAsDescribed(t *testing.T) {
	sp, fp, caller := Where()
	if fp-sp != frameBytes || sp%8 != 0 || runtime.GOARCH == "arm64" && sp%16 != 0 {
		t.Errorf("SP %#x, FP %#x: %d bytes apart, want %d", sp, fp, fp-sp, frameBytes)
	}
	// The runtime knows whose address that is: within the package the compiler calls assembly itself.
	f := runtime.FuncForPC(caller)
	if f == nil || !strings.HasSuffix(f.Name(), "regs."+t.Name()) {
		t.Errorf("it returns to %#x, %v; want to this function", caller, f)
	}
}

func TestRegistersAreKeptByTheRules(t *testing.T) {
	if got := Survivors(Careless()) & marked; got != keptByGo {
		t.Errorf("careless keeps %s, want %s", listed(got), listed(keptByGo))
	}
	if got := Survivors(Polite()) & marked; got != keptByC {
		t.Errorf("polite keeps %s, want %s", listed(got), listed(keptByC))
	}
}

// TestCompiledCodeLosesNothing has values in as many registers as the compiler likes, integers and floats,
// while careless functions overwrite them.
func TestCompiledCodeLosesNothing(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		v := rapid.SliceOfN(rapid.Uint64Max(1<<50), 12, 12).Draw(t, "values")
		a, b, c, d, e, f := v[0], v[1], v[2], v[3], v[4], v[5]
		x, y := math.Sqrt(float64(v[6])), math.Sqrt(float64(v[7]))
		Survivors(Careless())
		careless()
		polite()
		triple()
		var zero struct{ a, b, c, d uint64 } // the compiler clears memory with what it takes for zero
		if zero.a|zero.b|zero.c|zero.d != 0 {
			t.Errorf("zero is %v", zero)
		}
		if a != v[0] || b != v[1] || c != v[2] || d != v[3] || e != v[4] || f != v[5] {
			t.Error("an integer was lost")
		}
		if x != math.Sqrt(float64(v[6])) || y != math.Sqrt(float64(v[7])) {
			t.Error("a float was lost")
		}
	})
}

// TestUnderCollectionAndProfiling samples and collects while frames are made by hand and registers hold what
// no compiler would put there.
func TestUnderCollectionAndProfiling(t *testing.T) {
	lessontest.UnderPressure(t, func() {
		until := time.Now().Add(500 * time.Millisecond)
		var wg sync.WaitGroup
		for range 4 {
			wg.Go(func() {
				for n := uint64(0); time.Now().Before(until); n++ {
					for range 1000 {
						if ByHand(n) != 3*n || Frame(n) != 2*n+1 || Survivors(Careless())&marked != keptByGo {
							t.Error("wrong")
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

func BenchmarkFrame(b *testing.B) {
	for b.Loop() {
		Frame(1)
	}
}

func BenchmarkByHand(b *testing.B) {
	for b.Loop() {
		ByHand(1)
	}
}
