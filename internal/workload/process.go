//go:build linux && (amd64 || arm64)

package workload

import (
	"encoding/hex"
	"errors"
	"fmt"
	"math"
	"os"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// true: does nothing.
//
// Counts: nothing.
func prepareTrue([]string) (body, error) {
	return func(*run) error { return nil }, nil
}

// forkbomb N [BATCH]: forks N children that exit at once, and waits for them in
// batches, of one unless told.
//
// Counts: N children of a few minor faults each. In this process some minor
// faults after each fork, as in fork-cow, and up to N voluntary switches, the
// waits: a child that is already dead needs none.
func prepareForkbomb(args []string) (body, error) {
	n, err := parseCount("number of children", args[0], math.MaxInt32)
	if err != nil {
		return nil, err
	}
	batch := 1
	if len(args) == 2 {
		if batch, err = parseCount("batch", args[1], 10_000); err != nil {
			return nil, err
		}
	}
	return func(*run) error {
		pids := make([]int, 0, batch)
		for left := n; left > 0; left -= len(pids) {
			pids = pids[:0]
			for range min(left, batch) {
				pid, err := fork(&childJob{kind: childExits})
				if err != nil {
					return err
				}
				pids = append(pids, pid)
			}
			for _, pid := range pids {
				if err := reap(pid); err != nil {
					return err
				}
			}
		}
		return nil
	}, nil
}

// execs N: starts workload true N times by fork and exec, one after the other.
//
// Counts: N children, each with an exec and the start of a Go runtime.
func prepareExecs(args []string) (body, error) {
	n, err := parseCount("number of children", args[0], math.MaxInt32)
	return func(*run) error {
		argv := Command("true")
		attr := syscall.ProcAttr{Env: os.Environ(), Files: []uintptr{0, 1, 2}}
		for range n {
			pid, err := syscall.ForkExec(argv[0], argv, &attr)
			if err != nil {
				return fmt.Errorf("starting %s: %w", argv[0], err)
			}
			if err := reap(pid); err != nil {
				return err
			}
		}
		return nil
	}, err
}

// threads N: runs N threads, one after the other, each to its end.
//
// Counts: N threads end. All but the few idle ones that the runtime had already
// were made by the body.
func prepareThreads(args []string) (body, error) {
	n, err := parseCount("number of threads", args[0], math.MaxInt32)
	return func(r *run) error {
		tids := make(chan int)
		for range n {
			go func() {
				runtime.LockOSThread() // never unlocked: the thread ends with the goroutine
				tids <- unix.Gettid()
			}()
			tid := <-tids
			for unix.Tgkill(unix.Getpid(), tid, 0) != unix.ESRCH {
				unix.RawSyscall(unix.SYS_SCHED_YIELD, 0, 0, 0)
			}
		}
		return nil
	}, err
}

// orphan MS: forks a child and leaves it behind. The child closes every
// descriptor but standard input and ends after MS ms or when that hangs up,
// whichever comes first: with the writer of a pipe it dies as well.
//
// Counts: the child 1 voluntary switch in ppoll, in nobody's usage but the one's
// who adopts it.
func prepareOrphan(args []string) (body, error) {
	ms, err := parseCount("milliseconds", args[0], math.MaxInt32)
	return func(*run) error {
		_, err := fork(&childJob{
			kind:   childLingers,
			linger: unix.NsecToTimespec(int64(ms) * int64(time.Millisecond)),
		})
		return err
	}, err
}

// kill-self SIGNAL: sends itself a signal with the default action, by number or
// by name, such as 9, KILL or SIGKILL. A signal that kills nobody ends in exit 0.
//
// Counts: nothing; the process is killed and reports nothing.
func prepareKillSelf(args []string) (body, error) {
	sig, err := parseSignal(args[0])
	return func(*run) error {
		if err := resetSignal(sig); err != nil {
			return err
		}
		return os.NewSyscallError("tgkill", unix.Tgkill(unix.Getpid(), unix.Gettid(), sig))
	}, err
}

func parseSignal(s string) (unix.Signal, error) {
	if n, err := strconv.Atoi(s); err == nil {
		if n < 1 || n > 64 {
			return 0, fmt.Errorf("signal %d: want 1 to 64", n)
		}
		return unix.Signal(n), nil
	}
	if sig := unix.SignalNum("SIG" + strings.TrimPrefix(strings.ToUpper(s), "SIG")); sig != 0 {
		return sig, nil
	}
	return 0, fmt.Errorf("signal %q: no such name", s)
}

// resetSignal gives sig its default action, behind the runtime's back, unblocks
// every signal on this thread, and forbids the core dump that may follow.
func resetSignal(sig unix.Signal) error {
	if err := unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0); err != nil {
		return os.NewSyscallError("prctl", err)
	}
	if sig != unix.SIGKILL && sig != unix.SIGSTOP { // never anything but the default
		var action [4]uint64 // struct sigaction of the kernel: handler SIG_DFL, flags, restorer, mask
		_, _, errno := unix.RawSyscall6(unix.SYS_RT_SIGACTION, uintptr(sig), uintptr(unsafe.Pointer(&action)), 0, 8, 0, 0)
		if errno != 0 {
			return os.NewSyscallError("rt_sigaction", errno)
		}
	}
	var none unix.Sigset_t
	return os.NewSyscallError("rt_sigprocmask", unix.PthreadSigmask(unix.SIG_SETMASK, &none, nil))
}

