//go:build linux

package main

import (
	"os"
	"runtime"
	"slices"
	"time"

	"golang.org/x/sys/unix"
)

// batches is how many parts a run in a loop has, here and in reference/calls.c. Its value is their median: where the
// machine interrupts one, it is not counted.
const batches = 25

// inProcess measures what loop does n times, in this process on the processor for loads.
func inProcess(label string, n int, loop func(n int)) Subject {
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
		var values [batches]float64
		for i := range values {
			from := time.Now()
			loop(n / batches)
			values[i] = float64(time.Since(from)) / float64(n/batches)
		}
		slices.Sort(values[:])
		s.Value = values[batches/2]
		if err := unix.SchedSetaffinity(0, &old); err != nil {
			return s, os.NewSyscallError("sched_setaffinity", err)
		}
		return s, nil
	}}
}
