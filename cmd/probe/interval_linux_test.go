package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"github.com/ring3-go/ring3/internal/bpf/bpftest"
	"github.com/ring3-go/ring3/internal/procfs"
	"github.com/ring3-go/ring3/internal/workload"
)

// An observation is "probe faults" or "probe switches" at work in a process of its own.
type observation struct {
	cmd    *exec.Cmd
	stdout *bufio.Reader
	stderr *bufio.Reader
	talk   strings.Builder // what it said until it was under way
}

// beginObservation starts probe and returns when it observes.
func beginObservation(t *testing.T, args ...string) *observation {
	t.Helper()
	return beginAs(t, asProcess(t, append(args, "-v")...))
}

func beginAs(t *testing.T, cmd *exec.Cmd) *observation {
	t.Helper()
	o := &observation{cmd: cmd}
	stdout, err := o.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	stderr, err := o.cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	o.stdout, o.stderr = bufio.NewReader(stdout), bufio.NewReader(stderr)
	if err := o.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	for !strings.Contains(o.talk.String(), "probe: observing ") {
		line, err := o.stderr.ReadString('\n')
		o.talk.WriteString(line)
		if err != nil {
			t.Fatalf("%q ended before it observed: %s", cmd.Args, o.talk.String())
		}
	}
	return o
}

// needEvents skips the test where probe found no way to see events; it says what it tried.
func (o *observation) needEvents(t *testing.T) {
	t.Helper()
	if strings.Contains(o.talk.String(), "no more than /proc") {
		_ = o.cmd.Process.Kill()
		needEBPF(t)
		t.Fatalf("probe found no way to see events, though this process finds one: %s", o.talk.String())
	}
}

// next is the next record.
func (o *observation) next(t *testing.T) *intervalSeen {
	t.Helper()
	line, err := o.stdout.ReadString('\n')
	if err != nil {
		t.Fatalf("waiting for a record: %v after %q", err, line)
	}
	return parseInterval(t, line)
}

// stop sends a signal, where it is not 0, and returns all that was not read yet.
func (o *observation) stop(t *testing.T, sig syscall.Signal) outcome {
	t.Helper()
	if sig != 0 {
		if err := o.cmd.Process.Signal(sig); err != nil {
			t.Fatal(err)
		}
	}
	stdout, err := io.ReadAll(o.stdout)
	if err != nil {
		t.Fatal(err)
	}
	stderr, err := io.ReadAll(o.stderr)
	if err != nil {
		t.Fatal(err)
	}
	out := ended(t, o.cmd)
	out.stdout, out.stderr = string(stdout), string(stderr)
	return out
}

// An intervalSeen is ring3/faults/v1 or ring3/switches/v1 as a stranger reads it.
type intervalSeen struct {
	IntervalNs int64 `json:"interval_ns"`
	Backend    string
	Scope      struct{ Kind, Comm string }
	Faults     struct {
		Total, Minor, Major, Exec, Unseen int64
		Classes                           []struct{ Count int64 }
	}
	Switches struct{ Total, Voluntary, Involuntary, Exit int64 }
	Host     struct{ Total int64 }
	Who      []struct {
		Comm                          string
		Count, Voluntary, Involuntary int64
	}
	WhoRest struct{ Count, Voluntary, Involuntary int64 } `json:"who_rest"`
	VMStat  *struct {
		Low              int64 `json:"pgfault_low"`
		High             int64 `json:"pgfault_high"`
		Seen, Unresolved int64
		Explained        bool
	}
	Ctxt *struct {
		Low, High, Seen, Missed int64
		Reconciled              bool
	}
	Lost struct{ Events int64 }
}

func parseInterval(t *testing.T, line string) *intervalSeen {
	t.Helper()
	validateRecord(t, []byte(line))
	r := new(intervalSeen)
	if err := json.Unmarshal([]byte(line), r); err != nil {
		t.Fatal(err)
	}
	return r
}

// gated begins a workload that waits before its body and after it.
func gated(t *testing.T, args ...string) *workload.Child {
	t.Helper()
	c, err := workload.Start(t.Context(), args...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _, _ = c.Wait() })
	return c
}

// pass lets the body run and returns when it is over.
func pass(t *testing.T, c *workload.Child) {
	t.Helper()
	if err := c.Release(); err != nil {
		t.Fatal(err)
	}
	if err := c.Finished(); err != nil {
		t.Fatal(err)
	}
}

// countersNow are the kernel's of a process whose threads all live.
func countersNow(t *testing.T, pid int) counters {
	t.Helper()
	stat, err := procfs.PidStat(pid)
	if err != nil {
		t.Fatal(err)
	}
	c := counters{Minor: int64(stat.MinFlt), Major: int64(stat.MajFlt)}
	tids, err := procfs.Tasks(pid)
	if err != nil {
		t.Fatal(err)
	}
	for _, tid := range tids {
		status, err := procfs.TaskStatus(pid, tid)
		if err != nil {
			t.Fatal(err)
		}
		c.Voluntary += int64(status.VoluntaryCtxtSwitches)
		c.Involuntary += int64(status.NonvoluntaryCtxtSwitches)
	}
	return c
}

// TestIntervalsAddUp observes a process, and not its child, over several intervals, the last one cut short,
// and holds their sum against /proc.
func TestIntervalsAddUp(t *testing.T) {
	for _, command := range []string{"faults", "switches"} {
		t.Run(command, func(t *testing.T) {
			bpftest.Exclusive(t)
			s := observeInIntervals(t, command, func(args ...string) *observation {
				o := beginObservation(t, args...)
				o.needEvents(t)
				return o
			})
			if s.who != s.counted || s.classes != s.faults { // the process has no faults that failed, or without an exception
				t.Errorf("%d faults by class, %d events by command; want %d and %d", s.classes, s.who, s.faults, s.counted)
			}
		})
	}
}

