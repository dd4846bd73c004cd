//go:build linux

package fiber_test

import (
	"context"
	"errors"
	"os"
	"os/exec"
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
