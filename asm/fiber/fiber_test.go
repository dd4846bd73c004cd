//go:build linux

package fiber_test

import (
	"errors"
	"math"
	"os"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/ring3-go/ring3/asm/fiber"
	"github.com/ring3-go/ring3/asm/fiber/internal/bodies"
)

// open makes a scheduler that is closed with the test.
func open(t testing.TB, o fiber.Options) *fiber.Scheduler {
	t.Helper()
	s, err := fiber.New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func spawn(t testing.TB, s *fiber.Scheduler, body fiber.Body, words ...uint64) *fiber.Fiber {
	t.Helper()
	f, err := s.Spawn(body, words...)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// turns lets the fibers have n turns, and fails where they had others.
func turns(t testing.TB, s *fiber.Scheduler, n, want int) {
	t.Helper()
	if had, err := s.Run(n); had != want || err != nil {
		t.Fatalf("Run(%d) = %d, %v; want %d", n, had, err, want)
	}
}

// twin is the round robin in Go: what is left to do of each fiber in the ring, the next first.
type twin struct {
	ring []int // numbers of fibers
	left []int // turns
	had  []uint64
}

func (w *twin) spawn(n int) {
	w.ring = append(w.ring, len(w.left))
	w.left = append(w.left, n)
	w.had = append(w.had, 0)
}

func (w *twin) run(turns int) int {
	for i := range turns {
		if len(w.ring) == 0 {
			return i
		}
		f := w.ring[0]
		w.ring = w.ring[1:]
		w.left[f]--
		w.had[f]++
		if w.left[f] > 0 {
			w.ring = append(w.ring, f)
		}
	}
	return turns
}

func TestSchedulerDoesWhatItsTwinInGoDoes(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		count := rapid.IntRange(1, 20).Draw(r, "stacks")
		s, err := fiber.New(fiber.Options{Stacks: count, StackSize: 1})
		if err != nil {
			r.Fatal(err)
		}
		defer s.Close()
		var w twin
		var fibers []*fiber.Fiber
		for range rapid.IntRange(1, 30).Draw(r, "steps") {
			if len(fibers) < count && rapid.Bool().Draw(r, "spawn") {
				n := rapid.IntRange(1, 50).Draw(r, "turns of a fiber")
				f, err := s.Spawn(fiber.Count, 0, uint64(n))
				if err != nil {
					r.Fatal(err)
				}
				fibers = append(fibers, f)
				w.spawn(n)
			}
			n := rapid.IntRange(0, 100).Draw(r, "turns")
			had, err := s.Run(n)
			if want := w.run(n); had != want || err != nil {
				r.Fatalf("Run(%d) = %d, %v; want %d", n, had, err, want)
			}
			if s.Live() != len(w.ring) {
				r.Fatalf("%d live, want %d", s.Live(), len(w.ring))
			}
			for i, f := range fibers {
				if f.Words()[0] != w.had[i] || f.Done() != (w.left[i] == 0) {
					r.Fatalf("%v had %d turns, done %t; want %d of them, %d left", f, f.Words()[0], f.Done(), w.had[i], w.left[i])
				}
			}
		}
	})
}

func TestTurnsGoRound(t *testing.T) {
	const count = 5
	s := open(t, fiber.Options{Stacks: count})
	var pin runtime.Pinner
	defer pin.Unpin()
	counter := new(uint64)
	pin.Pin(counter)
	var fibers []*fiber.Fiber
	for range count {
		fibers = append(fibers, spawn(t, s, bodies.Ticket, address(counter)))
	}
	// In pieces, which must not change the order.
	for _, n := range []int{1, 3, 7, 100} {
		if _, err := s.Run(n); err != nil {
			t.Fatal(err)
		}
	}
	for i, f := range fibers {
		words := f.Words()
		for turn, got := range words[1:] {
			if want := uint64(turn*count + i); got != want {
				t.Errorf("turn %d of %v was number %d of all, want %d", turn, f, got, want)
			}
		}
	}
	if *counter != 7*count {
		t.Errorf("%d turns, want %d", *counter, 7*count)
	}
}

