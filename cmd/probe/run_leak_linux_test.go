package main

import (
	"bytes"
	"os"
	"path/filepath"
	"runtime/debug"
	"strconv"
	"testing"
	"time"

	"go.uber.org/goleak"
	"golang.org/x/sys/unix"

	"github.com/ring3-go/ring3/internal/bpf/bpftest"
	"github.com/ring3-go/ring3/internal/workload"
)

func TestRunInProcessLeavesNothing(t *testing.T) {
	bpftest.Exclusive(t)
	t.Cleanup(func() {
		if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0); err != nil { // run sets it
			t.Error(err)
		}
	})
	// The collector closes descriptors of objects that were forgotten. It must not tidy up after us.
	defer debug.SetGCPercent(debug.SetGCPercent(-1))
	file := filepath.Join(t.TempDir(), "record")
	runs := func(n int, want int, args ...string) {
		for range n {
			var out bytes.Buffer
			if code := probe(args, nil, &out, &out); code != want {
				t.Fatalf("probe %q: exit code %d, want %d: %s", args, code, want, &out)
			}
		}
	}
	ok := runArgs(file, nil, workload.Command("true"))
	began := time.Now()
	runs(1, 0, ok...) // the first run opens what the runtime keeps, such as its poller
	slow := time.Since(began) > time.Second
	running := goleak.IgnoreCurrent()
	files := openFiles(t)

	n := 20
	if slow || testing.Short() {
		n = 5
	}
	runs(n, 0, ok...)
	runs(3, 127, runArgs(file, nil, []string{"ring3-no-such-command"})...)
	runs(3, exitUsage, runArgs(file, []string{"--fault-backend", "none-such"}, workload.Command("true"))...)
	runs(3, exitUsage, runArgs(file, []string{"--switch-backend", "none-such"}, workload.Command("true"))...)

	for target, now := range openFiles(t) {
		if before := files[target]; now > before {
			t.Errorf("%d descriptors of %s, %d before", now, target, before)
		}
	}
	for o := range heldObjects(t, strconv.Itoa(os.Getpid())) {
		if o.kind == "prog_id" || o.kind == "map_id" || o.kind == "link_id" {
			t.Errorf("still held: %v", o)
		}
	}
	goleak.VerifyNone(t, running)
}

// openFiles counts the descriptors of this process by what they refer to.
func openFiles(t *testing.T) map[string]int {
	t.Helper()
	files, err := filepath.Glob("/proc/self/fd/*")
	if err != nil {
		t.Fatal(err)
	}
	targets := map[string]int{}
	for _, file := range files {
		if target, err := os.Readlink(file); err == nil { // one was Glob's own
			targets[target]++
		}
	}
	return targets
}
