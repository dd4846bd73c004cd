//go:build linux && (amd64 || arm64)

package workload

import (
	"fmt"
	"math"
	"os"
	"unsafe"

	"golang.org/x/sys/unix"
)

// A childKind says what a forked child does.
type childKind uint8

const (
	childExits   childKind = iota // nothing
	childWrites                   // writes to every page of mem
	childReads                    // reads one byte from in
	childRelays                   // relays rounds bytes from in to out
	childLingers                  // waits until standard input hangs up or linger has passed
)

// A childJob is everything that a forked child may know and touch. Its exit code
// is 0 where the job was done and 1 where a system call failed.
type childJob struct {
	kind childKind

	mem        unsafe.Pointer
	size, page uintptr

	in, out uintptr
	// others is the end of in's pipe that the child must not keep open: the
	// end of the parent is to be the end of the pipe.
	others uintptr
	rounds uintptr

	linger unix.Timespec
	stdin  unix.PollFd
}

// fork makes a copy of this process by fork(2), without exec, that does job and
// exits, and returns its id. The caller must be locked to its thread.
//
// The copy has one thread and a runtime whose other threads are gone. It can
// therefore run nothing that needs the scheduler, the collector or a larger
// stack: forkRaw and what it calls are nosplit, make raw system calls and store
// plain words, and carry neither race nor pointer checks. (RawSyscall6 and not
// RawSyscall, which is a frame more: there is little room without growth.) All signals are
// blocked in it, for the handlers it inherits are the runtime's.
func fork(job *childJob) (pid int, err error) {
	var all, old unix.Sigset_t
	for i := range all.Val {
		all.Val[i] = ^uint64(0)
	}
	if err := unix.PthreadSigmask(unix.SIG_SETMASK, &all, &old); err != nil {
		return 0, os.NewSyscallError("rt_sigprocmask", err)
	}
	r, errno := forkRaw(job)
	if err := unix.PthreadSigmask(unix.SIG_SETMASK, &old, nil); err != nil {
		return 0, os.NewSyscallError("rt_sigprocmask", err)
	}
	if errno != 0 {
		return 0, os.NewSyscallError("clone", errno)
	}
	return int(r), nil
}

// forkRaw returns in the parent only.
//
//go:norace
//go:nocheckptr
//go:nosplit
func forkRaw(job *childJob) (pid uintptr, errno unix.Errno) {
	pid, _, errno = unix.RawSyscall6(unix.SYS_CLONE, uintptr(unix.SIGCHLD), 0, 0, 0, 0, 0)
	if errno != 0 || pid != 0 {
		return pid, errno
	}
	var code uintptr
	switch job.kind {
	case childWrites:
		writePages(job.mem, job.size, job.page)
	case childReads:
		code = childRead(job)
	case childRelays:
		unix.RawSyscall6(unix.SYS_CLOSE, job.others, 0, 0, 0, 0, 0)
		code = relay(job.in, job.out, job.rounds)
	case childLingers:
		code = childLinger(job)
	}
	for {
		unix.RawSyscall6(unix.SYS_EXIT_GROUP, code, 0, 0, 0, 0, 0)
	}
}

//go:norace
//go:nocheckptr
//go:nosplit
func childRead(job *childJob) (code uintptr) {
	unix.RawSyscall6(unix.SYS_CLOSE, job.others, 0, 0, 0, 0, 0)
	var c [1]byte
	n, _, errno := unix.RawSyscall6(unix.SYS_READ, job.in, uintptr(unsafe.Pointer(&c)), 1, 0, 0, 0)
	if errno != 0 || n != 1 {
		return 1
	}
	return 0
}

// childLinger asks for no event: a hang-up is reported unasked, and only that
// ends the wait early, whatever standard input is.
//
//go:norace
//go:nocheckptr
//go:nosplit
func childLinger(job *childJob) (code uintptr) {
	// Whoever reads the workload's output waits for the last holder of it.
	unix.RawSyscall6(unix.SYS_CLOSE_RANGE, 1, math.MaxUint32, 0, 0, 0, 0)
	_, _, errno := unix.RawSyscall6(unix.SYS_PPOLL, uintptr(unsafe.Pointer(&job.stdin)), 1,
		uintptr(unsafe.Pointer(&job.linger)), 0, 0, 0)
	if errno != 0 {
		return 1
	}
	return 0
}

// relay reads a byte from in and writes it to out, rounds times.
//
//go:norace
//go:nocheckptr
//go:nosplit
func relay(in, out, rounds uintptr) (code uintptr) {
	var c [1]byte
	for ; rounds > 0; rounds-- {
		n, _, errno := unix.RawSyscall6(unix.SYS_READ, in, uintptr(unsafe.Pointer(&c)), 1, 0, 0, 0)
		if errno != 0 || n != 1 {
			return 1
		}
		n, _, errno = unix.RawSyscall6(unix.SYS_WRITE, out, uintptr(unsafe.Pointer(&c)), 1, 0, 0, 0)
		if errno != 0 || n != 1 {
			return 1
		}
	}
	return 0
}

// reap waits for a child and returns an error unless it exited with 0.
func reap(pid int) error {
	var status unix.WaitStatus
	for {
		_, _, errno := unix.RawSyscall6(unix.SYS_WAIT4, uintptr(pid), uintptr(unsafe.Pointer(&status)), 0, 0, 0, 0)
		if errno == unix.EINTR {
			continue
		}
		if errno != 0 {
			return os.NewSyscallError("wait4", errno)
		}
		break
	}
	if !status.Exited() || status.ExitStatus() != 0 {
		return fmt.Errorf("child %d: wait status %#x", pid, uint32(status))
	}
	return nil
}

// forkAndReap forks a child and waits for it.
func forkAndReap(job *childJob) error {
	pid, err := fork(job)
	if err != nil {
		return err
	}
	return reap(pid)
}
