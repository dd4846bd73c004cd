//go:build amd64 || arm64

package atomics

import (
	"context"
	"errors"
	"fmt"
	"io"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"text/tabwriter"
	"time"

	"github.com/ring3-go/ring3/asm"
)

const (
	// batch is how many additions are made between two visits to Go: up to some milliseconds, for which the
	// collector may have to wait.
	batch = 1 << 17
	// batches is how often that is timed; the one in the middle counts.
	batches = 31
)

// Show measures what each way costs, what is lost without it, and what it costs to share a cache line.
func Show(ctx context.Context, w io.Writer) error {
	cpus, err := asm.CPUs()
	if err != nil {
		return err
	}
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "one thread\tns an addition")
	var word uint64
	counts := append([]Way{{Name: "plain", count: countPlain}}, Ways()...)
	for _, way := range counts {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		times := make([]time.Duration, batches)
		for i := range times {
			start := time.Now()
			way.count(&word, batch)
			times[i] = time.Since(start)
		}
		fmt.Fprintf(table, "%s\t%.2f\n", way.Name, perAddition(times))
	}
	if err := table.Flush(); err != nil {
		return err
	}
	if together := min(len(cpus), runtime.GOMAXPROCS(0)); together < 2 {
		fmt.Fprintf(w, "\n%d CPU at a time (of %d): no addition can be lost, and no line be fought for\n", together, len(cpus))
		return ctx.Err()
	}

	fmt.Fprintf(table, "\nCPUs %d and %d, words apart by\tway\tns an addition\tadditions lost\n", cpus[0], cpus[1])
	for _, gap := range []int{0, 8, 64, 128} {
		for _, way := range counts {
			p, err := Pair(ctx, [2]int{cpus[0], cpus[1]}, gap, way.count)
			if err != nil {
				return err
			}
			fmt.Fprintf(table, "%s\t%s\t%.2f\t%d of %d\n", apart(gap), way.Name, p.NS, p.Lost, p.Additions)
		}
	}
	return table.Flush()
}

func apart(gap int) string {
	if gap == 0 {
		return "nothing: one word"
	}
	return fmt.Sprintf("%d bytes", gap)
}

// perAddition is the time of one addition in the batch in the middle, in ns.
func perAddition(times []time.Duration) float64 {
	slices.Sort(times)
	return float64(times[len(times)/2].Nanoseconds()) / batch
}

// A Paired is what two processors have done that count at the same time.
type Paired struct {
	NS        float64 // of one addition on one of them, in the middle of all batches
	Additions uint64  // made by both
	Lost      uint64  // of these
}

// Pair has two pinned threads add to two words, so many bytes apart and at the beginning of a pair of cache lines;
// with gap 0 to the same word.
func Pair(ctx context.Context, cpus [2]int, gap int, count func(p *uint64, n uint64)) (Paired, error) {
	if gap < 0 || gap > 128 || gap%8 != 0 {
		return Paired{}, fmt.Errorf("pair: %d is no distance of words", gap)
	}
	if count == nil {
		return Paired{}, errors.New("pair: nothing to count with")
	}
	memory := make([]uint64, 64)
	words := memory[lineStart(memory):]
	before := [2]*uint64{&words[0], &words[gap/8]}

	start := [2]chan struct{}{make(chan struct{}), make(chan struct{})}
	var met atomic.Int64
	taken := make(chan time.Duration, 2)
	pinned := make(chan error, 2)
	var threads sync.WaitGroup
	for i, cpu := range cpus {
		threads.Go(func() {
			unpin, err := asm.Pin(cpu)
			pinned <- err
			if err != nil {
				return
			}
			defer unpin()
			for range start[i] {
				meet(&met)
				began := time.Now()
				count(before[i], batch)
				taken <- time.Since(began)
			}
		})
	}
	defer threads.Wait()
	defer close(start[0])
	defer close(start[1])
	if err := errors.Join(<-pinned, <-pinned); err != nil {
		return Paired{}, err
	}
	var times []time.Duration
	for range batches {
		if ctx.Err() != nil {
			return Paired{}, ctx.Err()
		}
		met.Store(0)
		start[0] <- struct{}{}
		start[1] <- struct{}{}
		times = append(times, <-taken, <-taken)
	}
	p := Paired{NS: perAddition(times), Additions: 2 * batches * batch}
	sum := words[0]
	if gap != 0 {
		sum += words[gap/8]
	}
	p.Lost = p.Additions - sum
	return p, nil
}

// meet waits for the other thread, since waking it takes as long as a batch; but not for long, since it may have
// lost its processor.
func meet(met *atomic.Int64) {
	met.Add(1)
	for spins := 0; spins < 1<<16 && met.Load() < 2; spins++ {
	}
}
