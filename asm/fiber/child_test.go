//go:build linux

package fiber_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/ring3-go/ring3/asm/fiber"
	"github.com/ring3-go/ring3/asm/fiber/internal/bodies"
)

func TestStackOverflowHitsTheGuardPageAndIsReported(t *testing.T) {
	s := open(t, fiber.Options{Stacks: 3})
	spawn(t, s, fiber.Count, 0, 5)
	deep := spawn(t, s, fiber.Recurse, 1<<40)
	spawn(t, s, fiber.Count, 0, 5)
	_, err := s.RunInChild(t.Context(), 100)
	var fault *fiber.FaultError
	if !errors.Is(err, fiber.ErrOverflow) || !errors.As(err, &fault) {
		t.Fatalf("RunInChild: %v", err)
	}
	if fault.Fiber != deep || fault.Signal != unix.SIGSEGV || fault.Addr < fault.GuardLow || fault.Addr >= fault.GuardHigh {
		t.Errorf("%+v", fault)
	}
	// The guard page is the one below the stack of this fiber, by what the kernel says of this process.
	if area := areaOf(t, fault.GuardLow); !strings.Contains(area, "---p") {
		t.Errorf("the guard page is in %q", area)
	}
	if area := areaOf(t, fault.GuardHigh); !strings.Contains(area, "rw-p") {
		t.Errorf("above the guard page is %q", area)
	}
	if at := deep.Stack()[0].Addr; at < fault.GuardHigh || at > fault.GuardHigh+16<<10 {
		t.Errorf("the stack with %#x is not the one above %#x", at, fault.GuardHigh)
	}
	if !strings.Contains(err.Error(), "fiber 1 (recurse): stack overflow: SIGSEGV at 0x") {
		t.Errorf("it says %q", err)
	}
}

// areaOf is the line of /proc/self/maps for addr.
func areaOf(t *testing.T, addr uintptr) string {
	t.Helper()
	maps, err := os.ReadFile("/proc/self/maps")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(maps)) {
		if low, high := bounds(t, line); addr >= low && addr < high {
			return line
		}
	}
	return ""
}

func TestRunInChildChangesNothingHere(t *testing.T) {
	s := open(t, fiber.Options{Stacks: 2})
	a, b := spawn(t, s, fiber.Count, 0, 100), spawn(t, s, fiber.Count, 0, 7)
	turns(t, s, 10, 10)
	for range 3 {
		if had, err := s.RunInChild(t.Context(), 1000); had != 97 || err != nil {
			t.Fatalf("RunInChild = %d, %v", had, err)
		}
	}
	if had, err := s.RunInChild(t.Context(), 20); had != 20 || err != nil {
		t.Fatalf("RunInChild = %d, %v", had, err)
	}
	if a.Words()[0] != 5 || b.Words()[0] != 5 || s.Live() != 2 {
		t.Errorf("after the child: %v, %v, %d live", a.Words(), b.Words(), s.Live())
	}
	turns(t, s, 1000, 97)
	if _, err := unix.Wait4(-1, nil, unix.WNOHANG, nil); err != unix.ECHILD {
		t.Errorf("children are left: %v", err)
	}
}

func TestChildDiesAndTheParentSaysOfWhat(t *testing.T) {
	t.Run("load", func(t *testing.T) {
		s := open(t, fiber.Options{Stacks: 1})
		f := spawn(t, s, bodies.Load, 0x1234)
		_, err := s.RunInChild(t.Context(), 1)
		var fault *fiber.FaultError
		if !errors.As(err, &fault) || errors.Is(err, fiber.ErrOverflow) {
			t.Fatal(err)
		}
		if fault.Addr != 0x1234 || fault.Fiber != f || fault.Code != 1 || !strings.Contains(err.Error(), "in load+") {
			t.Errorf("%+v: %v", fault, err)
		}
	})
	t.Run("undefined instruction", func(t *testing.T) {
		s := open(t, fiber.Options{Stacks: 1})
		spawn(t, s, bodies.Undefined)
		if _, err := s.RunInChild(t.Context(), 1); err == nil || !strings.Contains(err.Error(), "SIGILL") {
			t.Error(err)
		}
	})
	t.Run("context", func(t *testing.T) {
		s := open(t, fiber.Options{Stacks: 1})
		spawn(t, s, bodies.Hang)
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
		defer cancel()
		if _, err := s.RunInChild(ctx, 1); !errors.Is(err, context.DeadlineExceeded) {
			t.Error(err)
		}
		if _, err := s.RunInChild(ctx, 1); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("after the deadline: %v", err)
		}
	})
}

