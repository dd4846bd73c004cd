package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// runLimit ends a probe that hangs. An emulated machine takes a few seconds for what is over in one.
const runLimit = 2 * time.Minute

// asProcess returns probe with these arguments as a process of its own: without terminal, and with nothing
// in its environment that makes the race detector wait.
func asProcess(t *testing.T, args ...string) *exec.Cmd {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), runLimit)
	t.Cleanup(cancel)
	cmd := exec.CommandContext(ctx, executable(), append([]string{asProbe}, args...)...)
	cmd.Env = append(os.Environ(), "GORACE=atexit_sleep_ms=0")
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	return cmd
}

// An outcome is how a process ended, and what it said.
type outcome struct {
	code           int            // its exit code, or -1
	signal         syscall.Signal // that ended it, or 0
	stdout, stderr string
	tree           counters // of it and of what it waited for, as wait4 gives them
}

// finish runs cmd to its end.
func finish(t *testing.T, cmd *exec.Cmd) outcome {
	t.Helper()
	var stdout, stderr bytes.Buffer
	if cmd.Stdout == nil {
		cmd.Stdout = &stdout
	}
	if cmd.Stderr == nil {
		cmd.Stderr = &stderr
	}
	if err := cmd.Start(); err != nil {
		t.Fatalf("start probe: %v", err)
	}
	o := ended(t, cmd)
	o.stdout, o.stderr = stdout.String(), stderr.String()
	return o
}

// ended waits for a started process.
func ended(t *testing.T, cmd *exec.Cmd) outcome {
	t.Helper()
	var exit *exec.ExitError
	if err := cmd.Wait(); err != nil && !errors.As(err, &exit) {
		t.Fatalf("wait for probe: %v", err)
	}
	o := outcome{code: cmd.ProcessState.ExitCode(), tree: countersOf(cmd.ProcessState.SysUsage().(*syscall.Rusage))}
	if status := cmd.ProcessState.Sys().(syscall.WaitStatus); status.Signaled() {
		o.signal = status.Signal()
	}
	return o
}

// probeRun runs "probe run" with these flags and this command, the record in a file, and returns the record.
func probeRun(t *testing.T, flags, command []string) (outcome, *record) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "record")
	cmd := asProcess(t, runArgs(file, flags, command)...)
	o := finish(t, cmd)
	return o, parseRecord(t, readFile(t, file))
}

// runArgs are the arguments of a run whose record goes to file.
func runArgs(file string, flags, command []string) []string {
	args := append([]string{"run", "--json", "-o", file}, flags...)
	return append(append(args, "--"), command...)
}

func readFile(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// eventually waits for what no event announces, such as memory that the kernel frees at leisure.
func eventually(t *testing.T, what string, done func() bool) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); !done(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain: %s", what)
		}
	}
}

// A record is ring3/run/v1 as a stranger reads it: from docs, and without any type of ours.
type record struct {
	Schema   string
	Command  []string
	ExitCode int `json:"exit_code"`
	Signal   string
	WallNs   int64   `json:"wall_ns"`
	UserNs   int64   `json:"user_ns"`
	SysNs    int64   `json:"sys_ns"`
	MaxRSS   *uint64 `json:"max_rss_bytes"`
	Backend  struct{ Faults, Switches string }
	Faults   struct {
		Total, Minor, Major, Failed int64
		FixedUp                     int64 `json:"fixed_up"`
		Before, Exec, Unseen        int64
		Classes                     []struct {
			Class, Memory, Event, Access string
			Major                        bool
			Timed                        int64
			times
		}
	}
	Switches struct {
		Total, Voluntary, Involuntary, Exit, Before, Migrations int64

		RunDelay  times `json:"run_delay"`
		Woken     times `json:"run_delay_woken"`
		Preempted times `json:"run_delay_preempted"`
		OnCPU     times `json:"on_cpu"`
		OffCPU    []struct {
			Syscall string
			times
		} `json:"off_cpu"`
	}
	Kernel       counters
	Reconciled   bool
	Lost         int64
	StillRunning int `json:"still_running"`
}

type times struct {
	Count   int64
	TotalNs int64 `json:"total_ns"`
	P50Ns   int64 `json:"p50_ns"`
	P99Ns   int64 `json:"p99_ns"`
	MaxNs   int64 `json:"max_ns"`
}

// parseRecord reads the last line, and all the lines before it must be records too.
func parseRecord(t *testing.T, text string) *record {
	t.Helper()
	lines := strings.Split(strings.TrimSuffix(text, "\n"), "\n")
	for _, line := range lines {
		r := new(record)
		if err := json.Unmarshal([]byte(line), r); err != nil {
			t.Fatalf("not a record: %v in %q of %q", err, line, text)
		}
		if r.Schema == "ring3/run/v1" {
			return r
		}
	}
	t.Fatalf("no ring3/run/v1 in %q", text)
	return nil
}

// count sums the classes that pick accepts.
func (r *record) count(pick func(memory, event, access string) bool) (n int64) {
	for _, c := range r.Faults.Classes {
		if pick(c.Memory, c.Event, c.Access) {
			n += c.Count
		}
	}
	return n
}

// tellsClasses reports whether the fault back end knows first touch from copy-on-write.
func (r *record) tellsClasses() bool {
	return r.Backend.Faults == "fentry" || r.Backend.Faults == "btf-tracepoint+perf"
}
