//go:build linux && (amd64 || arm64)

package workload

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"os"
	"runtime"
	"strconv"
	"sync/atomic"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// sleep MS: sleeps once, in a raw nanosleep.
//
// Counts: 1 voluntary switch in nanosleep.
func prepareSleep(args []string) (body, error) {
	ms, err := parseCount("milliseconds", args[0], math.MaxInt32)
	return func(*run) error { return nanosleep(time.Duration(ms) * time.Millisecond) }, err
}

//go:nosplit
func nanosleep(d time.Duration) error {
	ts := unix.Timespec{Sec: int64(d / time.Second), Nsec: int64(d % time.Second)}
	_, _, errno := unix.RawSyscall6(unix.SYS_NANOSLEEP, uintptr(unsafe.Pointer(&ts)), 0, 0, 0, 0, 0)
	if errno != 0 {
		return os.NewSyscallError("nanosleep", errno)
	}
	return nil
}

// block NAME: blocks once in the named system call. Where the machine lacks it,
// in what took its place: ppoll for poll, epoll_pwait for epoll_wait on arm64.
// A thread of the runtime watches until the first thread sleeps and only then
// makes the event that it waits for; nanosleep alone ends by time.
//
// Counts: phase "call" 1 voluntary switch, in that system call.
func prepareBlock(args []string) (body, error) {
	blocks := map[string]func(*run) error{
		"read":       blockRead,
		"futex":      blockFutex,
		"epoll_wait": blockEpoll,
		"poll":       blockPoll,
		"wait4":      blockWait,
		"nanosleep":  blockSleep,
	}
	block, ok := blocks[args[0]]
	if !ok {
		return nil, fmt.Errorf("%q: no such system call here", args[0])
	}
	return block, nil
}

func blockSleep(r *run) (err error) {
	r.phase("call", func() { err = nanosleep(10 * time.Millisecond) })
	return err
}

func blockRead(r *run) error {
	p, err := newPipe()
	if err != nil {
		return err
	}
	var c [1]byte
	return r.blockUntil(func() error { return writeAll(int(p.w), []byte{1}) },
		unix.SYS_READ, p.r, uintptr(unsafe.Pointer(&c)), 1)
}

func blockFutex(r *run) error {
	var word atomic.Uint32
	return r.blockUntil(func() error {
		word.Store(1)
		_, _, errno := unix.RawSyscall6(unix.SYS_FUTEX, uintptr(unsafe.Pointer(&word)), futexWakePrivate, 1, 0, 0, 0)
		if errno != 0 {
			return os.NewSyscallError("futex", errno)
		}
		return nil
	}, unix.SYS_FUTEX, uintptr(unsafe.Pointer(&word)), futexWaitPrivate, 0)
}

func blockEpoll(r *run) error {
	ep, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return os.NewSyscallError("epoll_create1", err)
	}
	p, err := newPipe()
	if err != nil {
		return err
	}
	event := unix.EpollEvent{Events: unix.EPOLLIN}
	if err := unix.EpollCtl(ep, unix.EPOLL_CTL_ADD, int(p.r), &event); err != nil {
		return os.NewSyscallError("epoll_ctl", err)
	}
	return r.blockUntil(func() error { return writeAll(int(p.w), []byte{1}) },
		sysEpollWait, uintptr(ep), uintptr(unsafe.Pointer(&event)), 1, ^uintptr(0), 0)
}

func blockPoll(r *run) error {
	p, err := newPipe()
	if err != nil {
		return err
	}
	fd := unix.PollFd{Fd: int32(p.r), Events: unix.POLLIN}
	return r.blockUntil(func() error { return writeAll(int(p.w), []byte{1}) },
		sysPoll, uintptr(unsafe.Pointer(&fd)), 1, pollForever, 0, 0)
}

func blockWait(r *run) error {
	p, err := newPipe()
	if err != nil {
		return err
	}
	pid, err := fork(&childJob{kind: childReads, in: p.r, others: p.w})
	if err != nil {
		return err
	}
	return r.blockUntil(func() error { return writeAll(int(p.w), []byte{1}) },
		unix.SYS_WAIT4, uintptr(pid), 0, 0, 0)
}

// blockUntil makes a system call, and the event that ends it as soon as the
// calling thread, the first of the process, sleeps in it. Args may be pointers.
//
//go:uintptrescapes
func (r *run) blockUntil(event func() error, trap uintptr, args ...uintptr) error {
	var a [6]uintptr
	copy(a[:], args)
	var about atomic.Bool
	go func() {
		for !about.Load() {
			runtime.Gosched()
		}
		// Without the event the call never ends: make it whatever went wrong.
		if err := errors.Join(awaitAsleep(unix.Getpid()), event()); err != nil {
			fmt.Fprintln(r.stderr, "work: ending the call:", err)
		}
	}()
	var errno unix.Errno
	r.phase("call", func() {
		// From here on this thread sleeps nowhere but in the call: nothing
		// between the two lets the runtime stop it.
		about.Store(true)
		_, _, errno = unix.RawSyscall6(trap, a[0], a[1], a[2], a[3], a[4], a[5])
	})
	if errno != 0 {
		return fmt.Errorf("blocking in system call %d: %w", trap, errno)
	}
	return nil
}

// awaitAsleep watches until the first thread of process pid sleeps.
func awaitAsleep(pid int) error {
	id := strconv.Itoa(pid)
	f, err := os.Open("/proc/" + id + "/task/" + id + "/stat")
	if err != nil {
		return fmt.Errorf("watching thread: %w", err)
	}
	defer f.Close()
	var buf [512]byte
	for {
		n, err := f.ReadAt(buf[:], 0)
		if n == 0 {
			return fmt.Errorf("watching thread: %w", err)
		}
		// The state follows the command name, which may contain anything,
		// a closing parenthesis included.
		stat := buf[:n]
		if rest := stat[bytes.LastIndexByte(stat, ')')+1:]; bytes.HasPrefix(rest, []byte(" S")) {
			return nil
		}
		unix.RawSyscall6(unix.SYS_SCHED_YIELD, 0, 0, 0, 0, 0, 0)
	}
}
