package iouring

import (
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/ring3-go/ring3/internal/features"
	"github.com/ring3-go/ring3/syscalls"
)

// readKernel reads a hundred thousand symbols.
var readKernel = sync.OnceValues(features.Running)

// running is the kernel under test.
func running(t testing.TB) features.Kernel {
	t.Helper()
	k, err := readKernel()
	must(t, err)
	return k
}

// missing skips a test of what came with a kernel that is newer than this one, which has refused it with err. Where
// this one should have it, the test fails.
func missing(t testing.TB, major, minor int, err error) {
	t.Helper()
	first := features.Version{Major: major, Minor: minor}
	if k := running(t); !k.Release.Before(first) {
		t.Fatalf("Linux %v should have what came with %v: %v", k.Release, first, err)
	}
	t.Skipf("since %v; tried: %v", first, err)
}

// needs skips where this kernel has not got an operation, and fails where it should.
func needs(t testing.TB, r *Ring, op syscalls.IoUringOp) {
	t.Helper()
	p, err := r.Probe()
	must(t, err)
	if err := p.Missing(op); err != nil {
		var first features.Version
		fmt.Sscanf(since[op], "%d.%d", &first.Major, &first.Minor)
		missing(t, first.Major, first.Minor, err)
	}
}

// inKernel waits until a thread sleeps in a system call, as /proc has it.
func inKernel(t testing.TB, tid, call int) {
	t.Helper()
	for deadline := time.Now().Add(longest); time.Now().Before(deadline); time.Sleep(time.Millisecond) {
		text, err := os.ReadFile(fmt.Sprintf("/proc/self/task/%d/syscall", tid))
		if err == nil && strings.HasPrefix(string(text), itoa(call)+" ") {
			return
		}
	}
	t.Errorf("thread %d does not wait", tid)
}

// pending reports whether a signal waits for a thread.
func pending(tid int, s unix.Signal) bool {
	text, _ := os.ReadFile(fmt.Sprintf("/proc/self/task/%d/status", tid))
	for line := range strings.Lines(string(text)) {
		if set, ok := strings.CutPrefix(line, "SigPnd:"); ok {
			var bits uint64
			fmt.Sscanf(set, "%x", &bits)
			return bits&(1<<(s-1)) != 0
		}
	}
	return false
}
