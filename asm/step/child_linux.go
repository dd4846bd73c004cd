package step

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/ring3-go/ring3/asm"
)

const (
	// marker is the first argument of a child; the lesson and the function follow.
	marker = "ring3-step"
	// variable is in the environment of a child and of what it starts. A program that ignores the arguments
	// and steps again is found out by it, before it starts a child of its own.
	variable = "RING3_STEP_CHILD"
	// reportFD is where the child says what it is about to run.
	reportFD = 3
)

// Child reports whether this process was started to be stepped; it has been then, and the program should end
// at once. Call it first in main or TestMain with what lists the lessons: it is asked in a child only.
func Child(lessons func() []asm.Lesson) bool {
	if len(os.Args) != 4 || os.Args[1] != marker || os.Getenv(variable) == "" {
		return false
	}
	report := os.NewFile(reportFD, "report")
	f, err := find(lessons(), os.Args[2], os.Args[3])
	if err != nil {
		fmt.Fprintf(report, "error 0 %v\n", err)
		return true
	}
	// A collection would stop this thread in between, by a signal or in memory that it takes away.
	debug.SetGCPercent(-1)
	aside(func() { run(f, report) })
	return true
}

// aside runs f on a thread that is not the process's first: waiting for such a thread never reaps the process.
// Nothing is deferred: a panic in f is to end the process, not to let main go on.
func aside(f func()) {
	runtime.LockOSThread()
	if unix.Gettid() == unix.Getpid() {
		done := make(chan struct{})
		go func() { aside(f); close(done) }()
		<-done
	} else {
		f()
	}
	runtime.UnlockOSThread()
}

// run lets the parent trace this thread, stops, and calls f, in which the parent takes over.
func run(f asm.Function, report *os.File) {
	growStack(0)
	if _, _, errno := unix.Syscall6(unix.SYS_PTRACE, unix.PTRACE_TRACEME, 0, 0, 0, 0, 0); errno != 0 {
		fmt.Fprintf(report, "error %d ptrace\n", errno)
		return
	}
	_, err := fmt.Fprintf(report, "ready %d %d\n", unix.Gettid(), f.Entry)
	if err != nil || report.Close() != nil {
		return
	}
	if unix.Tgkill(unix.Getpid(), unix.Gettid(), unix.SIGSTOP) == nil {
		f.Call()
	}
}

// growStack makes the goroutine's stack large enough for a lesson, so that none has to be moved while it runs.
//
//go:noinline
func growStack(depth int) (sum byte) {
	var frame [64 << 10]byte
	frame[depth] = 1
	for _, b := range frame {
		sum += b
	}
	return sum
}

// parseReport reads what run wrote.
func parseReport(text string) (tid int, entry uint64, err error) {
	if text == "" {
		return 0, 0, ErrNoChild
	}
	if _, err := fmt.Sscanf(text, "ready %d %d\n", &tid, &entry); err == nil && strings.HasSuffix(text, "\n") {
		return tid, entry, nil
	}
	var errno uintptr
	if _, err := fmt.Sscanf(text, "error %d", &errno); err != nil {
		return 0, 0, fmt.Errorf("%w: it said %q", ErrNoChild, text)
	}
	what := strings.TrimSpace(strings.TrimPrefix(text, fmt.Sprintf("error %d ", errno)))
	if errno == 0 {
		return 0, 0, errors.New(what)
	}
	return 0, 0, os.NewSyscallError(what, unix.Errno(errno))
}

// childEnv is the environment of a child. The runtime must not preempt the thread by signals.
func childEnv(environ []string) []string {
	env := slices.DeleteFunc(slices.Clone(environ), func(v string) bool {
		return strings.HasPrefix(v, "GODEBUG=") || strings.HasPrefix(v, variable+"=")
	})
	settings := "asyncpreemptoff=1"
	for _, v := range environ {
		if old, ok := strings.CutPrefix(v, "GODEBUG="); ok && old != "" {
			settings = old + "," + settings
		}
	}
	return append(env, "GODEBUG="+settings, variable+"=1")
}
