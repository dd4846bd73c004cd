//go:build amd64 || arm64

package litmus

import (
	"context"
	"errors"
	"runtime"
	"slices"
	"sync"

	"github.com/ring3-go/ring3/asm"
)

// Options of a run.
type Options struct {
	Rounds uint64 // at least so many
	Fenced bool   // with a full fence between the accesses of each thread
	CPUs   []int  // to run on, a thread each; nil is all that the calling thread may use
}

// A Result is what a run has seen.
type Result struct {
	Test   Test
	Fenced bool
	Rounds uint64
	CPUs   []int // one for each thread, or as many as there are
	// Met says that the threads met before each round. They do where each has a processor of its own.
	Met   bool
	Count map[Outcome]uint64
}

// Run carries the test out on pinned threads and counts how each round ended. It returns early, with ctx's
// error and what it has counted so far, when ctx ends. On a machine so busy that the threads hardly ever run
// at the same time it takes long: rounds for which they did not meet are not counted.
func (t Test) Run(ctx context.Context, o Options) (Result, error) {
	r := Result{Test: t, Fenced: o.Fenced, Count: make(map[Outcome]uint64)}
	if err := t.check(); err != nil {
		return r, err
	}
	cpus := o.CPUs
	if len(cpus) == 0 {
		var err error
		if cpus, err = asm.CPUs(); err != nil {
			return r, err
		}
	}
	cpus = slices.Compact(slices.Sorted(slices.Values(cpus)))
	r.CPUs = cpus[:min(len(cpus), len(t.Threads))]
	// A thread that waits in assembly keeps one of the GOMAXPROCS places: with fewer of those than threads,
	// whom it waits for would not run.
	r.Met = len(r.CPUs) == len(t.Threads) && runtime.GOMAXPROCS(0) >= len(t.Threads)

	b := newBatches(t, o.Fenced, r.Met)
	team, err := startTeam(b.jobs, r.CPUs)
	if err != nil {
		return r, err
	}
	defer team.stop()
	var count [1 << (2 * maxDigits)]uint64
	for r.Rounds < o.Rounds && ctx.Err() == nil {
		b.clear()
		done := team.run()
		r.Rounds += done
		b.count(done, &count)
	}
	for o, n := range count {
		if n > 0 {
			r.Count[Outcome(o)] = n
		}
	}
	if r.Rounds < o.Rounds {
		return r, ctx.Err()
	}
	return r, nil
}

// batches is the memory of a run. Between batches it belongs to the goroutine of Run, within one to the
// threads.
type batches struct {
	test      Test
	jobs      []*job
	variables []uint64      // x and y of each round
	found     [][][2]uint64 // of each thread, in each round
	reached   []uint64      // a pair of cache lines for each thread
}

func newBatches(t Test, fenced, meet bool) *batches {
	n := len(t.Threads)
	b := &batches{
		test:      t,
		variables: make([]uint64, (batch+1)*stride/8),
		reached:   make([]uint64, (n+1)*line/8),
	}
	base := alignedTo(b.variables, line)
	places := alignedTo(b.reached, line)
	place := func(i int) *int64 { return signed(at(places, i*line)) }
	for i, thread := range t.Threads {
		found := make([][2]uint64, batch)
		b.found = append(b.found, found)
		last := thread[len(thread)-1]
		j := &job{
			first: at(base, thread[0].Var*line), second: at(base, last.Var*line), found: &found[0],
			reached: place(i), body: bodies[bodyOf(thread, fenced)],
			values: [2]uint64{thread[0].Value, last.Value}, rounds: batch,
			skew: []uint64{0, 1, 5, 11}[i],
		}
		for k := range j.others {
			j.others[k] = place((i + 1 + k) % n)
		}
		if meet {
			j.patience = patience
		}
		b.jobs = append(b.jobs, j)
	}
	return b
}

// clear makes the memory what it is before the first round.
func (b *batches) clear() {
	clear(b.variables)
	clear(b.reached)
}

// count adds the outcomes of the first n rounds.
func (b *batches) count(n uint64, into *[1 << (2 * maxDigits)]uint64) {
	seen := make([][2]uint64, len(b.jobs))
	x := alignedTo(b.variables, line)
	for round := range int(n) {
		for i := range seen {
			seen[i] = b.found[i][round]
		}
		memory := [2]uint64{*at(x, round*stride), *at(x, round*stride+line)}
		into[b.test.outcome(seen, memory)]++
	}
}

// A team is one goroutine a job, each locked to a thread and the thread pinned. The jobs are theirs between
// start and the wait for done.
type team struct {
	start []chan struct{}
	done  chan uint64
	ended sync.WaitGroup
}

// startTeam starts the goroutines; where one cannot be pinned, all end.
func startTeam(jobs []*job, cpus []int) (*team, error) {
	t := &team{done: make(chan uint64, len(jobs))}
	pinned := make(chan error, len(jobs))
	for i, j := range jobs {
		start := make(chan struct{}, 1)
		t.start = append(t.start, start)
		t.ended.Go(func() {
			unpin, err := asm.Pin(cpus[i%len(cpus)])
			pinned <- err
			if err != nil {
				return
			}
			defer unpin()
			for range start {
				t.done <- run(j)
			}
		})
	}
	var err error
	for range jobs {
		err = errors.Join(err, <-pinned)
	}
	if err != nil {
		t.stop()
		return nil, err
	}
	return t, nil
}

// run has every job carried out once, and returns how many rounds all threads have done.
func (t *team) run() uint64 {
	for _, start := range t.start {
		start <- struct{}{}
	}
	done := <-t.done
	for range t.start[1:] {
		done = min(done, <-t.done)
	}
	return done
}

// stop ends the goroutines and waits for them.
func (t *team) stop() {
	for _, start := range t.start {
		close(start)
	}
	t.ended.Wait()
}
