//go:build linux

package main

import (
	"os"
	"runtime"
	"time"

	"golang.org/x/sys/unix"
)

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
		from := time.Now()
		loop(n)
		s.Value = float64(time.Since(from)) / float64(n)
		if err := unix.SchedSetaffinity(0, &old); err != nil {
			return s, os.NewSyscallError("sched_setaffinity", err)
		}
		return s, nil
	}}
}
