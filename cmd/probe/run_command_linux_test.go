package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"
)

// command is the argument list of a small program; see testCommand.
func command(args ...string) []string {
	return append([]string{executable(), asCommand}, args...)
}

// executable is this test binary. It is /proc that says so, and there is no test of ours without it.
func executable() string {
	path, err := os.Executable()
	if err != nil {
		panic(err)
	}
	return path
}

// testCommand is what probe runs in tests where a workload does not fit.
func testCommand(args []string) int {
	name, args := args[0], args[1:]
	switch name {
	case "exit": // CODE
		code, err := strconv.Atoi(args[0])
		if err != nil {
			return complain(err)
		}
		return code
	case "cat": // standard input to standard output, and a word to standard error
		fmt.Fprint(os.Stderr, talkOfCat)
		if _, err := io.Copy(os.Stdout, os.Stdin); err != nil {
			return complain(err)
		}
		return 0
	case "mark": // FILE: shows that it ran
		if err := os.WriteFile(args[0], nil, 0o600); err != nil {
			return complain(err)
		}
		return 0
	case "signals":
		return countSignals()
	case "forsake": // ARG...: a child that the kernel reaps by itself
		signal.Ignore(syscall.SIGCHLD)
		if err := exec.Command(args[0], args[1:]...).Run(); !errors.Is(err, syscall.ECHILD) {
			return complain(fmt.Errorf("the child was waited for: %v", err))
		}
		return 0
	case "perf": // opens an event such as an observer needs
		attr := unix.PerfEventAttr{Type: unix.PERF_TYPE_SOFTWARE, Config: unix.PERF_COUNT_SW_PAGE_FAULTS}
		if _, err := unix.PerfEventOpen(&attr, -1, 0, -1, unix.PERF_FLAG_FD_CLOEXEC); err != nil {
			return complain(os.NewSyscallError("perf_event_open", err))
		}
		return 0
	case "exec-first", "exec-thread": // PATH ARG...: becomes another program
		return become(name == "exec-thread", args)
	case "usage": // FILE ARG...: probe, and then what the kernel says of its children
		code := probe(args[1:], os.Stdin, os.Stdout, os.Stderr)
		if err := writeChildUsage(args[0]); err != nil {
			return complain(err)
		}
		return code
	}
	return complain(fmt.Errorf("no test command named %q", name))
}

const talkOfCat = "miaow\n"

func complain(err error) int {
	fmt.Fprintln(os.Stderr, err)
	return 1
}

// passedOn are signals that a command gets through probe; SIGCONT alone needs a command that stands.
var passedOn = []syscall.Signal{
	syscall.SIGHUP, syscall.SIGINT, syscall.SIGQUIT, syscall.SIGABRT, syscall.SIGUSR1, syscall.SIGUSR2, syscall.SIGALRM,
	syscall.SIGTERM, syscall.SIGTSTP, syscall.SIGVTALRM, syscall.SIGWINCH, syscall.SIGIO, syscall.SIGPWR,
	35, 64, // the first and the last of the real-time signals that Go hands out
}

// countSignals says "ready", then the number of each signal that it gets, a line each, until standard input
// ends. Its exit code is how many there were.
func countSignals() int {
	signals := make(chan os.Signal, 16)
	for _, s := range passedOn {
		signal.Notify(signals, s)
	}
	end := make(chan struct{})
	go func() {
		defer close(end)
		_, _ = io.Copy(io.Discard, os.Stdin) // whatever ends it
	}()
	fmt.Println("ready")
	for n := 0; ; n++ {
		select {
		case s := <-signals:
			fmt.Println(int(s.(syscall.Signal)))
		case <-end:
			return n
		}
	}
}

// become executes another program, from the first thread of this process or from a second one.
func become(fromSecond bool, args []string) int {
	failed := make(chan error)
	for {
		go func() {
			runtime.LockOSThread() // not unlocked: one that was no good is not handed out again
			if first := unix.Gettid() == unix.Getpid(); first != fromSecond {
				failed <- unix.Exec(args[0], args, os.Environ())
			}
			failed <- nil
			select {}
		}()
		if err := <-failed; err != nil {
			return complain(err)
		}
	}
}

// counters are the four that the books are about, as the kernel gives them.
type counters struct{ Minor, Major, Voluntary, Involuntary int64 }

func countersOf(ru *syscall.Rusage) counters {
	return counters{ru.Minflt, ru.Majflt, ru.Nvcsw, ru.Nivcsw}
}

// within reports whether no counter of c is above that of d.
func (c counters) within(d counters) bool {
	return c.Minor <= d.Minor && c.Major <= d.Major && c.Voluntary <= d.Voluntary && c.Involuntary <= d.Involuntary
}

func writeChildUsage(file string) error {
	var ru syscall.Rusage
	if err := syscall.Getrusage(unix.RUSAGE_CHILDREN, &ru); err != nil {
		return os.NewSyscallError("getrusage", err)
	}
	text, err := json.Marshal(countersOf(&ru))
	if err != nil {
		return err
	}
	return os.WriteFile(file, text, 0o600)
}
