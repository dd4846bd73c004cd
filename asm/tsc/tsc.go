//go:build linux && (amd64 || arm64)

package tsc

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"io"
	"slices"
	"text/tabwriter"
	"time"

	"github.com/ring3-go/ring3/asm"
)

//go:embed README.md doc.go tsc.go tsc_amd64.go tsc_arm64.go rate_linux.go cross_linux.go *.s
var source embed.FS

// Now reads the counter, in ticks, at whatever moment suits the processor: work that comes before in the
// program may not be done yet, and work that comes after may have begun.
func Now() (ticks uint64)

// Ordered reads the counter after all instructions before it are done and before any after it begins.
func Ordered() (ticks uint64)

// The ticks from before until after a load, or a store of 1, of a word that is in no cache: with nothing between
// the access and the second reading, with what [Ordered] has there, and with what waits for memory itself.

//go:noescape
func timeLoad(p *uint64) (ticks uint64)

//go:noescape
func timeLoadFenced(p *uint64) (ticks uint64)

//go:noescape
func timeLoadDrained(p *uint64) (ticks uint64)

//go:noescape
func timeStore(p *uint64) (ticks uint64)

//go:noescape
func timeStoreFenced(p *uint64) (ticks uint64)

//go:noescape
func timeStoreDrained(p *uint64) (ticks uint64)

// fill takes n readings one right after the other.
//
//go:noescape
func fill(readings *uint64, n int)

// fillOrdered is the same with ordered readings.
//
//go:noescape
func fillOrdered(readings *uint64, n int)

// entries has where each of them begins, in this order.
var entries [10]uintptr

// Lesson returns the lesson.
func Lesson() asm.Lesson {
	var one [2]uint64
	calls := []asm.Function{
		{Name: "Now", Call: func() { Now() }},
		{Name: "Ordered", Call: func() { Ordered() }},
		{Name: "timeLoad", Call: func() { timeLoad(&one[0]) }},
		{Name: "timeLoadFenced", Call: func() { timeLoadFenced(&one[0]) }},
		{Name: "timeLoadDrained", Call: func() { timeLoadDrained(&one[0]) }},
		{Name: "timeStore", Call: func() { timeStore(&one[0]) }},
		{Name: "timeStoreFenced", Call: func() { timeStoreFenced(&one[0]) }},
		{Name: "timeStoreDrained", Call: func() { timeStoreDrained(&one[0]) }},
		{Name: "fill", Call: func() { fill(&one[0], len(one)) }},
		{Name: "fillOrdered", Call: func() { fillOrdered(&one[0], len(one)) }},
	}
	for i := range calls {
		calls[i].Entry = entries[i]
	}
	return asm.Lesson{
		Name:      "tsc",
		Question:  "What time is it, to the processor?",
		Source:    source,
		Functions: append(calls, more()...),
		Run:       Show,
	}
}

// readings is how often a difference is taken where the least or the middle one counts.
const readings = 1000

// Show measures the counter of this machine.
func Show(ctx context.Context, w io.Writer) error {
	cpus, err := asm.CPUs()
	if err != nil {
		return err
	}
	describe(w)
	rate, err := Calibrate(ctx, 100*time.Millisecond)
	if err != nil {
		return err
	}
	fmt.Fprintf(w, "measured against CLOCK_MONOTONIC: %.3f to %.3f MHz\n", rate.Low/1e6, rate.High/1e6)
	if err := showCosts(w, cpus[0], rate); err != nil {
		return err
	}

	if len(cpus) < 2 {
		fmt.Fprintln(w, "\nthere is one CPU: nothing to compare it with")
		return ctx.Err()
	}
	fmt.Fprintln(w)
	for _, other := range cpus[1:min(len(cpus), 5)] {
		inTime, cancel := context.WithTimeout(ctx, time.Second)
		c, err := Cross(inTime, cpus[0], other, 50_000)
		cancel()
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err != nil && !errors.Is(err, context.DeadlineExceeded) {
			return err
		}
		low, high := c.Offset()
		fmt.Fprintf(w, "CPUs %d and %d, %d readings by turns: %d went back; CPU %d is ahead by %d to %d ticks\n",
			cpus[0], other, c.Readings, c.Backwards, other, low, high)
	}
	return ctx.Err()
}

// showCosts prints what one reading costs, and how much of an access to memory readings see.
func showCosts(w io.Writer, cpu int, rate Rate) error {
	unpin, err := asm.Pin(cpu)
	if err != nil {
		return err
	}
	defer unpin()
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "\nfrom one reading to the next\tleast\tmiddle\tns")
	for _, r := range []struct {
		name string
		fill func(*uint64, int)
	}{{"without order", fill}, {"ordered", fillOrdered}} {
		least, middle := differences(r.fill)
		fmt.Fprintf(table, "%s\t%d\t%d\t%.1f\n", r.name, least, middle, float64(middle)/rate.High*1e9)
	}
	fmt.Fprintln(table, "\nticks seen of an access to memory\tload\tstore")
	for _, r := range []struct {
		name        string
		load, store func(*uint64) uint64
	}{
		{"reading without order", timeLoad, timeStore},
		{fenceName, timeLoadFenced, timeStoreFenced},
		{drainName, timeLoadDrained, timeStoreDrained},
	} {
		fmt.Fprintf(table, "%s\t%d\t%d\n", r.name, middleOf(r.load), middleOf(r.store))
	}
	return table.Flush()
}

// differences returns the least and the middle difference of readings that follow each other.
func differences(fill func(*uint64, int)) (least, middle uint64) {
	ticks := make([]uint64, readings)
	fill(&ticks[0], len(ticks))
	var steps []uint64
	for i := range ticks[1:] {
		steps = append(steps, ticks[i+1]-ticks[i])
	}
	slices.Sort(steps)
	return steps[0], steps[len(steps)/2]
}

// middleOf times an access many times and returns the time in the middle, which no interrupt has lengthened.
func middleOf(access func(*uint64) uint64) uint64 {
	var word uint64
	var times [readings]uint64
	for i := range times {
		times[i] = access(&word)
	}
	slices.Sort(times[:])
	return times[len(times)/2]
}
