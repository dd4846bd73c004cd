//go:build linux && (amd64 || arm64)

package ctxswitch

import (
	"errors"
	"os"
	"os/exec"
	"syscall"
	"testing"

	"go.uber.org/goleak"

	"github.com/ring3-go/ring3/internal/features"
	"github.com/ring3-go/ring3/internal/features/featuretest"
	"github.com/ring3-go/ring3/internal/workload"
)

func TestMain(m *testing.M) {
	workload.Main()
	os.Setenv("GORACE", "atexit_sleep_ms=0") // a second for each workload otherwise
	// Package os starts a process of its own, once, to find out about pidfds: before anyone counts.
	argv := workload.Command("true")
	_ = exec.Command(argv[0], argv[1:]...).Run()
	goleak.VerifyTestMain(m)
}

// observe begins to observe with eBPF, or skips where it was tried and this kernel or process cannot.
func observe(t *testing.T, opts Options) *Observer {
	t.Helper()
	opts.Backend = BackendTracepoint
	o, err := Observe(opts)
	if errors.Is(err, errors.ErrUnsupported) || errors.Is(err, os.ErrPermission) {
		featuretest.Skip(t, features.BTFTracepoint, err)
	} else if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := o.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return o
}

func snapshot(t *testing.T, o *Observer) *Snapshot {
	t.Helper()
	s, err := o.Snapshot()
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// run runs a workload to its end and returns what the kernel counted for it and its children.
func run(t *testing.T, args ...string) *syscall.Rusage {
	t.Helper()
	argv := workload.Command(args...)
	cmd := exec.Command(argv[0], argv[1:]...)
	cmd.Stderr = os.Stderr
	if err := cmd.Run(); err != nil {
		t.Fatalf("workload %v: %v", args, err)
	}
	return cmd.ProcessState.SysUsage().(*syscall.Rusage)
}

// start begins a workload that waits before its body, and ends it with the test.
func start(t *testing.T, args ...string) *workload.Child {
	t.Helper()
	c, err := workload.Start(t.Context(), args...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _, _ = c.Wait() }) // a second call only says that it has been waited for
	return c
}

// body lets the body of a waiting workload run, and returns when it is over and the process still there.
func body(t *testing.T, c *workload.Child) {
	t.Helper()
	if err := errors.Join(c.Release(), c.Finished()); err != nil {
		t.Fatal(err)
	}
}
