//go:build linux && (amd64 || arm64)

package workload

import (
	"fmt"
	"math"
	"os"
	"runtime"
	"sync/atomic"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Operations of futex(2), linux/futex.h, on memory of this process alone.
const (
	futexWaitPrivate = 0 | 128
	futexWakePrivate = 1 | 128
)

// futex-pingpong THREADS ROUNDS: pairs of threads, each pair on one CPU, hand a
// turn to and fro, ROUNDS times in each direction, by a futex of the pair.
//
// Counts: a pair waits for its turn 2*ROUNDS-1 times, or once less where the first
// turn of the second thread came before it asked. Each wait is a voluntary switch,
// but for a thread that a tick preempts between waking the other and waiting: then
// that one is involuntary. The end of each thread is one more, which no counter of
// its own shows.
func prepareFutexPingPong(args []string) (body, error) {
	threads, err := parseCount("number of threads", args[0], 512)
	if err != nil {
		return nil, err
	}
	if threads%2 != 0 {
		return nil, fmt.Errorf("number of threads %d: want pairs", threads)
	}
	rounds, err := parseCount("number of rounds", args[1], math.MaxInt32)
	if err != nil {
		return nil, err
	}
	reserveThreads(threads)
	turns := make([]turn, threads/2)
	return func(r *run) error {
		return r.crew(threads, func(i int) error {
			return turns[i/2].play(uint32(i%2), rounds)
		})
	}, nil
}

// A turn says which of two threads may run. It fills a cache line of its own.
type turn struct {
	side atomic.Uint32
	_    [60]byte
}

// play takes the turn rounds times for one side. See phase for why it is nosplit.
//
//go:nosplit
func (t *turn) play(side uint32, rounds int) error {
	word := uintptr(unsafe.Pointer(&t.side))
	for range rounds {
		for t.side.Load() != side {
			_, _, errno := unix.RawSyscall6(unix.SYS_FUTEX, word, futexWaitPrivate, uintptr(1-side), 0, 0, 0)
			if errno != 0 && errno != unix.EAGAIN && errno != unix.EINTR {
				return os.NewSyscallError("futex", errno)
			}
		}
		t.side.Store(1 - side)
		if _, _, errno := unix.RawSyscall6(unix.SYS_FUTEX, word, futexWakePrivate, 1, 0, 0, 0); errno != 0 {
			return os.NewSyscallError("futex", errno)
		}
	}
	return nil
}

// pipe-pingpong ROUNDS: this process and a forked child, on one CPU, pass a byte
// to and fro through two pipes, ROUNDS times in each direction.
//
// Counts: ROUNDS voluntary switches in each of the two, all in read. As in
// futex-pingpong, a tick may turn one into an involuntary switch. The wait for the
// child is one more, the child's end another, seldom counted.
func preparePipePingPong(args []string) (body, error) {
	rounds, err := parseCount("number of rounds", args[0], math.MaxInt32)
	return func(r *run) error {
		if err := pin(0); err != nil {
			return err
		}
		ping, err := newPipe()
		if err != nil {
			return err
		}
		pong, err := newPipe()
		if err != nil {
			return err
		}
		pid, err := fork(&childJob{
			kind: childRelays, in: ping.r, out: pong.w, others: ping.w, rounds: uintptr(rounds),
		})
		if err != nil {
			return err
		}
		unix.RawSyscall6(unix.SYS_CLOSE, pong.w, 0, 0, 0, 0, 0) // so that its end is our end of file
		r.phase("rounds", func() { err = pingPong(ping.w, pong.r, rounds) })
		if err != nil {
			return err
		}
		return reap(pid)
	}, err
}

// A pipe is a pair of descriptors as raw system calls take them.
type pipe struct{ r, w uintptr }

func newPipe() (pipe, error) {
	var fds [2]int
	if err := unix.Pipe2(fds[:], unix.O_CLOEXEC); err != nil {
		return pipe{}, os.NewSyscallError("pipe2", err)
	}
	return pipe{uintptr(fds[0]), uintptr(fds[1])}, nil
}

// pingPong writes a byte to out and reads one from in, rounds times.
//
//go:nosplit
func pingPong(out, in uintptr, rounds int) error {
	var c [1]byte
	for range rounds {
		if _, _, errno := unix.RawSyscall6(unix.SYS_WRITE, out, uintptr(unsafe.Pointer(&c)), 1, 0, 0, 0); errno != 0 {
			return os.NewSyscallError("write", errno)
		}
		if n, _, errno := unix.RawSyscall6(unix.SYS_READ, in, uintptr(unsafe.Pointer(&c)), 1, 0, 0, 0); errno != 0 {
			return os.NewSyscallError("read", errno)
		} else if n == 0 {
			return fmt.Errorf("read: the child is gone")
		}
	}
	return nil
}

// yield N: two threads on one CPU call sched_yield N times each.
//
// Counts: at most 2N switches by the calls, all involuntary: a thread that yields
// could run on. How many of the calls switch is the scheduler's affair.
func prepareYield(args []string) (body, error) {
	n, err := parseCount("number of calls", args[0], math.MaxInt32)
	reserveThreads(2)
	return func(r *run) error {
		return r.crew(2, func(int) error { return yield(n) })
	}, err
}

//go:nosplit
func yield(n int) error {
	for range n {
		if _, _, errno := unix.RawSyscall6(unix.SYS_SCHED_YIELD, 0, 0, 0, 0, 0, 0); errno != 0 {
			return os.NewSyscallError("sched_yield", errno)
		}
	}
	return nil
}

// spin-pair MS: two threads on one CPU compute until each has used MS ms of it.
//
// Counts: involuntary switches, one at the end of each time slice: about 2*MS
// divided by the slice in ms, the slice being the scheduler's affair (a tick to
// some 10 ms). No voluntary one.
func prepareSpinPair(args []string) (body, error) {
	ms, err := parseCount("milliseconds", args[0], math.MaxInt32)
	reserveThreads(2)
	return func(r *run) error {
		return r.crew(2, func(int) error { return spin(time.Duration(ms) * time.Millisecond) })
	}, err
}

// spin computes until the calling thread has used d of CPU time from now on.
//
//go:nosplit
func spin(d time.Duration) error {
	x := uint32(1)
	start, err := threadTime()
	for now := start; err == nil && now-start < d; now, err = threadTime() {
		for range 1 << 14 {
			x = x*1664525 + 1013904223
		}
	}
	runtime.KeepAlive(x)
	return err
}

//go:nosplit
func threadTime() (time.Duration, error) {
	var ts unix.Timespec
	_, _, errno := unix.RawSyscall6(unix.SYS_CLOCK_GETTIME, unix.CLOCK_THREAD_CPUTIME_ID, uintptr(unsafe.Pointer(&ts)), 0, 0, 0, 0)
	if errno != 0 {
		return 0, os.NewSyscallError("clock_gettime", errno)
	}
	return time.Duration(ts.Sec)*time.Second + time.Duration(ts.Nsec), nil
}
