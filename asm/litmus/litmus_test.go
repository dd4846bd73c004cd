//go:build linux && (amd64 || arm64)

package litmus

import (
	"bufio"
	"context"
	"errors"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"
	"pgregory.net/rapid"

	"github.com/ring3-go/ring3/asm"
	"github.com/ring3-go/ring3/asm/internal/lessontest"
)

// The literature's table: which weak outcomes each architecture allows in plain code. The models must come to
// the same by themselves.
func TestModelsAllowWhatTheLiteratureSays(t *testing.T) {
	onTSO := map[string]bool{"SB": true, "R": true}
	for _, tt := range Tests() {
		for _, c := range []struct {
			model         model
			plain, fenced bool
		}{
			{sequentialConsistency, false, false},
			{tso, onTSO[tt.Name], false},
			{armv8, true, false},
		} {
			if got := c.model.allowed(tt, false)[tt.Weak]; got != c.plain {
				t.Errorf("%s, %s, plain: allowed %v; want %v", tt.Name, c.model.name, got, c.plain)
			}
			if got := c.model.allowed(tt, true)[tt.Weak]; got != c.fenced {
				t.Errorf("%s, %s, with fences: allowed %v; want %v", tt.Name, c.model.name, got, c.fenced)
			}
		}
	}
}

// Each model allows what a stricter one does, and a fence takes away and adds nothing.
func TestModelsContainEachOther(t *testing.T) {
	accesses := rapid.Custom(func(t *rapid.T) []Access {
		first := Access{Store: rapid.Bool().Draw(t, "store"), Var: rapid.IntRange(0, 1).Draw(t, "var"), Value: 1}
		second := Access{Store: rapid.Bool().Draw(t, "store"), Var: 1 - first.Var, Value: 2}
		return []Access{first, second}
	})
	rapid.Check(t, func(t *rapid.T) {
		test := Test{Threads: rapid.SliceOfN(accesses, 2, 2).Draw(t, "threads"), Final: true}
		chain := []map[Outcome]bool{
			sequentialConsistency.allowed(test, true), sequentialConsistency.allowed(test, false),
			tso.allowed(test, false), armv8.allowed(test, false),
		}
		if diff := cmp.Diff(chain[0], chain[1]); diff != "" {
			t.Fatalf("a fence changes sequential consistency: %s", diff)
		}
		for _, m := range []model{tso, armv8} {
			if diff := cmp.Diff(chain[0], m.allowed(test, true)); diff != "" {
				t.Fatalf("with fences %s is not sequentially consistent: %s", m.name, diff)
			}
		}
		for i := range chain[1:] {
			for o := range chain[i] {
				if !chain[i+1][o] {
					t.Fatalf("%s: allowed by a stricter model alone", test.Show(o))
				}
			}
		}
	})
}

// One thread by itself ends as its program says: the assembly against its twin.
func TestBodiesDoWhatTheirAccessesSay(t *testing.T) {
	one := [][]Access{
		{store(x, 1), load(y)}, {load(x), store(y, 2)}, {store(x, 1), store(y, 2)}, {load(x), load(y)}, {store(x, 1)},
		{store(y, 3), load(x)}, {load(y), store(x, 1)},
	}
	for _, thread := range one {
		for _, fenced := range []bool{false, true} {
			test := Test{Threads: [][]Access{thread}, Final: true}
			r, err := test.Run(t.Context(), Options{Rounds: 3 * batch, Fenced: fenced})
			if err != nil {
				t.Fatal(err)
			}
			want := make(map[Outcome]uint64)
			for o := range sequentialConsistency.allowed(test, fenced) {
				want[o] = r.Rounds
			}
			if diff := cmp.Diff(want, r.Count); diff != "" {
				t.Errorf("%v, fenced %v: %s", thread, fenced, diff)
			}
		}
	}
}

// soak says that there is time for the long form: "make soak".
func soak() bool { return os.Getenv("RING3_SOAK") != "" }

// manyRounds is ten million where there is time for it. An emulator takes a thousand times as long.
func manyRounds(t *testing.T) uint64 {
	switch {
	case emulated(t):
		return 500
	case soak():
		return 10_000_000
	}
	return 100_000
}

// runFor runs a test for so many rounds, or as many as a busy machine can do in the time that there is.
func runFor(t *testing.T, test Test, rounds uint64, fenced bool) Result {
	t.Helper()
	limit := time.Second
	if soak() {
		limit = 4 * time.Minute
	}
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	r, err := test.Run(ctx, Options{Rounds: rounds, Fenced: fenced})
	if err != nil && !errors.Is(err, context.DeadlineExceeded) {
		t.Fatal(err)
	}
	t.Logf("weak outcome %d times in %d rounds of %d; threads met: %v", r.Count[test.Weak], r.Rounds, rounds, r.Met)
	return r
}

func TestNoForbiddenOutcomeIsSeen(t *testing.T) {
	rounds := manyRounds(t)
	for _, tt := range Tests() {
		for _, fenced := range []bool{false, true} {
			name := tt.Name
			if fenced {
				name += " with fences"
			}
			t.Run(name, func(t *testing.T) {
				r := runFor(t, tt, rounds, fenced)
				allowed := machine.allowed(tt, fenced)
				var total uint64
				for o, n := range r.Count {
					total += n
					if !allowed[o] {
						t.Errorf("%s: seen %d times, and forbidden by %s", tt.Show(o), n, machine.name)
					}
				}
				if total != r.Rounds {
					t.Errorf("%d outcomes of %d rounds", total, r.Rounds)
				}
			})
		}
	}
}

