package asm

import (
	"os"
	"runtime"
	"time"

	"golang.org/x/sys/unix"
)

// A Cost is the time that something took, and what the kernel counted for the thread meanwhile (RUSAGE_THREAD): by
// that one knows whether the time is its own.
type Cost struct {
	Time time.Duration
	// Faults are page faults of the thread, minor and major.
	Faults int64
	// Switches are its context switches, voluntary and involuntary.
	Switches int64
}

// Per is the time of one of n, in nanoseconds.
func (c Cost) Per(n int) float64 { return float64(c.Time) / float64(n) }

// Measure calls run so many times, and returns what the fastest took: what disturbs a run on a busy machine
// makes it longer, never shorter. Times of less than some microseconds are mostly that of measuring.
func Measure(times int, run func()) (best Cost, err error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	for i := range times {
		var before, after unix.Rusage
		if err := unix.Getrusage(unix.RUSAGE_THREAD, &before); err != nil {
			return Cost{}, os.NewSyscallError("getrusage", err)
		}
		from := time.Now()
		run()
		took := time.Since(from)
		if err := unix.Getrusage(unix.RUSAGE_THREAD, &after); err != nil {
			return Cost{}, os.NewSyscallError("getrusage", err)
		}
		if i == 0 || took < best.Time {
			best = Cost{Time: took,
				Faults:   after.Minflt + after.Majflt - before.Minflt - before.Majflt,
				Switches: after.Nvcsw + after.Nivcsw - before.Nvcsw - before.Nivcsw}
		}
	}
	return best, nil
}
