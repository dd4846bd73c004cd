//go:build linux

package main

import (
	"os"
	"runtime"
	"slices"
	"time"

	"golang.org/x/sys/unix"
)

// batches is how many parts a run in a loop has. Its value is their median: where the machine interrupts one, it is not
// counted.
const batches = 25

// callBatches is the same for calls, here and in reference/calls.c. A part of theirs is below a millisecond: every
// 10 ms the scheduler preempts, which takes a goroutine that is locked to its thread two futex wake-ups, and C none.
const callBatches = 250

// inProcess measures what loop does n times, in this process on the processor for loads.
func inProcess(label string, n int, loop func(n int)) Subject {
	return inBatches(label, n, min(n, batches), loop)
}

// inBatches is inProcess in that many parts.
func inBatches(label string, n, batches int, loop func(n int)) Subject {
	return Subject{Label: label, Measure: func(e *Env) (s Sample, err error) {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		var old, one unix.CPUSet
		if err := unix.SchedGetaffinity(0, &old); err != nil {
			return s, os.NewSyscallError("sched_getaffinity", err)
		}
		one.Set(e.cpu)
		if err := unix.SchedSetaffinity(0, &one); err != nil {
			return s, os.NewSyscallError("sched_setaffinity", err)
		}
		runtime.GC() // none in the middle
		values := make([]float64, batches)
		for i := range values {
			from := time.Now()
			loop(n / batches)
			values[i] = float64(time.Since(from)) / float64(n/batches)
		}
		slices.Sort(values)
		s.Value = values[batches/2]
		if err := unix.SchedSetaffinity(0, &old); err != nil {
			return s, os.NewSyscallError("sched_setaffinity", err)
		}
		return s, nil
	}}
}
