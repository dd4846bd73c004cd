package main

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/ring3-go/ring3/internal/bpf/bpftest"
	"github.com/ring3-go/ring3/internal/workload"
)

// wantRecords checks that output is whole lines, each a harmless record that its schema allows, of these
// kinds.
func wantRecords(t *testing.T, output string, want ...string) {
	t.Helper()
	wantHarmless(t, output)
	if !strings.HasSuffix(output, "\n") {
		t.Errorf("output does not end with a line: %q", output)
	}
	var got []string
	for line := range strings.Lines(output) {
		got = append(got, validateRecord(t, []byte(line)))
	}
	if strings.Join(got, " ") != strings.Join(want, " ") {
		t.Errorf("records %q; want %q", got, want)
	}
}

// TestEveryCommandPrintsWhatItsSchemaSays runs each command in each way that makes another record.
func TestEveryCommandPrintsWhatItsSchemaSays(t *testing.T) {
	bpftest.Exclusive(t)
	self := itoa(os.Getpid())
	notExecutable := filepath.Join(t.TempDir(), "\x1b]0;title\a")
	if err := os.WriteFile(notExecutable, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	run := func(command ...string) []string {
		return append([]string{"run", "--json", "-o", "-", "--"}, command...)
	}
	for _, c := range []struct {
		args  []string
		code  int
		kinds []string // of the records
	}{
		{run(workload.Command("true")...), 0, []string{"ring3/run/v1"}},
		{run(workload.Command("touch", "1MiB")...), 0, []string{"ring3/run/v1"}},
		{run(append(command("exit", "3"), hostileArguments...)...), 3, []string{"ring3/run/v1"}},
		{run(workload.Command("kill-self", "KILL")...), 137, []string{"ring3/run/v1"}},
		{run("no-such-command-\x1b[31m\n"), exitNotFound, []string{"ring3/error/v1", "ring3/run/v1"}},
		{run(notExecutable), exitNotExecutable, []string{"ring3/error/v1", "ring3/run/v1"}},
		{[]string{"run", "--json", "-o", "-"}, exitUsage, []string{"ring3/error/v1"}},

		{[]string{"faults", "--json", "0.05", "2"}, 0, []string{"ring3/faults/v1", "ring3/faults/v1"}},
		{[]string{"faults", "--json", "--by", "comm,pid,tid,cgroup,class,file", "--hist", "--duration", "0.2"}, 0, []string{"ring3/faults/v1"}},
		{[]string{"faults", "--json", "--by", "", "-p", self, "0.05", "1"}, 0, []string{"ring3/faults/v1"}},
		{[]string{"faults", "--json", "--backend", "procfs", "0.05", "1"}, 0, []string{"ring3/faults/v1"}},
		{[]string{"switches", "--json", "0.05", "2"}, 0, []string{"ring3/switches/v1", "ring3/switches/v1"}},
		{[]string{"switches", "--json", "--by", "comm,pid,tid,cgroup,syscall", "--hist", "--duration", "0.2"}, 0, []string{"ring3/switches/v1"}},
		{[]string{"switches", "--json", "-p", self, "--no-follow", "0.05", "1"}, 0, []string{"ring3/switches/v1"}},
		{[]string{"switches", "--json", "--backend", "procfs", "0.05", "1"}, 0, []string{"ring3/switches/v1"}},

		{[]string{"faults", "--json", "-p", deadProcess(t)}, exitError, []string{"ring3/error/v1"}},
		{[]string{"switches", "--json", "--tid", deadProcess(t)}, exitError, []string{"ring3/error/v1"}},
		{[]string{"switches", "--json", "--backend", "procfs", "--comm", "\x1b[31m"}, exitNotPermitted, []string{"ring3/error/v1"}},
		{[]string{"bench", "faults", "--json", "--count", "16", "first-touch write", "non-canonical"}, 0, []string{"ring3/bench/v1", "ring3/bench/v1"}},
		{[]string{"bench", "faults", "--json", "--dir", "/no-such-directory\x1b[31m", "file minor"}, 0, []string{"ring3/bench/v1"}},
		{[]string{"bench", "faults", "--json", "no such class"}, exitUsage, []string{"ring3/error/v1"}},
		{[]string{"bench", "faults", "--json", "--count", "0"}, exitUsage, []string{"ring3/error/v1"}},
		{[]string{"bench", "--json", "faults?"}, exitUsage, []string{"ring3/error/v1"}},
		{[]string{"exceptions", "--json", "too many"}, exitUsage, []string{"ring3/error/v1"}},
		{[]string{"doctor", "--json"}, 0, []string{"ring3/doctor/v1"}},
	} {
		out := finish(t, asProcess(t, c.args...))
		if out.code != c.code {
			t.Errorf("%q: exit code %d, want %d; stderr %q", c.args, out.code, c.code, out.stderr)
		}
		wantRecords(t, out.stdout, c.kinds...)
		wantHarmless(t, out.stderr)
		if t.Failed() {
			t.Fatalf("%q", c.args)
		}
	}
}

// TestScopesThatAHostMayNotHave are a thread, which needs the host's pid namespace, and a cgroup of version 2.
// Where probe cannot, it says so in a record.
func TestScopesThatAHostMayNotHave(t *testing.T) {
	bpftest.Exclusive(t)
	for _, command := range []string{"faults", "switches"} {
		for _, scope := range [][]string{{"--tid", itoa(os.Getpid())}, {"-c", "/"}} {
			out := finish(t, asProcess(t, append([]string{command, "--json", "0.05", "1"}, scope...)...))
			if out.code != 0 {
				t.Logf("tried: %s", out.stdout)
				wantRecords(t, out.stdout, "ring3/error/v1")
				continue
			}
			wantRecords(t, out.stdout, "ring3/"+command+"/v1")
		}
	}
}

// hostileArguments can be given to a command: they hold no NUL.
var hostileArguments = []string{"\x1b[31m", "a\nb\r", "\x7f\u009b", "\xff\xfe", "\u202e", "", `"\`, "世界"}

// TestCommandOfTheRecordIsExact: who reads the record gets the arguments back to the byte.
func TestCommandOfTheRecordIsExact(t *testing.T) {
	bpftest.Exclusive(t)
	for _, tt := range []struct {
		name  string
		args  []string
		bytes bool // command cannot show it
	}{
		{"escape sequences", []string{"\x1b]0;title\a", "a\nb", `a\nb`, "\u202e", "", `"\`, "世界", "\ufffd"}, false},
		{"bytes that are no text", []string{"\x1b\xff\xfe", "\xe4", "plain"}, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			argv := append(command("exit", "0"), tt.args...)
			out := finish(t, asProcess(t, append([]string{"run", "--json", "-o", "-", "--"}, argv...)...))
			wantRecords(t, out.stdout, "ring3/run/v1")
			var r struct {
				Command []string
				Bytes   [][]byte `json:"command_base64"`
			}
			if err := json.Unmarshal([]byte(out.stdout), &r); err != nil {
				t.Fatal(err)
			}
			if tt.bytes != (r.Bytes != nil) {
				t.Errorf("command_base64 is %q", r.Bytes)
			}
			text := slices.Clone(argv)
			if tt.bytes {
				for i := range text {
					text[i] = string([]rune(text[i])) // U+FFFD for each byte that is no text
				}
				var exact []string
				for _, b := range r.Bytes {
					exact = append(exact, string(b))
				}
				if !slices.Equal(exact, argv) {
					t.Errorf("command_base64 is %q; want %q", exact, argv)
				}
			}
			if !slices.Equal(r.Command, text) {
				t.Errorf("command is %q; want %q", r.Command, text)
			}
		})
	}
}

// deadProcess is the number of a process that has just ended; the kernel gives the others their turn first.
func deadProcess(t *testing.T) string {
	t.Helper()
	argv := workload.Command("true")
	cmd := exec.Command(argv[0], argv[1:]...)
	if err := cmd.Run(); err != nil {
		t.Fatal(err)
	}
	return itoa(cmd.Process.Pid)
}

// TestTextOfHostileArgumentsIsHarmless looks at what probe run says, which names its command.
func TestTextOfHostileArgumentsIsHarmless(t *testing.T) {
	bpftest.Exclusive(t)
	out := finish(t, asProcess(t, append([]string{"run", "--"}, append(command("exit", "0"), hostileArguments...)...)...))
	if out.code != 0 || out.stderr == "" {
		t.Errorf("exit code %d, stderr %q", out.code, out.stderr)
	}
	wantHarmless(t, out.stdout+out.stderr)
}
