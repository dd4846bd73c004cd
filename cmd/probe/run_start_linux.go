package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/ring3-go/ring3/internal/procfs"
	"github.com/ring3-go/ring3/internal/target"
)

const (
	exitNotExecutable = 126
	exitNotFound      = 127
)

// result is how a command went, in the kernel's words.
type result struct {
	exitCode  int
	signal    syscall.Signal // that ended it, or 0
	wall      time.Duration
	user, sys time.Duration
	maxRSS    uint64 // bytes, of the largest process; 0 where it cannot be told
	kernel    kernelCounts
	left      int // descendants that still run

	earlier unix.Rusage // of our children before there was the command
}

// kernelCounts is rusage of all that was waited for, and /proc of what still runs.
type kernelCounts struct {
	minor, major, voluntary, involuntary uint64
}

func signalName(s syscall.Signal) string {
	if name := unix.SignalName(s); name != "" {
		return name
	}
	return fmt.Sprintf("signal %d", s)
}

func lookPath(name string) (string, error) {
	path, err := exec.LookPath(name)
	if err == nil {
		return path, nil
	}
	var e *exec.Error
	if errors.As(err, &e) {
		err = e.Err
	}
	switch {
	case errors.Is(err, exec.ErrDot): // found by a relative entry of PATH: run it, as a shell would
		return path, nil
	case errors.Is(err, exec.ErrNotFound):
		return "", fmt.Errorf("command not found: %w", os.ErrNotExist)
	}
	return "", err
}

// start runs the command to its end. The observers attach before; the command's process is a child of
// this one, and they observe such from birth.
func start(path string, args []string) (*result, error) {
	// The kernel sends Pdeathsig when the thread that forked ends, so that thread has to last.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	// What the command leaves behind becomes our child, so that its counters reach us too.
	if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); err != nil {
		return nil, os.NewSyscallError("prctl PR_SET_CHILD_SUBREAPER", err)
	}
	earlier, err := childUsage()
	if err != nil {
		return nil, err
	}
	signals := make(chan os.Signal, 128) // more than there are, since one that waits is not sent again
	signal.Notify(signals, forwardable()...)
	defer signal.Stop(signals)

	pidfd := -1
	began := time.Now()
	pid, err := syscall.ForkExec(path, args, &syscall.ProcAttr{
		Env:   os.Environ(),
		Files: []uintptr{0, 1, 2},
		Sys:   &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, PidFD: &pidfd},
	})
	if err != nil {
		return nil, err
	}
	defer unix.Close(pidfd)
	done := make(chan struct{})
	forwarded := make(chan struct{})
	go func() {
		defer close(forwarded)
		forwarding{pid, pidfd, signals}.until(done)
	}()
	res, err := wait(pid)
	res.wall = time.Since(began)
	close(done)
	<-forwarded
	if err != nil {
		return nil, err
	}
	res.earlier = earlier
	return res, res.account()
}

// wait reaps children until the command has ended.
func wait(pid int) (*result, error) {
	for {
		got, status, ru, err := reap(0)
		if err != nil {
			return &result{}, err
		}
		if got != pid {
			continue
		}
		res := &result{maxRSS: peakMemory(ru), exitCode: status.ExitStatus()}
		if status.Signaled() {
			res.signal = status.Signal()
			res.exitCode = 128 + int(res.signal)
		}
		return res, nil
	}
}

// peakMemory is the resident set of the largest process, or 0. Until a child executes its program it shares
// our memory, and the kernel keeps that as its peak: a smaller one cannot be told.
func peakMemory(ru syscall.Rusage) uint64 {
	var self unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &self); err != nil || ru.Maxrss <= self.Maxrss {
		return 0
	}
	return uint64(ru.Maxrss) * 1024
}

// reap waits for any child. With WNOHANG, pid is 0 where none has ended; with none left, the error is ECHILD.
func reap(flags int) (pid int, status syscall.WaitStatus, ru syscall.Rusage, err error) {
	for {
		pid, err = syscall.Wait4(-1, &status, flags|unix.WALL, &ru)
		if !errors.Is(err, syscall.EINTR) {
			return pid, status, ru, os.NewSyscallError("wait4", err)
		}
	}
}

func childUsage() (unix.Rusage, error) {
	var ru unix.Rusage
	err := unix.Getrusage(unix.RUSAGE_CHILDREN, &ru)
	return ru, os.NewSyscallError("getrusage", err)
}

// account fills in what the kernel has counted.
func (r *result) account() error {
	for { // those that have ended since, so that they are in our children's usage
		pid, _, _, err := reap(syscall.WNOHANG)
		if pid == 0 || errors.Is(err, syscall.ECHILD) {
			break
		} else if err != nil {
			return err
		}
	}
	now, err := childUsage()
	if err != nil {
		return err
	}
	r.user = time.Duration(now.Utime.Nano() - r.earlier.Utime.Nano())
	r.sys = time.Duration(now.Stime.Nano() - r.earlier.Stime.Nano())
	r.kernel = kernelCounts{
		minor:       uint64(now.Minflt - r.earlier.Minflt),
		major:       uint64(now.Majflt - r.earlier.Majflt),
		voluntary:   uint64(now.Nvcsw - r.earlier.Nvcsw),
		involuntary: uint64(now.Nivcsw - r.earlier.Nivcsw),
	}
	pids, err := target.Descendants(os.Getpid())
	if err != nil {
		return fmt.Errorf("look for processes left behind: %w", err)
	}
	r.left = len(pids)
	for _, pid := range pids {
		if err := r.kernel.addRunning(pid); err != nil && !procfs.Gone(err) {
			return fmt.Errorf("read counters of process %d: %w", pid, err)
		}
	}
	return nil
}

// addRunning adds a process that nobody has waited for, and the children that it has waited for.
func (k *kernelCounts) addRunning(pid int) error {
	st, err := procfs.PidStat(pid)
	if err != nil {
		return err
	}
	k.minor += st.MinFlt + st.CMinFlt
	k.major += st.MajFlt + st.CMajFlt
	tids, err := procfs.Tasks(pid)
	if err != nil {
		return err
	}
	for _, tid := range tids {
		status, err := procfs.TaskStatus(pid, tid)
		if err != nil {
			return err
		}
		k.voluntary += status.VoluntaryCtxtSwitches
		k.involuntary += status.NonvoluntaryCtxtSwitches
	}
	return nil
}
