//go:build linux && (amd64 || arm64)

package workload

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"sync"
	"sync/atomic"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// onFirstThread runs fn locked to the thread whose id is the process's: the one
// that /proc/PID/stat names and that an observer of a pid looks at. The caller is
// nearly always on it; where the scheduler has moved it, goroutines that keep
// their threads take the idle ones one by one, until one of them has the first.
func onFirstThread(fn func()) error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if unix.Gettid() == unix.Getpid() {
		fn()
		return nil
	}
	const tries = 256
	release := make(chan struct{})
	defer close(release)
	for range tries {
		ran := make(chan bool)
		go func() {
			runtime.LockOSThread()
			defer runtime.UnlockOSThread()
			if unix.Gettid() != unix.Getpid() {
				ran <- false
				<-release
				return
			}
			fn()
			ran <- true
		}()
		if <-ran {
			return nil
		}
		// The first thread may be the one that polls the network for all:
		// a timer that is due calls it out.
		time.Sleep(time.Nanosecond)
	}
	return errors.New("the first thread of the process never came free")
}

// maskPreemption keeps the runtime's preemption signal from the calling thread,
// which must be locked: a signal would end the system calls of the body early.
func maskPreemption() error {
	var set unix.Sigset_t
	bit := uint(unix.SIGURG - 1)
	set.Val[bit/64] |= 1 << (bit % 64)
	return os.NewSyscallError("rt_sigprocmask", unix.PthreadSigmask(unix.SIG_BLOCK, &set, nil))
}

// pin ties the calling thread to one CPU, the same for equal values of pair, and
// makes it SCHED_BATCH. On one CPU every hand-over between two threads is a
// switch. Under SCHED_BATCH a thread that wakes another keeps the CPU until it
// waits itself, so that the switch is its own, a voluntary one.
func pin(pair int) error {
	var set unix.CPUSet
	if err := unix.SchedGetaffinity(0, &set); err != nil {
		return os.NewSyscallError("sched_getaffinity", err)
	}
	// The highest first: the lowest tends to serve the interrupts.
	var cpus []int
	for cpu := 64*len(set) - 1; cpu >= 0; cpu-- {
		if set.IsSet(cpu) {
			cpus = append(cpus, cpu)
		}
	}
	if len(cpus) == 0 {
		return errors.New("pinning thread: no CPU allowed")
	}
	set.Zero()
	set.Set(cpus[pair%len(cpus)])
	if err := unix.SchedSetaffinity(0, &set); err != nil {
		return os.NewSyscallError("sched_setaffinity", err)
	}
	var priority int32 // struct sched_param
	_, _, errno := unix.RawSyscall(unix.SYS_SCHED_SETSCHEDULER, 0, unix.SCHED_BATCH, uintptr(unsafe.Pointer(&priority)))
	if errno != 0 {
		return os.NewSyscallError("sched_setscheduler", errno)
	}
	return nil
}

// crew runs part(0) to part(n-1) at the same time on n threads, part 0 on the
// calling one, part i pinned to the CPU of pair i/2, and adds what the parts cost
// to the report's workers. No part begins before every thread can run; each
// thread but the caller's ends with its part.
func (r *run) crew(n int, part func(i int) error) error {
	var (
		mu   sync.Mutex
		errs []error
	)
	var ready atomic.Int32
	one := func(i int) {
		err := errors.Join(maskPreemption(), pin(i/2))
		// A thread that waited in the runtime for the others could find
		// them done when it wakes.
		for ready.Add(1); ready.Load() < int32(n); {
			unix.RawSyscall6(unix.SYS_SCHED_YIELD, 0, 0, 0, 0, 0, 0)
		}
		before := usageOf(unix.RUSAGE_THREAD)
		if err == nil {
			err = part(i)
		}
		cost := usageOf(unix.RUSAGE_THREAD).minus(before)
		mu.Lock()
		defer mu.Unlock()
		r.report.Workers = r.report.Workers.plus(cost)
		if err != nil {
			errs = append(errs, fmt.Errorf("thread %d: %w", i, err))
		}
	}
	var others sync.WaitGroup
	for i := 1; i < n; i++ {
		others.Go(func() {
			runtime.LockOSThread() // for good: nobody else may inherit the CPU and the mask
			one(i)
		})
	}
	one(0)
	others.Wait()
	return errors.Join(errs...)
}