// sums is what several intervals add up to.
type sums struct {
	faults, classes int64
	counted         int64 // faults or switches
	who             int64 // the same, by command
	lost            int64
}

func (s *sums) add(r *intervalSeen) {
	faults := r.Faults.Minor + r.Faults.Major + r.Faults.Exec + r.Faults.Unseen
	s.faults += faults
	for _, c := range r.Faults.Classes {
		s.classes += c.Count
	}
	s.counted += faults + r.Switches.Voluntary + r.Switches.Involuntary
	for _, w := range r.Who {
		s.who += w.Count + w.Voluntary + w.Involuntary
	}
	s.lost += r.Lost.Events
}

// observeInIntervals has a process work under observation and checks the sum of the intervals.
func observeInIntervals(t *testing.T, command string, begin func(args ...string) *observation) (s sums) {
	t.Helper()
	work := map[string][]string{"faults": {"touch", "8MiB"}, "switches": {"pipe-pingpong", "2000"}}[command]
	count := map[string]func(counters) int64{
		"faults":   func(c counters) int64 { return c.Minor + c.Major },
		"switches": func(c counters) int64 { return c.Voluntary + c.Involuntary },
	}[command]
	c := gated(t, work...)
	pid := c.Cmd.Process.Pid
	before := count(countersNow(t, pid))
	o := begin(command, "--json", "--top", "0", "--by", "comm", "-p", itoa(pid), "--no-follow", "0.05")
	begun := count(countersNow(t, pid))
	s.add(o.next(t))
	pass(t, c)
	s.add(o.next(t))
	s.add(o.next(t))
	finished := count(countersNow(t, pid))
	out := o.stop(t, syscall.SIGINT)
	after := count(countersNow(t, pid))
	for line := range strings.Lines(out.stdout) {
		s.add(parseInterval(t, line))
	}
	if out.code != 0 || out.stdout == "" {
		t.Errorf("exit code %d, last records %q", out.code, out.stdout)
	}
	t.Logf("%s: %+v; the kernel %d to %d", command, s, finished-begun, after-before)
	if s.counted+s.lost < finished-begun || s.counted > after-before {
		t.Errorf("%d %s, lost %d; the kernel counted %d to %d", s.counted, command, s.lost, finished-begun, after-before)
	}
	return s
}

func TestSignalsBringTheLastReport(t *testing.T) {
	bpftest.Exclusive(t)
	for _, command := range []string{"faults", "switches"} {
		for _, sig := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM} {
			o := beginObservation(t, command, "--json")
			out := o.stop(t, sig)
			if out.code != 0 || out.stderr != "" {
				t.Errorf("%s after %v: exit code %d, stderr %q", command, sig, out.code, out.stderr)
			}
			wantRecords(t, out.stdout, "ring3/"+command+"/v1")
		}
		out := beginObservation(t, command, "3600").stop(t, syscall.SIGINT)
		if out.code != 0 || strings.Count(out.stdout, "host, ") != 1 {
			t.Errorf("%s: exit code %d, output %q; want one report", command, out.code, out.stdout)
		}
		wantNarrow(t, out.stdout)
		wantHarmless(t, out.stdout)
	}
}

// TestEndOfTheProcessIsTheEnd lets the process under observation go and waits for probe to follow.
func TestEndOfTheProcessIsTheEnd(t *testing.T) {
	bpftest.Exclusive(t)
	for _, command := range []string{"faults", "switches"} {
		for _, flag := range []string{"--pid", "--tid"} {
			c := gated(t, "true")
			o := beginObservation(t, command, flag, itoa(c.Cmd.Process.Pid), "--backend", "procfs")
			pass(t, c)
			if _, err := c.Wait(); err != nil {
				t.Fatal(err)
			}
			out := o.stop(t, 0)
			if out.code != 0 || !strings.Contains(out.stderr, "has ended") || !strings.Contains(out.stdout, "procfs") {
				t.Errorf("%s: exit code %d, stdout %q, stderr %q", command, out.code, out.stdout, out.stderr)
			}
		}
	}
}

// TestNobodyToReadIsTheEnd closes the pipe that probe writes to, with something to write and without.
func TestNobodyToReadIsTheEnd(t *testing.T) {
	for _, args := range [][]string{
		{"faults", "--json", "0.01"}, {"switches", "0.01"}, // fails to write
		{"faults"}, {"switches", "--json", "3600"}, // waits
	} {
		args = append(args, "--backend", "procfs")
		cmd := asProcess(t, args...)
		stdout, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		var stderr bytes.Buffer
		cmd.Stderr = &stderr
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		if args[len(args)-3] == "0.01" {
			if _, err := bufio.NewReader(stdout).ReadString('\n'); err != nil {
				t.Fatal(err)
			}
		}
		stdout.Close()
		out := ended(t, cmd)
		if said := stderr.String(); out.code != 0 || strings.Contains(said, "pipe") || strings.Contains(said, "write") {
			t.Errorf("%q: exit code %d, signal %v, stderr %q; want a quiet end", args, out.code, out.signal, said)
		}
	}
}

func TestReportThatCannotBeWrittenIsAnError(t *testing.T) {
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		t.Skip(err)
	}
	defer full.Close()
	for _, form := range []string{"--json", "--color=never"} {
		cmd := asProcess(t, "faults", form, "--backend", "procfs", "0.01")
		cmd.Stdout = full
		if out := finish(t, cmd); out.code != exitError || !strings.Contains(out.stderr, "no space left") {
			t.Errorf("%s: exit code %d, stderr %q", form, out.code, out.stderr)
		}
	}
}
