package main

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/ring3-go/ring3/internal/bpf/bpftest"
)

// TestHostSwitchesAgreeWithTheKernel counts the switches of the whole host over some busy intervals.
func TestHostSwitchesAgreeWithTheKernel(t *testing.T) {
	bpftest.Exclusive(t)
	const threads, rounds = 4, 2000
	c := gated(t, "futex-pingpong", itoa(threads), itoa(rounds))
	o := beginObservation(t, "switches", "--json", "0.2")
	o.needEvents(t)
	pass(t, c)
	records := []*intervalSeen{o.next(t)} // begun when the threads were, or later
	out := o.stop(t, syscall.SIGINT)
	for line := range strings.Lines(out.stdout) {
		records = append(records, parseInterval(t, line))
	}
	var seen int64
	for _, r := range records {
		k := r.Ctxt
		if k == nil {
			t.Fatalf("no comparison in %+v", r)
		}
		seen += k.Seen
		if k.Seen != r.Host.Total || k.Reconciled != (k.Low <= k.Seen+k.Missed && k.Seen+k.Missed <= k.High) {
			t.Errorf("%+v does not follow from %+v", *k, r.Host)
		}
		off := outside(uint64(k.Seen+k.Missed), uint64(k.Seen+k.Missed), uint64(k.Low), uint64(k.High))
		t.Logf("%+v: off by %d", *k, off)
		if max(off, -off) > tolerance(k.High) {
			t.Errorf("off by %d: %+v", off, *k)
		}
	}
	if seen < threads*rounds {
		t.Errorf("saw %d switches; the threads alone had %d", seen, threads*rounds)
	}
}

// TestWithoutPrivilegeThereIsProc runs probe as a user who may nothing.
func TestWithoutPrivilegeThereIsProc(t *testing.T) {
	attr, program := unprivileged(t)
	as := func(args ...string) *exec.Cmd {
		cmd := asProcess(t, args...)
		cmd.Path, cmd.SysProcAttr, cmd.Dir = program, attr, "/"
		return cmd
	}
	for _, command := range []string{"faults", "switches"} {
		s := observeInIntervals(t, command, func(args ...string) *observation {
			o := beginAs(t, as(append(args, "-v")...))
			if !strings.Contains(o.talk.String(), "no more than /proc counts") {
				t.Errorf("%s: want it to say that it sees no events: %s", command, o.talk.String())
			}
			return o
		})
		if s.who != 0 || s.classes != 0 {
			t.Errorf("%s: %+v; /proc tells neither of groups nor of classes", command, s)
		}
		out := finish(t, as(command, "0.05", "1"))
		if out.code != 0 || !strings.Contains(out.stdout, "by procfs") || !strings.Contains(out.stderr, "cap_bpf,cap_perfmon") {
			t.Errorf("%s: exit code %d, stdout %q, stderr %q; want a report, and what is missing", command, out.code, out.stdout, out.stderr)
		}
		wantNarrow(t, out.stdout)
		if out = finish(t, as(command, "--comm", "x")); out.code != exitNotPermitted || !strings.Contains(out.stderr, "CAP_BPF") {
			t.Errorf("%s: exit code %d, stderr %q; want %d and a capability", command, out.code, out.stderr, exitNotPermitted)
		}
	}
}

// unprivileged is this test binary where anybody can run it, and how to run it as nobody.
func unprivileged(t *testing.T) (*syscall.SysProcAttr, string) {
	t.Helper()
	dir, err := os.MkdirTemp("", "probe")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	program := filepath.Join(dir, "probe")
	self, err := os.ReadFile("/proc/self/exe")
	if err == nil {
		err = errors.Join(os.Chmod(dir, 0o755), os.WriteFile(program, self, 0o755))
	}
	if err != nil {
		t.Fatal(err)
	}
	if os.Geteuid() != 0 {
		return &syscall.SysProcAttr{Setsid: true}, program // nobody already
	}
	const nobody = 65534
	return &syscall.SysProcAttr{Setsid: true, Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}, program
}