// A program that waits for a fiber without end is killed; its copy of itself must not go on for ever.
func TestChildDiesWithTheProgram(t *testing.T) {
	if os.Getenv("RING3_ORPHAN") != "" {
		s := open(t, fiber.Options{Stacks: 1})
		spawn(t, s, bodies.Hang)
		s.RunInChild(t.Context(), 1)
		t.Fatal("came back")
	}
	if _, err := os.Stat(fmt.Sprintf("/proc/self/task/%d/children", os.Getpid())); err != nil {
		t.Skipf("the child cannot be found: %v", err) // without CONFIG_PROC_CHILDREN
	}
	cmd := exec.Command("/proc/self/exe", "-test.run=^"+t.Name()+"$")
	cmd.Env = append(os.Environ(), "RING3_ORPHAN=1")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); errors.Is(err, unix.ENOEXEC) {
		t.Skipf("an emulated process, which cannot run itself: %v", err)
	} else if err != nil {
		t.Fatal(err)
	}
	defer cmd.Wait()
	defer cmd.Process.Kill()
	deadline := time.Now().Add(time.Minute)
	for !hasChildThatRuns(t, cmd.Process.Pid) {
		if time.Now().After(deadline) {
			t.Fatal("no child")
		}
		time.Sleep(time.Millisecond) // nothing tells of another process's child
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	// The child has the other end of the pipe too, so that this ends when both are gone.
	ended := make(chan struct{})
	go func() { io.Copy(io.Discard, out); close(ended) }()
	select {
	case <-ended:
	case <-time.After(time.Minute):
		t.Error("the child lives on")
	}
}

// hasChildThatRuns reports whether a process has a child that lets SIGSEGV through: the last that the copy does
// before fibers run.
func hasChildThatRuns(t *testing.T, pid int) bool {
	t.Helper()
	lists, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", pid))
	if err != nil {
		t.Fatal(err)
	}
	for _, list := range lists {
		children, err := os.ReadFile(list)
		if err != nil || len(children) == 0 {
			continue // the thread has ended, or made no child
		}
		status, err := os.ReadFile(fmt.Sprintf("/proc/%s/status", strings.TrimSpace(string(children))))
		if err != nil {
			t.Fatal(err)
		}
		_, after, _ := strings.Cut(string(status), "\nSigBlk:\t")
		blocked, err := strconv.ParseUint(after[:16], 16, 64)
		if err != nil {
			t.Fatal(err)
		}
		return blocked>>(unix.SIGSEGV-1)&1 == 0
	}
	return false
}

// Without a child, Go's handler finds no room on the full stack, and the kernel ends the process. It must end,
// and not go on with another fiber's stack.
func TestStackOverflowInRunKillsTheProcess(t *testing.T) {
	if os.Getenv("RING3_OVERFLOW") != "" {
		s := open(t, fiber.Options{Stacks: 1})
		spawn(t, s, fiber.Recurse, 1<<40)
		s.Run(1)
		t.Fatal("survived")
	}
	cmd := exec.Command("/proc/self/exe", "-test.run=^"+t.Name()+"$")
	cmd.Env = append(os.Environ(), "RING3_OVERFLOW=1")
	out, err := cmd.CombinedOutput()
	if errors.Is(err, unix.ENOEXEC) {
		t.Skipf("an emulated process, which cannot run itself: %v", err)
	}
	var exit *exec.ExitError
	if !errors.As(err, &exit) {
		t.Fatalf("%v: %s", err, out)
	}
	status := exit.Sys().(syscall.WaitStatus)
	if !status.Signaled() || status.Signal() != unix.SIGSEGV {
		t.Errorf("%v: %s", exit, out)
	}
}