// Two processors with store buffers show store buffering; that is what they have them for.
func TestStoreBufferingIsSeenAndAFenceEndsIt(t *testing.T) {
	if emulated(t) {
		t.Skip("this processor is a program: it may well run one instruction at a time")
	}
	sb := Tests()[0]
	r := runFor(t, sb, manyRounds(t), false)
	const enough = 10_000 // one in 70 shows it as a rule
	switch {
	case !r.Met:
		t.Skipf("tried on CPUs %v, GOMAXPROCS %d: threads that take turns have nothing in a store buffer", r.CPUs, runtime.GOMAXPROCS(0))
	case r.Count[sb.Weak] == 0 && r.Rounds < enough:
		t.Skipf("tried: the threads met only %d times on this busy machine", r.Rounds)
	case r.Count[sb.Weak] == 0:
		t.Errorf("%s: never in %d rounds on CPUs %v: %v", sb.Show(sb.Weak), r.Rounds, r.CPUs, r.Count)
	}
	if fenced := runFor(t, sb, manyRounds(t), true); fenced.Count[sb.Weak] != 0 {
		t.Errorf("%s with fences: %d times in %d rounds", sb.Show(sb.Weak), fenced.Count[sb.Weak], fenced.Rounds)
	}
}

// emulated reports whether the processor is QEMU's translator.
func emulated(t *testing.T) bool {
	t.Helper()
	f, err := os.Open("/proc/cpuinfo")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		name, value, _ := strings.Cut(lines.Text(), ":")
		value = strings.TrimSpace(value)
		switch strings.TrimSpace(name) {
		case "model name": // amd64
			return strings.HasPrefix(value, "QEMU TCG")
		case "CPU implementer": // arm64: 0 is for software
			return value == "0x00" || value == "0x0"
		}
	}
	return false
}

func TestRunOnOneCPUSaysThatThreadsDoNotMeet(t *testing.T) {
	cpus, err := asm.CPUs()
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range Tests() {
		r, err := tt.Run(t.Context(), Options{Rounds: 10_000, CPUs: []int{cpus[0], cpus[0]}})
		if err != nil {
			t.Fatal(err)
		}
		if r.Met || len(r.CPUs) != 1 || r.Count[tt.Weak] != 0 {
			t.Errorf("%s: met %v on CPUs %v, weak %d times", tt.Name, r.Met, r.CPUs, r.Count[tt.Weak])
		}
	}
}

func TestRunRefusesWhatItCannotCarryOut(t *testing.T) {
	reads := []Access{load(x), load(y)}
	for name, threads := range map[string][][]Access{
		"no thread":                nil,
		"five threads":             {{store(x, 1)}, {store(x, 1)}, {store(x, 1)}, {store(x, 1)}, {store(x, 1)}},
		"an empty thread":          {{}},
		"three accesses":           {{store(x, 1), load(y), load(y)}},
		"a load alone":             {{load(x)}},
		"one variable twice":       {{store(x, 1), load(x)}},
		"a third variable":         {{{Store: true, Var: 2}}},
		"a value of three bits":    {{store(x, 4)}},
		"an outcome of ten digits": {reads, reads, reads, reads},
	} {
		if _, err := (Test{Threads: threads, Final: true}).Run(t.Context(), Options{Rounds: 1}); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func TestRunOnNoSuchCPUFailsAndLeavesNothing(t *testing.T) {
	defer goleak.VerifyNone(t)
	cpus, err := asm.CPUs()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Tests()[0].Run(t.Context(), Options{Rounds: 1, CPUs: []int{cpus[0], 1000}}); err == nil {
		t.Error("no error")
	}
}

func TestRunEndsWithItsContext(t *testing.T) {
	defer goleak.VerifyNone(t)
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := Tests()[0].Run(ctx, Options{Rounds: 1 << 62}); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("error %v; want that of the context", err)
	}
}

// The collector stops the world all the time, stacks are walked by the profiler's signal, and the rounds
// still come out right.
func TestRunUnderCollectorAndProfiler(t *testing.T) {
	defer goleak.VerifyNone(t)
	lessontest.UnderPressure(t, func() {
		for _, tt := range Tests() {
			r := runFor(t, tt, min(20_000, manyRounds(t)), false)
			for o := range r.Count {
				if !machine.allowed(tt, false)[o] {
					t.Errorf("%s: forbidden outcome %s", tt.Name, tt.Show(o))
				}
			}
		}
	})
}

func TestLessonKeepsItsContract(t *testing.T) { lessontest.Check(t, Lesson()) }

func BenchmarkRound(b *testing.B) {
	for _, tt := range Tests() {
		for _, fenced := range []bool{false, true} {
			name := tt.Name
			if fenced {
				name += "+fences"
			}
			b.Run(name, func(b *testing.B) {
				b.ReportAllocs()
				r, err := tt.Run(b.Context(), Options{Rounds: uint64(b.N), Fenced: fenced})
				if err != nil {
					b.Fatal(err)
				}
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(r.Rounds), "ns/round")
			})
		}
	}
}
