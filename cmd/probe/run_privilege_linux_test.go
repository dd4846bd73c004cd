package main

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/ring3-go/ring3/internal/bpf/bpftest"
	"github.com/ring3-go/ring3/internal/workload"
)

// nobody is the user that owns nothing, by number: the machine may have no list of users.
const nobody = 65534

// asNobody returns probe as a process without any privilege but these capabilities.
func asNobody(t *testing.T, caps []uintptr, args ...string) *exec.Cmd {
	t.Helper()
	cmd := asProcess(t, args...)
	cmd.Path = sharedExecutable(t)
	cmd.Dir = "/"
	cmd.SysProcAttr.AmbientCaps = caps
	if os.Geteuid() == 0 {
		cmd.SysProcAttr.Credential = &syscall.Credential{Uid: nobody, Gid: nobody}
	}
	return cmd
}

// sharedExecutable is a copy of this binary that everybody may execute.
func sharedExecutable(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "ring3-probe-*") // the parents of t.TempDir are ours alone
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	path := filepath.Join(dir, "probe.test")
	if err := errors.Join(os.Chmod(dir, 0o755), copyFile(path, executable())); err != nil {
		t.Fatal(err)
	}
	return path
}

func copyFile(to, from string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o755)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	return errors.Join(err, out.Chmod(0o755), out.Close())
}

// tryStart skips the test where a process with these privileges cannot be.
func tryStart(t *testing.T, cmd *exec.Cmd) {
	t.Helper()
	trial := exec.CommandContext(t.Context(), cmd.Path, asCommand, "exit", "0")
	trial.Dir, trial.SysProcAttr = cmd.Dir, cmd.SysProcAttr
	if err := trial.Run(); errors.Is(err, fs.ErrPermission) {
		t.Skipf("tried: start a process with capabilities %v: %v", cmd.SysProcAttr.AmbientCaps, err)
	} else if err != nil {
		t.Fatal(err)
	}
}

// nobodys turns the argument list of a program in this binary into one of the copy that nobody may execute.
func nobodys(cmd *exec.Cmd, args []string) []string {
	return append([]string{cmd.Path}, args[1:]...)
}

func TestRunWithoutPrivilegeTellsWhatTheKernelCounted(t *testing.T) {
	bpftest.Exclusive(t)
	remedy := []string{"CAP_BPF", "CAP_PERFMON", "sudo", "setcap cap_bpf,cap_perfmon+ep"}
	run := func(t *testing.T, flags, command []string) outcome {
		t.Helper()
		cmd := asNobody(t, nil)
		tryStart(t, cmd)
		cmd.Args = append(append([]string{cmd.Path, asProbe, "run"}, flags...), append([]string{"--"}, nobodys(cmd, command)...)...)
		return finish(t, cmd)
	}
	names := func(t *testing.T, stderr string) {
		t.Helper()
		for _, word := range remedy {
			if !strings.Contains(stderr, word) {
				t.Errorf("standard error does not name %s: %q", word, stderr)
			}
		}
	}
	t.Run("as text", func(t *testing.T) {
		o := run(t, nil, command("exit", "7"))
		if o.code != 7 || o.stdout != "" || !strings.Contains(o.stderr, "exit 7") {
			t.Errorf("exit code %d, stdout %q, stderr %q; want exit 7", o.code, o.stdout, o.stderr)
		}
		names(t, o.stderr)
	})
	t.Run("as a record", func(t *testing.T) {
		const size = "4MiB"
		o := run(t, []string{"--json", "-o", "-"}, workload.Command("touch", size))
		if o.code != 0 {
			t.Errorf("exit code %d", o.code)
		}
		names(t, o.stderr)
		r := parseRecord(t, o.stdout)
		if r.Backend.Faults != "procfs" || r.Backend.Switches != "procfs" {
			t.Errorf("back ends %+v; want procfs", r.Backend)
		}
		if r.Reconciled {
			t.Error("reconciled, though there was no second witness")
		}
		atLeast(t, "minor faults", r.Kernel.Minor, pages(t, size))
		if !r.Kernel.within(o.tree) {
			t.Errorf("kernel %+v; more than wait4 says of probe and all: %+v", r.Kernel, o.tree)
		}
		if r.Faults.Minor+r.Faults.Major != r.Kernel.Minor+r.Kernel.Major ||
			r.Switches.Voluntary != r.Kernel.Voluntary || r.Switches.Involuntary != r.Kernel.Involuntary {
			t.Errorf("faults %+v and switches %+v are not the kernel's: %+v", r.Faults, r.Switches, r.Kernel)
		}
	})
	t.Run("as records to standard error, and nothing else there", func(t *testing.T) {
		o := run(t, []string{"--json"}, command("exit", "3"))
		if r := parseRecord(t, o.stderr); o.code != 3 || r.ExitCode != 3 {
			t.Errorf("exit code %d, in the record %d; want 3", o.code, r.ExitCode)
		}
	})
}

func TestRunNeedsTwoCapabilitiesAndNoMore(t *testing.T) {
	bpftest.Exclusive(t)
	_, all := probeRun(t, nil, workload.Command("true"))
	if all.Backend.Faults == "procfs" {
		needEBPF(t)
		t.Fatal("back end procfs, though this process gets a better one")
	}
	cmd := asNobody(t, []uintptr{unix.CAP_BPF, unix.CAP_PERFMON})
	tryStart(t, cmd)
	cmd.Args = append([]string{cmd.Path, asProbe}, runArgs("-", nil, nobodys(cmd, workload.Command("touch", "4MiB")))...)
	o := finish(t, cmd)
	if o.code != 0 {
		t.Fatalf("exit code %d, stderr %q", o.code, o.stderr)
	}
	r := parseRecord(t, o.stdout)
	if r.Backend.Faults == "procfs" {
		trial := exec.CommandContext(t.Context(), cmd.Path, asCommand, "perf")
		trial.Dir, trial.SysProcAttr = cmd.Dir, cmd.SysProcAttr
		if text, err := trial.CombinedOutput(); err != nil {
			if !strings.Contains(o.stderr, "perf_event_paranoid") {
				t.Errorf("standard error does not name what is in the way: %q", o.stderr)
			}
			t.Skipf("tried: open a software event with these capabilities: %s", text)
		}
	}
	if o.stderr != "" {
		t.Errorf("standard error %q", o.stderr)
	}
	if r.Backend != all.Backend {
		t.Errorf("back ends %+v; with all privileges %+v", r.Backend, all.Backend)
	}
	if !r.Reconciled {
		t.Errorf("not reconciled: %+v", r)
	}
	for _, wrong := range r.imbalance() {
		t.Error(wrong)
	}
	checkTouch(t, r, said{args: []string{"4MiB"}})
	if len(r.Faults.Classes) == 0 || len(r.Switches.OffCPU) == 0 {
		t.Errorf("no classes or no system calls: %+v", r)
	}
	if _, err := os.ReadDir("/sys/kernel/tracing/events"); err != nil {
		t.Logf("without tracefs: %v", err)
	}
}
