//go:build linux && (amd64 || arm64)

package litmus

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"io"
	"math"
	"runtime"
	"slices"
	"text/tabwriter"
	"time"

	"github.com/ring3-go/ring3/asm"
)

//go:embed doc.go litmus.go memory_unsafe.go model.go model_amd64.go model_arm64.go run_linux.go test.go *.s README.md
var source embed.FS

const (
	line     = 128      // bytes between variables: two cache lines, since processors fetch those in pairs
	stride   = 2 * line // from the variables of one round to those of the next: x, then y
	batch    = 512      // rounds between two visits to Go: 128 KiB of variables, some 100 µs
	skewMask = 31       // the longest delay after a meeting, in turns of a loop
	never    = math.MaxInt64
)

// patience is how often a thread looks whether the others have come before it gives the batch up, up to a
// millisecond. Longer makes little sense, since then one of them has lost its processor.
const patience = 1 << 14

// A job is what one thread does in one batch. The assembly reads it by the offsets that the compiler writes
// to go_asm.h.
type job struct {
	first, second *uint64    // variables of the first round; those of later ones follow, stride apart
	found         *[2]uint64 // what the accesses of the first round found, or stored
	reached       *int64     // the round that this thread has reached
	others        [3]*int64  // the same of the other threads; filled up with our own
	body          uintptr    // the thread's code
	values        [2]uint64  // to store
	rounds        int64
	patience      uint64 // 0: do not meet
	skew          uint64 // factor of this thread's delay
}

// run carries out up to j.rounds rounds and returns how many: fewer where another thread did not come.
//
//go:noescape
func run(j *job) (done uint64)

// bodies has where the code of each kind of thread begins, in the order of the constants below.
var bodies [9]uintptr

const (
	storeLoadBody = 2 * iota // without the fence; that with it is the next
	loadStoreBody
	storeStoreBody
	loadLoadBody
	storeOnlyBody
)

// bodyOf returns the number of the body that carries thread out.
func bodyOf(thread []Access, fenced bool) int {
	if len(thread) == 1 {
		return storeOnlyBody
	}
	body := storeLoadBody
	switch first, second := thread[0].Store, thread[1].Store; {
	case first && second:
		body = storeStoreBody
	case !first && second:
		body = loadStoreBody
	case !first && !second:
		body = loadLoadBody
	}
	if fenced {
		body++
	}
	return body
}

// Lesson returns the lesson.
func Lesson() asm.Lesson {
	lesson := asm.Lesson{
		Name:     "litmus",
		Question: "In which order do other processors see what one processor does?",
		Source:   source,
		Run:      Show,
	}
	for i, name := range []string{"storeLoad", "storeFenceLoad", "loadStore", "loadFenceStore", "storeStore",
		"storeFenceStore", "loadLoad", "loadFenceLoad", "storeOnly"} {
		lesson.Functions = append(lesson.Functions, asm.Function{Name: name, Entry: bodies[i], Call: func() { alone(i) }})
	}
	return lesson
}

// alone carries out one round of one thread, with nobody to meet.
func alone(body int) {
	var variables [stride / 8]uint64
	var found [2]uint64
	var reached int64
	run(&job{
		first: &variables[0], second: &variables[line/8], found: &found,
		reached: &reached, others: [3]*int64{&reached, &reached, &reached},
		body: bodies[body], values: [2]uint64{1, 2}, rounds: 1,
	})
}

// What the command gives each test: enough to see store buffering many times.
const (
	showRounds = 500_000
	showTime   = 500 * time.Millisecond
)

// Show runs every test without fences and with them, and prints each outcome beside what the models say.
func Show(ctx context.Context, w io.Writer) error {
	fmt.Fprintf(w, "Litmus tests under %s: every outcome that was seen, and the one that the test is about.\n", machine.name)
	for _, t := range Tests() {
		fmt.Fprintf(w, "\n%-5s ", t.Name)
		for i, thread := range t.Threads {
			if i > 0 {
				fmt.Fprint(w, "  |  ")
			}
			for j, a := range thread {
				if j > 0 {
					fmt.Fprint(w, "; ")
				}
				fmt.Fprint(w, a)
			}
		}
		fmt.Fprintf(w, "\nweak: %s (%s)\n", t.Show(t.Weak), t.Meaning)
		for _, fenced := range []bool{false, true} {
			if err := t.show(ctx, w, fenced); err != nil {
				return err
			}
		}
	}
	return nil
}

// show runs the test as long as the command lets it, and prints what was seen.
func (t Test) show(ctx context.Context, w io.Writer, fenced bool) error {
	inTime, cancel := context.WithTimeout(ctx, showTime)
	defer cancel()
	r, err := t.Run(inTime, Options{Rounds: showRounds, Fenced: fenced})
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if err != nil && !errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	return r.print(w)
}

// print writes the histogram of r.
func (r Result) print(w io.Writer) error {
	fences := "without fences"
	if r.Fenced {
		fences = "with fences"
	}
	fmt.Fprintf(w, "  %s, %d rounds on CPUs %v%s\n", fences, r.Rounds, r.CPUs, r.caveat())
	allowed := machine.allowed(r.Test, r.Fenced)
	consistent := sequentialConsistency.allowed(r.Test, r.Fenced)
	rows := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, o := range r.outcomes() {
		verdict := "allowed"
		switch {
		case !allowed[o] && r.Count[o] > 0:
			verdict = "FORBIDDEN, and seen"
		case !allowed[o]:
			verdict = "forbidden, not seen"
		case !consistent[o] && r.Count[o] > 0:
			verdict = "allowed and seen: no interleaving explains it"
		case !consistent[o]:
			verdict = "allowed, not seen"
		}
		fmt.Fprintf(rows, "    %s\t%9d\t%s\n", r.Test.Show(o), r.Count[o], verdict)
	}
	return rows.Flush()
}

// caveat says what a run could not show.
func (r Result) caveat() string {
	switch {
	case r.Met:
		return ""
	case len(r.CPUs) == 1:
		return "\n  on one CPU: a switch between threads empties the store buffer, so nothing weak can be seen"
	}
	where := fmt.Sprintf("%d CPUs", len(r.CPUs))
	if len(r.CPUs) == len(r.Test.Threads) {
		where = fmt.Sprintf("GOMAXPROCS %d", runtime.GOMAXPROCS(0))
	}
	return fmt.Sprintf("\n  %d threads on %s cannot meet before each round: they take turns, and weak outcomes\n"+
		"  that need all of them at once will hardly be seen", len(r.Test.Threads), where)
}

// outcomes returns those of r in order, and the weak one.
func (r Result) outcomes() []Outcome {
	all := []Outcome{r.Test.Weak}
	for o, n := range r.Count {
		if n > 0 {
			all = append(all, o)
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}
