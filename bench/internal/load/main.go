//go:build linux

// Load makes a known number of kernel events on one processor, and nothing else:
//
//	load switches N CPU       N context switches: two threads and a pipe in each direction
//	load faults MIB TIMES CPU first touches of every base page of MIB, TIMES over
//
// It is a process of its own so that the events of whoever measures are not among them.
package main

import (
	"fmt"
	"os"
	"runtime"
	"strconv"
	"sync"

	"golang.org/x/sys/unix"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "load:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	if len(args) == 0 {
		return fmt.Errorf("want switches or faults")
	}
	n, err := numbers(args[1:])
	switch {
	case err != nil:
		return err
	case args[0] == "switches" && len(n) == 2:
		return switches(n[0], n[1])
	case args[0] == "faults" && len(n) == 3:
		return faults(n[0], n[1], n[2])
	}
	return fmt.Errorf("%v: want switches N CPU, or faults MIB TIMES CPU", args)
}

func numbers(args []string) ([]int, error) {
	var out []int
	for _, a := range args {
		n, err := strconv.Atoi(a)
		if err != nil || n < 0 {
			return nil, fmt.Errorf("%q is not a number", a)
		}
		out = append(out, n)
	}
	return out, nil
}

// pin ties the calling thread to one processor.
func pin(cpu int) error {
	var set unix.CPUSet
	set.Set(cpu)
	return os.NewSyscallError("sched_setaffinity", unix.SchedSetaffinity(0, &set))
}

// batch keeps the calling thread from being preempted by a thread that it wakes.
func batch() error {
	return os.NewSyscallError("sched_setattr", unix.SchedSetAttr(0, &unix.SchedAttr{Size: unix.SizeofSchedAttr, Policy: unix.SCHED_BATCH}, 0))
}

// switches hands one byte to and fro. On one processor, and with the batch policy, each hand-over is one
// wake-up and one voluntary switch, with no idle task between.
func switches(n, cpu int) error {
	// The threads block in raw system calls, which keep what Go schedules with.
	runtime.GOMAXPROCS(4)
	var ping, pong [2]int
	if err := unix.Pipe(ping[:]); err != nil {
		return os.NewSyscallError("pipe", err)
	}
	if err := unix.Pipe(pong[:]); err != nil {
		return os.NewSyscallError("pipe", err)
	}
	var errs [2]error
	var both sync.WaitGroup
	both.Go(func() { errs[0] = play(cpu, n/2, pong[0], ping[1], true) })
	both.Go(func() { errs[1] = play(cpu, n/2, ping[0], pong[1], false) })
	both.Wait()
	if errs[0] != nil {
		return errs[0]
	}
	return errs[1]
}

// play is one side: it waits for the byte on in and hands it to out, rounds times.
func play(cpu, rounds, in, out int, first bool) error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if err := pin(cpu); err != nil {
		unix.Close(out) // the other side sees the end
		return err
	}
	if err := batch(); err != nil {
		unix.Close(out)
		return err
	}
	var ball [1]byte
	for range rounds {
		if first {
			if err := hand(unix.SYS_WRITE, out, &ball); err != nil {
				return err
			}
		}
		if err := hand(unix.SYS_READ, in, &ball); err != nil {
			return err
		}
		if !first {
			if err := hand(unix.SYS_WRITE, out, &ball); err != nil {
				return err
			}
		}
	}
	return nil
}

// faults touches memory for the first time: map, advise against huge pages, touch, give back.
func faults(mib, times, cpu int) error {
	runtime.LockOSThread()
	if err := pin(cpu); err != nil {
		return err
	}
	page := os.Getpagesize()
	mem, err := unix.Mmap(-1, 0, mib<<20, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANONYMOUS)
	if err != nil {
		return os.NewSyscallError("mmap", err)
	}
	if err := unix.Madvise(mem, unix.MADV_NOHUGEPAGE); err != nil && err != unix.EINVAL { // EINVAL: none here
		return os.NewSyscallError("madvise", err)
	}
	for range times {
		for i := 0; i < len(mem); i += page {
			mem[i] = 1
		}
		if err := unix.Madvise(mem, unix.MADV_DONTNEED); err != nil {
			return os.NewSyscallError("madvise", err)
		}
	}
	return nil
}
