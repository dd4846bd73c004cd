package main

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/ring3-go/ring3/internal/bpf/bpftest"
	"github.com/ring3-go/ring3/internal/workload"
)

func TestRunDoesNotWaitForWhatTheCommandLeftBehind(t *testing.T) {
	needEBPF(t)
	bpftest.Exclusive(t)
	for _, tt := range []struct {
		name  string
		flags []string
		check func(t *testing.T, report string)
	}{
		{"and the books close", []string{"--json"}, func(t *testing.T, report string) {
			r := parseRecord(t, report)
			if r.StillRunning != 1 || r.ExitCode != 0 {
				t.Errorf("still running: %d, exit code %d; want 1 and 0", r.StillRunning, r.ExitCode)
			}
			if r.Backend.Faults == "procfs" {
				return
			}
			if !r.Reconciled || r.Lost > 0 {
				t.Errorf("reconciled %v, lost %d", r.Reconciled, r.Lost)
			}
			for _, wrong := range r.imbalance() {
				t.Error(wrong)
			}
		}},
		{"and it says so", nil, func(t *testing.T, report string) {
			if !strings.Contains(report, "\n1 processes that the command left behind still run") {
				t.Errorf("report %q", report)
			}
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			hold, stdin := openPipe(t)
			name := someDuration()
			file := filepath.Join(t.TempDir(), "report")
			cmd := asProcess(t, append(append([]string{"run", "-o", file}, tt.flags...), append([]string{"--"}, workload.Command("orphan", name)...)...)...)
			cmd.Stdin = stdin
			if o := finish(t, cmd); o.code != 0 || o.stdout+o.stderr != "" {
				t.Errorf("exit code %d, said %q", o.code, o.stdout+o.stderr)
			}
			if pids := running(t, name); len(pids) != 1 {
				t.Errorf("processes left behind, after probe has ended: %v; want one", pids)
			}
			tt.check(t, readFile(t, file))
			hold.Close() // which ends it
			eventually(t, "the end of what was left behind", func() bool { return len(running(t, name)) == 0 })
		})
	}
}

// openPipe returns a pipe that nobody but this process and the bearers of its read end have.
func openPipe(t *testing.T) (hold, read *os.File) {
	t.Helper()
	read, hold, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { read.Close(); hold.Close() })
	return hold, read
}

// someDuration is a number of milliseconds, some weeks, that no other process is likely to bear among its
// arguments.
func someDuration() string { return strconv.Itoa(1_000_000_000 + rand.IntN(1_000_000_000)) }

// running lists the processes that have this argument.
func running(t *testing.T, arg string) (pids []int) {
	t.Helper()
	dirs, err := filepath.Glob("/proc/[0-9]*")
	if err != nil {
		t.Fatal(err)
	}
	for _, dir := range dirs {
		pid, err := strconv.Atoi(filepath.Base(dir))
		if err != nil {
			t.Fatal(err)
		}
		text, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid)) // empty of a process that has ended
		if err == nil && strings.Contains(string(text), "\x00"+arg+"\x00") {
			pids = append(pids, pid)
		}
	}
	return pids
}

// A command that executes another from a thread that is not its first keeps its id and its counters.
func TestBooksCloseOverChangesOfProgram(t *testing.T) {
	bpftest.Exclusive(t)
	for _, how := range []string{"exec-first", "exec-thread"} {
		t.Run(how, func(t *testing.T) {
			o, r := probeRun(t, nil, command(append([]string{how}, workload.Command("touch", "1MiB")...)...))
			if o.code != 0 {
				t.Fatalf("exit code %d: %s", o.code, o.stderr)
			}
			if r.Backend.Faults == "procfs" {
				needEBPF(t)
				t.Fatalf("back end procfs, though this process gets a better one: %s", o.stderr)
			}
			if !r.Reconciled {
				t.Errorf("not reconciled: %+v", r)
			}
			for _, wrong := range r.imbalance() {
				t.Error(wrong)
			}
			atLeast(t, "faults in exec, of two", r.Faults.Exec, 2)
		})
	}
}

// TestChildrenThatNobodyWaitsForAreTheCauseNamed: POSIX has the counters of such a child thrown away, so the
// kernel's are short of what the probes saw.
func TestChildrenThatNobodyWaitsForAreTheCauseNamed(t *testing.T) {
	needEBPF(t)
	bpftest.Exclusive(t)
	file := filepath.Join(t.TempDir(), "report")
	child := workload.Command("touch", "4MiB")
	cmd := asProcess(t, append([]string{"run", "-o", file, "--"}, command(append([]string{"forsake"}, child...)...)...)...)
	if o := finish(t, cmd); o.code != 0 {
		t.Fatalf("exit code %d: %s", o.code, o.stderr)
	}
	report := readFile(t, file)
	for _, want := range []string{"NOT RECONCILED: kernel less probes: faults -", "SIGCHLD"} {
		if !strings.Contains(report, want) {
			t.Errorf("no %q in the report:\n%s", want, report)
		}
	}
}
