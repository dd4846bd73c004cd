package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"testing"
)

// pipelines is a shell that starts two programs a hundred times over, or where there is no shell, a workload
// that starts as many.
func pipelines(t *testing.T, s scale) []string {
	for _, name := range []string{"sh", "true", "cat"} {
		if _, err := exec.LookPath(name); err != nil {
			t.Logf("tried: %v; a workload instead", err)
			return work("execs", s.pick("200", "20"))(t, s)
		}
	}
	n := s.pick("100", "10")
	return []string{"sh", "-c", "i=0; while [ $i -lt " + n + " ]; do /usr/bin/env true | cat; i=$((i+1)); done"}
}

func missing(t *testing.T, _ scale) []string {
	return []string{filepath.Join(t.TempDir(), "missing"), "argument"}
}

func notExecutable(t *testing.T, _ scale) []string {
	path := filepath.Join(t.TempDir(), "data")
	if err := os.WriteFile(path, []byte("no program\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return []string{path}
}

func atLeast(t *testing.T, what string, got, want int64) {
	t.Helper()
	if got < want {
		t.Errorf("%s: %d; want at least %d", what, got, want)
	}
}

func checkTouch(t *testing.T, r *record, s said) {
	want := pages(t, s.args[len(s.args)-1])
	atLeast(t, "minor faults", r.Faults.Minor, want)
	if r.tellsClasses() {
		atLeast(t, "first touches to write", r.count(func(memory, event, access string) bool {
			return memory == "anon" && event == "first-touch" && access == "write"
		}), want)
	}
}

func checkForkCow(t *testing.T, r *record, s said) {
	want := pages(t, s.args[len(s.args)-1])
	atLeast(t, "minor faults", r.Faults.Minor, 2*want)
	if r.tellsClasses() {
		atLeast(t, "copies on write", r.count(func(memory, event, _ string) bool {
			return memory == "anon" && event == "copy-on-write"
		}), want)
	}
}

var hugeShown = regexp.MustCompile(`\d+`)

// checkHuge expects as many huge pages as the workload found in its own address space.
func checkHuge(t *testing.T, r *record, s said) {
	want, err := strconv.ParseInt(hugeShown.FindString(s.stderr), 10, 64)
	if err != nil {
		t.Fatalf("the workload said %q: %v", s.stderr, err)
	}
	if want == 0 {
		t.Skipf("tried: the kernel gave no huge page")
	}
	atLeast(t, "huge-page faults", r.count(func(_, event, _ string) bool { return event == "huge-page" }), want)
}

// checkPingPong holds what was seen against what the threads that pass the word found in their own counters
// around it, where nothing but futex blocks.
func checkPingPong(t *testing.T, r *record, s said) {
	want := s.report.Workers.Voluntary
	atLeast(t, "voluntary switches", r.Switches.Voluntary, want)
	atLeast(t, "involuntary switches", r.Switches.Involuntary, s.report.Workers.Involuntary)
	var waits int64
	for _, o := range r.Switches.OffCPU {
		if o.Syscall == "futex" {
			waits = o.Count
		}
	}
	atLeast(t, "waits in futex", waits, want)
}

// checkEnds expects a last switch of every task: those that the workload was asked for, and itself.
func checkEnds(t *testing.T, r *record, s said) {
	for i, arg := range s.args {
		if arg == "forkbomb" || arg == "threads" {
			n, err := strconv.ParseInt(s.args[i+1], 10, 64)
			if err != nil {
				t.Fatal(err)
			}
			atLeast(t, "last switches", r.Switches.Exit, n+1)
		}
	}
}

func checkPipelines(t *testing.T, r *record, _ said) {
	atLeast(t, "exec faults", r.Faults.Exec, 20)
	atLeast(t, "last switches", r.Switches.Exit, 20)
}

func checkFailed(n int64) func(*testing.T, *record, said) {
	return func(t *testing.T, r *record, _ said) {
		if r.Faults.Failed != n {
			t.Errorf("failed faults: %d; want %d", r.Faults.Failed, n)
		}
	}
}

func checkNothing(t *testing.T, r *record, _ said) {
	if r.Kernel != (counters{}) || r.Faults.Total != 0 || r.Switches.Total != 0 || r.WallNs != 0 {
		t.Errorf("a command that did not run has counted: %+v", r)
	}
}