// Each of many fibers has other numbers in the registers, so that what it finds again is its own.
func TestEveryCalleeSavedRegisterIsKept(t *testing.T) {
	const count, each = 50, 200
	s := open(t, fiber.Options{Stacks: count})
	control, control2 := bodies.Control()
	var fibers []*fiber.Fiber
	for i := range count {
		// The rounding mode is 2 bits: 13 of MXCSR, 22 of FPCR, 10 of the x87 control word.
		mode := uint64(i % 4)
		shift := 13
		if runtime.GOARCH == "arm64" {
			shift = 22
		}
		words := []uint64{bodies.KeepTurns: each, bodies.KeepSeed: uint64(i+1) << 32, bodies.KeepControl: control | mode<<shift,
			bodies.KeepControl2: control2 | (3-mode)<<10, bodies.KeepDone: 0}
		fibers = append(fibers, spawn(t, s, bodies.Keep, words...))
	}
	for s.Live() > 0 {
		if _, err := s.Run(77); err != nil {
			t.Fatal(err)
		}
	}
	for _, f := range fibers {
		words := f.Words()
		if words[bodies.KeepLost] != 0 || words[bodies.KeepDone] != each || !f.Done() {
			t.Errorf("%v lost %d registers in %d turns, done %t", f, words[bodies.KeepLost], words[bodies.KeepDone], f.Done())
		}
		// System V: SP + 8 is a multiple of 16 where a function begins. AAPCS64: SP is.
		if want := map[string]uint64{"amd64": 8, "arm64": 0}[runtime.GOARCH]; words[bodies.KeepSP]%16 != want {
			t.Errorf("%v began with SP %#x", f, words[bodies.KeepSP])
		}
	}
	if now, now2 := bodies.Control(); now != control || now2 != control2 {
		t.Errorf("the goroutine's control words were %#x, %#x and are %#x, %#x", control, control2, now, now2)
	}
	if third := 1 / math.Float64frombits(0x4008000000000000); third != 0x1.5555555555555p-2 {
		t.Errorf("the goroutine rounds otherwise: 1/3 = %x", third)
	}
}

