//go:build linux

package main

import (
	"runtime"
	"strconv"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/ring3-go/ring3/syscalls"
	"github.com/ring3-go/ring3/syscalls/vdso"
)

// rawCall compares the way into the kernel and back: getppid does nothing there.
func rawCall() Benchmark {
	const n = 1_000_000
	return Benchmark{
		Group: "calls", Name: "raw-call", Unit: Nanoseconds, Per: "call",
		What: "getppid, " + strconv.Itoa(n) + " in a row",
		Ours: inBatches("RawSyscall", n, callBatches, func(n int) {
			for range n {
				syscalls.RawSyscall(unix.SYS_GETPPID, 0, 0, 0)
			}
		}),
		References: []Reference{
			{inBatches("x/sys RawSyscall", n, callBatches, func(n int) {
				for range n {
					unix.RawSyscall(unix.SYS_GETPPID, 0, 0, 0)
				}
			}), 1.00},
			{c("C syscall()", "calls", "getppid", strconv.Itoa(n)), 1.00},
			{c("C, in line", "calls", "inline", strconv.Itoa(n)), 0},
		},
	}
}

// clock compares the ways to the time that do not enter the kernel.
func clock() Benchmark {
	const n = 1_000_000
	return Benchmark{
		Group: "calls", Name: "clock", Unit: Nanoseconds, Per: "call",
		What: "the monotonic clock, " + strconv.Itoa(n) + " in a row",
		Ours: inBatches("vdso.ClockGettime", n, callBatches, func(n int) {
			var ts unix.Timespec
			for range n {
				vdso.ClockGettime(unix.CLOCK_MONOTONIC, &ts)
			}
		}),
		References: []Reference{
			{inBatches("time.Now", n, callBatches, func(n int) {
				for range n {
					now = time.Now()
				}
				runtime.KeepAlive(now)
			}), 0.65},
			{c("C through the vDSO", "calls", "clock", strconv.Itoa(n)), 1.30},
		},
	}
}

// now keeps the loop from being nothing.
var now time.Time

// threeWays compares the ways to make a system call that does something: a byte into a pipe and out again, two
// calls.
func threeWays() Benchmark {
	const n = 500_000
	return Benchmark{
		Group: "calls", Name: "three-ways", Unit: Nanoseconds, Per: "call",
		What: "a byte written to a pipe and read, " + strconv.Itoa(n) + " times",
		Ours: inPipe("the raw instruction", n, func(r, w int, b []byte) {
			p := unsafe.Pointer(&b[0])
			syscalls.RawSyscall(unix.SYS_WRITE, uintptr(w), uintptr(p), 1)
			syscalls.RawSyscall(unix.SYS_READ, uintptr(r), uintptr(p), 1)
		}),
		References: []Reference{
			{inPipe("x/sys wrapper", n, func(r, w int, b []byte) {
				unix.Write(w, b)
				unix.Read(r, b)
			}), 0},
			{c("C through libc", "calls", "pipe", strconv.Itoa(n)), 0},
		},
	}
}

// inPipe measures one of two calls on a pipe.
func inPipe(label string, n int, each func(r, w int, b []byte)) Subject {
	return inBatches(label, 2*n, callBatches, func(calls int) {
		var fds [2]int
		if err := unix.Pipe2(fds[:], unix.O_CLOEXEC); err != nil {
			panic(err) // a process without descriptors measures nothing
		}
		defer unix.Close(fds[0])
		defer unix.Close(fds[1])
		b := make([]byte, 1)
		for range calls / 2 {
			each(fds[0], fds[1], b)
		}
	})
}