// segv: reads memory without access and dies of it.
//
// Counts: 1 page-fault exception that the kernel cannot serve; the process is
// killed by SIGSEGV and reports nothing.
func prepareSegv([]string) (body, error) {
	return func(*run) error {
		p, err := mapGuard()
		if err != nil {
			return err
		}
		if err := resetSignal(unix.SIGSEGV); err != nil {
			return err
		}
		readPages(p, 1, 1)
		return errors.New("still alive")
	}, nil
}

// commMax is what the kernel keeps of a command name: TASK_COMM_LEN without the
// final zero.
const commMax = 15

// rename HEX [eof]: gives the process the command name that HEX spells, 1 to 15
// bytes of any value but 0, then touches 1 MiB; with "eof", waits for the end of
// standard input.
//
// Counts: as touch 1MiB, under that name.
func prepareRename(args []string) (body, error) {
	name, err := hex.DecodeString(args[0])
	if err != nil {
		return nil, fmt.Errorf("name: %w", err)
	}
	if len(name) == 0 || len(name) > commMax || strings.IndexByte(string(name), 0) >= 0 {
		return nil, fmt.Errorf("name %q: want 1 to %d bytes, none of them 0", name, commMax)
	}
	wait := len(args) == 2
	if wait && args[1] != "eof" {
		return nil, fmt.Errorf("%q: want eof", args[1])
	}
	name = append(name, 0)
	return func(*run) error {
		if err := unix.Prctl(unix.PR_SET_NAME, uintptr(unsafe.Pointer(&name[0])), 0, 0, 0); err != nil {
			return os.NewSyscallError("prctl", err)
		}
		if err := touch(1 << 20); err != nil {
			return err
		}
		if wait {
			return awaitEOF()
		}
		return nil
	}, nil
}

// failed-exec N: tries to execute a file that is no program, then maps N bytes with MAP_POPULATE, twice. The
// kernel finds out only when it has written the arguments to a new stack.
//
// Counts: 2P minor faults that no exception raised, and those of the two execve. The second time all code
// has run before, so that nothing faults between the two calls.
func prepareFailedExec(args []string) (body, error) {
	size, err := parsePages(args[0])
	return func(*run) error {
		if err := unix.Prctl(unix.PR_SET_THP_DISABLE, 1, 0, 0, 0); err != nil && err != unix.EINVAL {
			return os.NewSyscallError("prctl", err)
		}
		file, err := noProgram()
		if err != nil {
			return err
		}
		defer os.Remove(file)
		path, err := unix.BytePtrFromString(file)
		if err != nil {
			return err
		}
		argv, envv := [2]*byte{path}, [1]*byte{}
		for range 2 {
			_, _, errno := unix.RawSyscall(unix.SYS_EXECVE, uintptr(unsafe.Pointer(path)),
				uintptr(unsafe.Pointer(&argv)), uintptr(unsafe.Pointer(&envv)))
			if errno != unix.ENOEXEC {
				return os.NewSyscallError("execve", errno)
			}
			if _, err := mapPages(-1, size, unix.MAP_PRIVATE|unix.MAP_POPULATE); err != nil {
				return err
			}
		}
		return nil
	}, err
}

// noProgram makes a file that may be executed and cannot.
func noProgram() (string, error) {
	f, err := os.CreateTemp("", "ring3-no-program-")
	if err != nil {
		return "", err
	}
	_, err = f.WriteString("no program\n")
	if err = errors.Join(err, f.Chmod(0o700), f.Close()); err != nil {
		os.Remove(f.Name())
		return "", err
	}
	return f.Name(), nil
}