func TestTenThousandFibers(t *testing.T) {
	const count = 10_000
	before := areas(t)
	s, err := fiber.New(fiber.Options{Stacks: count, StackSize: os.Getpagesize()})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	// The kernel counts one area a stack and one a guard page; the lowest guard page may join what it lies beside.
	if mapped := areas(t) - before; mapped < 2*count-2 || mapped > 2*count+8 {
		t.Errorf("%d areas more, want %d", mapped, 2*count)
	}
	control, control2 := bodies.Control()
	fibers := make([]*fiber.Fiber, count)
	for i := range fibers {
		fibers[i] = spawn(t, s, bodies.Keep, 3, 0, uint64(i+1)<<32, 0, control, control2)
	}
	turns(t, s, count/2, count/2)
	if s.Live() != count {
		t.Errorf("%d live", s.Live())
	}
	// Keep returns in the turn after its last.
	turns(t, s, 10*count, 4*count-count/2)
	for _, f := range fibers {
		if w := f.Words(); w[bodies.KeepDone] != 3 || w[bodies.KeepLost] != 0 || !f.Done() {
			t.Fatalf("%v: %v", f, w)
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if left := areas(t) - before; left > 8 {
		t.Errorf("%d areas left", left)
	}
}

// areas is how many the kernel has for this process.
func areas(t *testing.T) int {
	t.Helper()
	// A collection in the middle could map and unmap.
	defer debug.SetGCPercent(debug.SetGCPercent(-1))
	maps, err := os.ReadFile("/proc/self/maps")
	if err != nil {
		t.Fatal(err)
	}
	return strings.Count(string(maps), "\n")
}

func TestBodiesAreAssemblyThatDoesNotGrowTheStack(t *testing.T) {
	s := open(t, fiber.Options{Stacks: 1})
	for name, body := range map[string]fiber.Body{
		"zero": {}, "Go": bodies.Go, "splits": bodies.Splits, "splits, large frame": bodies.SplitsLarge,
		"splits, huge frame": bodies.SplitsHuge, "middle": bodies.Middle,
	} {
		if f, err := s.Spawn(body); !errors.Is(err, fiber.ErrBody) || f != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	spawn(t, s, fiber.Spin) // and took no stack
	if _, err := s.Spawn(fiber.Spin); !errors.Is(err, fiber.ErrFull) {
		t.Errorf("a second fiber on one stack: %v", err)
	}
}

func TestStackShowsWhatSpawnWrote(t *testing.T) {
	s := open(t, fiber.Options{Stacks: 1})
	f := spawn(t, s, fiber.Recurse, 2)
	fresh := f.Stack()
	if i := slices.IndexFunc(fresh, func(w fiber.Word) bool { return w.Meaning == "start+0" }); i < 0 {
		t.Errorf("it does not go on in start: %v", fresh)
	}
	if i := slices.IndexFunc(fresh, func(w fiber.Word) bool { return w.Meaning == "recurse+0" }); i < 0 {
		t.Errorf("no body: %v", fresh)
	}
	for i, w := range fresh {
		if w.Meaning == "" || w.Addr != fresh[0].Addr+uintptr(8*i) {
			t.Errorf("word %d: %v", i, w)
		}
	}
	turns(t, s, 1, 1)
	deep := f.Stack()
	frames := 0
	for _, w := range deep {
		if strings.HasPrefix(w.Meaning, "recurse+") && w.Meaning != "recurse+0" {
			frames++
		}
	}
	// Two return addresses of recurse to itself, and where it yielded.
	if frames != 3 || f.Words()[0] != 0 {
		t.Errorf("%d return addresses into recurse, want 3", frames)
	}
	if used, size := f.StackUsed(), 3*int(f.Words()[1]); used < size || used > size+1024 {
		t.Errorf("%d bytes used, want a little over %d", used, size)
	}
	turns(t, s, 5, 1)
	if !f.Done() || f.Stack() != nil {
		t.Errorf("done %t, and a stack of %d words", f.Done(), len(f.Stack()))
	}
}

func TestBadOptionsAreErrors(t *testing.T) {
	for _, o := range []fiber.Options{{}, {Stacks: -1}, {Stacks: 1, StackSize: -1}, {Stacks: 1, StackSize: math.MaxInt},
		{Stacks: math.MaxInt}, {Stacks: 1 << 40}} {
		if s, err := fiber.New(o); err == nil {
			s.Close()
			t.Errorf("%+v was accepted", o)
		}
	}
	s := open(t, fiber.Options{Stacks: 1})
	if _, err := s.Run(-1); err == nil {
		t.Error("-1 turns")
	}
	if _, err := s.Spawn(fiber.Count, make([]uint64, 9)...); err == nil {
		t.Error("9 words")
	}
}

// A process may have so many areas and no more, and asking for more leaves nothing.
func TestTooManyStacksAreAnErrorAndLeaveNothing(t *testing.T) {
	if testing.Short() {
		t.Skip("maps 32,000 stacks before it is refused")
	}
	limit, err := os.ReadFile("/proc/sys/vm/max_map_count")
	if err != nil {
		t.Fatal(err)
	}
	if strings.TrimSpace(string(limit)) != "65530" {
		t.Skipf("vm.max_map_count is %s", limit)
	}
	before := areas(t)
	if s, err := fiber.New(fiber.Options{Stacks: 40_000, StackSize: 1}); err == nil {
		s.Close()
		t.Error("80,000 areas were accepted")
	} else if !strings.Contains(err.Error(), "vm.max_map_count") {
		t.Error(err)
	}
	if left := areas(t) - before; left > 8 {
		t.Errorf("%d areas left", left)
	}
}

func TestEverythingAfterCloseIsAnErrorOrZero(t *testing.T) {
	s := open(t, fiber.Options{Stacks: 2})
	f := spawn(t, s, fiber.Count, 0, 3)
	turns(t, s, 1, 1)
	for range 2 {
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := s.Run(1); !errors.Is(err, fiber.ErrClosed) {
		t.Error(err)
	}
	if _, err := s.RunInChild(t.Context(), 1); !errors.Is(err, fiber.ErrClosed) {
		t.Error(err)
	}
	if _, err := s.Spawn(fiber.Count); !errors.Is(err, fiber.ErrClosed) {
		t.Error(err)
	}
	s.Interrupt()
	if f.Words() != [8]uint64{} || f.Done() || f.Stack() != nil || f.StackUsed() != 0 || s.Live() != 0 {
		t.Errorf("%v is still there", f)
	}
}

func TestZeroValuesAreClosed(t *testing.T) {
	var s fiber.Scheduler
	var f fiber.Fiber
	var p fiber.Pair
	s.Interrupt()
	if _, err := s.Run(1); !errors.Is(err, fiber.ErrClosed) {
		t.Error(err)
	}
	if err := errors.Join(s.Close(), p.Close()); err != nil || s.Live() != 0 {
		t.Errorf("%v, %d live", err, s.Live())
	}
	if err := p.Switch(1); !errors.Is(err, fiber.ErrClosed) {
		t.Error(err)
	}
	if f.Words() != [8]uint64{} || f.Done() || f.Stack() != nil || f.StackUsed() != 0 {
		t.Errorf("%v is there", &f)
	}
}

func TestPairSwitches(t *testing.T) {
	p, err := fiber.NewPair()
	if err != nil {
		t.Fatal(err)
	}
	for _, rounds := range []int{0, -1, 1, 2, 100_000} {
		if err := p.Switch(rounds); err != nil {
			t.Error(err)
		}
	}
	for range 2 {
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	}
	if err := p.Switch(1); !errors.Is(err, fiber.ErrClosed) {
		t.Error(err)
	}
}
