//go:build linux && (amd64 || arm64)

package pagefault

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"sync"
	"syscall"
	"testing"

	"go.uber.org/goleak"

	"github.com/ring3-go/ring3/internal/bpf/bpftest"
	"github.com/ring3-go/ring3/internal/features"
	"github.com/ring3-go/ring3/internal/features/featuretest"
	"github.com/ring3-go/ring3/internal/workload"
)

func TestMain(m *testing.M) {
	workload.Main()
	if execveChild() || Child() || remoteHandler() || remoteMemory() {
		return
	}
	os.Setenv("GORACE", "atexit_sleep_ms=0") // a second for each workload otherwise
	// Package os starts a process of its own, once, to find out about pidfds: before anyone counts.
	argv := workload.Command("true")
	_ = exec.Command(argv[0], argv[1:]...).Run()
	goleak.VerifyTestMain(m)
}

// observe begins to observe with one back end, or skips where it was tried and this kernel or process
// cannot.
func observe(t *testing.T, opts Options) *Observer {
	t.Helper()
	o, err := Observe(opts)
	if errors.Is(err, errors.ErrUnsupported) || errors.Is(err, os.ErrPermission) {
		absent.Store(opts.Backend, err)
		featuretest.Skip(t, needs(opts.Backend), err)
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

// needs is what decides whether a kernel has a back end.
func needs(b Backend) features.Feature {
	switch b {
	case BackendFentry:
		return features.Fentry
	case BackendTracepoint:
		return features.FaultEntry
	}
	return features.PerfLink
}

// skipForPerf skips a test where even the back end was refused that needs least.
func skipForPerf(t *testing.T, o *Observer) {
	t.Helper()
	for _, r := range o.Refused() {
		if r.Backend == BackendPerf {
			featuretest.Skip(t, features.PerfLink, r.Err)
		}
	}
	t.Fatalf("back end %s, though nothing was refused: %v", o.Backend(), o.Refused())
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

// absent remembers, for this run of the tests, with what each back end was refused: on an emulated processor a
// refusal takes seconds.
var absent sync.Map

// eachEBPF runs a test once with each back end that sees events, alone on the machine.
func eachEBPF(t *testing.T, f func(*testing.T, Backend)) {
	for _, b := range []Backend{BackendFentry, BackendTracepoint, BackendPerf} {
		t.Run(string(b), func(t *testing.T) {
			if err, ok := absent.Load(b); ok {
				featuretest.Skip(t, needs(b), err.(error))
			}
			bpftest.Exclusive(t)
			f(t, b)
		})
	}
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

func bytesOf(pages int) string { return fmt.Sprint(pages * os.Getpagesize()) }
