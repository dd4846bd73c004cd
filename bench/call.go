//go:build linux

package main

import (
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

// rawCall compares the way into the kernel and back: getppid does nothing there.
func rawCall() Benchmark {
	const n = 200_000
	return Benchmark{
		Group: "calls", Name: "raw-call", Unit: Nanoseconds, Per: "call",
		What: "getppid, " + strconv.Itoa(n) + " in a row",
		Ours: inProcess("x/sys RawSyscall", n, func(n int) {
			for range n {
				unix.RawSyscall(unix.SYS_GETPPID, 0, 0, 0)
			}
		}),
		References: []Reference{{c("C syscall()", "calls", "getppid", strconv.Itoa(n)), 1.00}},
	}
}

// clock compares the ways to the time that do not enter the kernel.
func clock() Benchmark {
	const n = 2_000_000
	return Benchmark{
		Group: "calls", Name: "clock", Unit: Nanoseconds, Per: "call",
		What: "the monotonic clock, " + strconv.Itoa(n) + " in a row",
		Ours: inProcess("time.Now", n, func(n int) {
			for range n {
				now = time.Now()
			}
		}),
		References: []Reference{{c("C clock_gettime, vDSO", "calls", "clock", strconv.Itoa(n)), 0}},
	}
}

// now keeps the loop from being nothing.
var now time.Time
