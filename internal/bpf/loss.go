package bpf

import (
	"fmt"
	"strings"
)

// Loss counts what an observer failed to count, by cause. Counters only grow.
type Loss struct {
	Storage uint64 // no per-task state: memory was short, or the storage was locked under us
	MapFull uint64 // a table had no room for another key: left out of the table, not of the totals
	Clock   uint64 // an interval would have been negative: counted as zero
	Pair    uint64 // one end of an interval was not seen: counted without a time
	Event   uint64 // the kernel counted an event for a task in scope, and no program ran for it
	Missed  uint64 // the kernel did not run a program where it should have
}

// Events is the number of events that are missing from the totals, at most: causes that only cost a
// time or a row of a table are left out.
func (l Loss) Events() uint64 { return l.Storage + l.Event + l.Missed }

// Sub returns l - earlier, field by field.
func (l Loss) Sub(earlier Loss) Loss {
	return Loss{
		Storage: l.Storage - earlier.Storage,
		MapFull: l.MapFull - earlier.MapFull,
		Clock:   l.Clock - earlier.Clock,
		Pair:    l.Pair - earlier.Pair,
		Event:   l.Event - earlier.Event,
		Missed:  l.Missed - earlier.Missed,
	}
}

// Add returns l + other, field by field.
func (l Loss) Add(other Loss) Loss {
	return Loss{
		Storage: l.Storage + other.Storage,
		MapFull: l.MapFull + other.MapFull,
		Clock:   l.Clock + other.Clock,
		Pair:    l.Pair + other.Pair,
		Event:   l.Event + other.Event,
		Missed:  l.Missed + other.Missed,
	}
}

// String names each cause that is not zero, or is "none".
func (l Loss) String() string {
	var parts []string
	for _, c := range []struct {
		n    uint64
		name string
	}{
		{l.Storage, "without task storage"},
		{l.Event, "that the kernel alone counted"},
		{l.Missed, "program runs missed"},
		{l.MapFull, "rows of a full table"},
		{l.Clock, "negative intervals"},
		{l.Pair, "without a time"},
	} {
		if c.n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", c.n, c.name))
		}
	}
	if len(parts) == 0 {
		return "none"
	}
	return strings.Join(parts, ", ")
}

// Cost is what an observer's own programs took: as the kernel accounts it (BPF_ENABLE_STATS), or, where only
// an administrator may have that, estimated by the programs from one run in 64.
type Cost struct {
	Known   bool   // false where there is neither, or no run was timed yet; the rest is then zero
	Sampled bool   // an estimate, without the kernel's way in and out of a program
	Runs    uint64 // program runs, in scope or not
	Ns      uint64 // nanoseconds of processor time in them
}

// Sub returns c - earlier.
func (c Cost) Sub(earlier Cost) Cost {
	if earlier.Ns > c.Ns { // an estimate that became better
		earlier.Ns = c.Ns
	}
	return Cost{Known: c.Known, Sampled: c.Sampled, Runs: c.Runs - earlier.Runs, Ns: c.Ns - earlier.Ns}
}
