//go:build amd64 || arm64

package privilege

import (
	"context"
	"errors"
	"os"
	"slices"
	"sync"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/ring3-go/ring3/asm/internal/lessontest"
)

// A wanted outcome is what the kernel must make of an instruction. The zero value: it is carried out.
type wanted struct {
	signal unix.Signal
	code   int32
	trap   uint64 // amd64
	err    uint64 // amd64
	here   bool   // the address is the instruction's own
	on     bool   // the program goes on behind it
}

// attempt tries one in a child. Where no child can be started at all, which is so in an emulator of
// processes, the test is skipped.
func attempt(t *testing.T, a Attempt) Outcome {
	t.Helper()
	o, err := a.Try(t.Context())
	if errors.Is(err, unix.ENOEXEC) {
		t.Skipf("tried: %v", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	return o
}

func TestEveryInstructionIsAnsweredAsTheManualSays(t *testing.T) {
	want := wantedOutcomes(t)
	for _, a := range Attempts() {
		t.Run(a.Name, func(t *testing.T) {
			allowed, ok := want[a.Name]
			if !ok {
				t.Fatal("nobody knows what to expect")
			}
			o := attempt(t, a)
			got := wanted{o.Signal, o.Code, o.Trap, o.Error, o.Here, o.Continued}
			if !slices.Contains(allowed, got) {
				t.Errorf("%s: %+v; want one of %+v (%s)", a.Text, got, allowed, a.describe(o))
			}
			// The place is inside this function, and of the instruction or just behind it.
			if code := codeOf(a.Name); o.Signal != 0 && (o.Offset < 0 || o.Offset >= len(code)) {
				t.Errorf("stood at +%d of a function of %d bytes", o.Offset, len(code))
			}
		})
	}
}

// named returns the attempt of that name.
func named(t testing.TB, name string) Attempt {
	t.Helper()
	for _, a := range Attempts() {
		if a.Name == name {
			return a
		}
	}
	t.Fatalf("no attempt %s", name)
	return Attempt{}
}

func codeOf(name string) []byte {
	for _, f := range Lesson().Functions {
		if f.Name == name {
			return f.Code()
		}
	}
	return nil
}

// The kernel kills a process that ignores nothing of this; Try has compared the handler's report with the
// wait status, and here nothing else may pass for an outcome.
func TestReportsThatMakeNoSenseAreErrors(t *testing.T) {
	fault := make([]byte, 8+infoBytes+contextBytes)
	fault[8] = byte(unix.SIGSEGV)
	for _, tt := range []struct {
		name   string
		report []byte
		ok     bool
	}{
		{"nothing", nil, false},
		{"half an address", fault[:4], false},
		{"an address and no more", fault[:8], false},
		{"half a value", make([]byte, 8+9), false},
		{"a value", make([]byte, 8+16), true},
		{"a signal", fault, true},
		{"half a signal", fault[:200], false},
		{"a signal, then a value", append(slices.Clone(fault), make([]byte, 16)...), true},
		{"a signal, then half a value", append(slices.Clone(fault), make([]byte, 5)...), false},
		{"too much", append(slices.Clone(fault), make([]byte, 17)...), false},
	} {
		if _, err := parse(tt.report); (err == nil) != tt.ok {
			t.Errorf("%s: error %v", tt.name, err)
		}
	}
}

func FuzzReport(f *testing.F) {
	f.Add(make([]byte, 24))
	f.Add(make([]byte, 8+infoBytes+contextBytes))
	f.Fuzz(func(t *testing.T, report []byte) {
		if o, err := parse(report); err == nil && o.Continued && o.Signal == 0 {
			t.Error("went on after no signal")
		}
	})
}

func TestTryEndsWithItsContext(t *testing.T) {
	ctx, end := context.WithCancel(t.Context())
	end()
	if _, err := Attempts()[0].Try(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
}

// Children are made from two goroutines at once, and handlers replaced in them, while this process is stopped
// and sampled; what they report is theirs.
func TestTryUnderCollectorAndProfiler(t *testing.T) {
	// One that is carried out, one that is refused, one that traps.
	all := Attempts()
	some := []Attempt{all[0], all[len(all)-2], all[len(all)-1]}
	want := make([]Outcome, len(some))
	for i, a := range some {
		want[i] = attempt(t, a)
	}
	lessontest.UnderPressure(t, func() {
		var wg sync.WaitGroup
		for range 2 {
			wg.Go(func() {
				for i, a := range some {
					o, err := a.Try(t.Context())
					if err != nil || o.Signal != want[i].Signal || o.Code != want[i].Code || o.Offset != want[i].Offset {
						t.Errorf("%s: %+v, %v; want %+v", a.Text, o, err, want[i])
					}
				}
			})
		}
		wg.Wait()
	})
}

func TestTryLeavesNoDescriptorAndNoChild(t *testing.T) {
	refused := Attempts()[len(Attempts())-2] // the undefined instruction
	attempt(t, refused)
	open := func() int {
		names, err := os.ReadDir("/proc/self/fd")
		if err != nil {
			t.Fatal(err)
		}
		return len(names)
	}
	before := open()
	for range 3 {
		attempt(t, refused)
	}
	if after := open(); after != before {
		t.Errorf("%d descriptors before, %d after", before, after)
	}
	if pid, err := unix.Wait4(-1, nil, unix.WNOHANG, nil); !errors.Is(err, unix.ECHILD) {
		t.Errorf("a child is left: %d, %v", pid, err)
	}
}

func TestLessonKeepsItsContract(t *testing.T) {
	attempt(t, Attempts()[0])
	lessontest.Check(t, Lesson())
}

// How long an instruction takes that is refused: a child's life, mostly.
func BenchmarkTry(b *testing.B) {
	b.ReportAllocs()
	a := Attempts()[len(Attempts())-2] // the undefined instruction
	for b.Loop() {
		if _, err := a.Try(b.Context()); err != nil {
			b.Fatal(err)
		}
	}
}
