package main

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/ring3-go/ring3/internal/bpf/bpftest"
	"github.com/ring3-go/ring3/internal/workload"
)

func TestRunExitsAsItsCommandDid(t *testing.T) {
	bpftest.Exclusive(t)
	dir := t.TempDir()
	file := func(name, text string, mode fs.FileMode) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), mode); err != nil {
			t.Fatal(err)
		}
		return path
	}
	for _, tt := range []struct {
		name    string
		command []string
		code    int
		signal  string
		ran     bool
	}{
		{"0", command("exit", "0"), 0, "", true},
		{"7", command("exit", "7"), 7, "", true},
		{"126 of its own", command("exit", "126"), 126, "", true},
		{"255", command("exit", "255"), 255, "", true},
		{"SIGKILL is 128 + 9", workload.Command("kill-self", "9"), 137, "SIGKILL", true},
		{"SIGTERM is 128 + 15", workload.Command("kill-self", "15"), 143, "SIGTERM", true},
		{"a real-time signal has no name", workload.Command("kill-self", "40"), 168, "signal 40", true},
		{"not found in PATH is 127", []string{"ring3-no-such-command"}, 127, "", false},
		{"no name at all is 127", []string{""}, 127, "", false},
		{"not found by path is 127", []string{filepath.Join(dir, "missing")}, 127, "", false},
		{"not executable is 126", []string{file("data", "x", 0o644)}, 126, "", false},
		{"of no known format is 126", []string{file("garbage", "x", 0o755)}, 126, "", false},
		{"a directory is 126", []string{dir}, 126, "", false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			o, r := probeRun(t, nil, tt.command)
			if o.code != tt.code || r.ExitCode != tt.code || r.Signal != tt.signal {
				t.Errorf("exit code %d, in the record %d and signal %q; want %d and %q", o.code, r.ExitCode, r.Signal, tt.code, tt.signal)
			}
			if (r.WallNs > 0) != tt.ran {
				t.Errorf("wall time %d ns; did it run: %v", r.WallNs, tt.ran)
			}
			if tt.ran {
				return
			}
			o = finish(t, asProcess(t, append([]string{"run", "--"}, tt.command...)...))
			if o.code != tt.code || o.stdout != "" || !strings.HasPrefix(o.stderr, "probe: "+tt.command[0]+": ") {
				t.Errorf("as text: exit code %d, stdout %q, stderr %q", o.code, o.stdout, o.stderr)
			}
		})
	}
}

func TestFlagsAfterTheCommandAreItsOwn(t *testing.T) {
	bpftest.Exclusive(t)
	mark := filepath.Join(t.TempDir(), "--json")
	o := finish(t, asProcess(t, append([]string{"run"}, command("mark", mark)...)...))
	if _, err := os.Stat(mark); err != nil || o.code != 0 {
		t.Errorf("without --: exit code %d, %v; stderr %q", o.code, err, o.stderr)
	}
}

func TestACommandInARelativePathRuns(t *testing.T) {
	bpftest.Exclusive(t)
	dir := t.TempDir()
	if err := os.Symlink(executable(), filepath.Join(dir, "here")); err != nil {
		t.Fatal(err)
	}
	cmd := asProcess(t, "run", "--", "here", asCommand, "exit", "5")
	cmd.Dir = dir
	cmd.Env = append(cmd.Env, "PATH=.")
	if o := finish(t, cmd); o.code != 5 {
		t.Errorf("exit code %d; want 5; stderr %q", o.code, o.stderr)
	}
}

func TestStreamsAreTheCommands(t *testing.T) {
	needEBPF(t)
	bpftest.Exclusive(t)
	data := make([]byte, 1<<20)
	source := rand.NewChaCha8(sha256.Sum256([]byte(t.Name())))
	_, _ = source.Read(data)
	record := filepath.Join(t.TempDir(), "record")
	for _, tt := range []struct {
		name  string
		flags []string
		check func(t *testing.T, stdout, stderr string)
	}{
		{"report to standard error", nil, func(t *testing.T, stdout, stderr string) {
			if stdout != string(data) {
				t.Errorf("standard output is not what went in: %d bytes of %d", len(stdout), len(data))
			}
			if rest, ok := strings.CutPrefix(stderr, talkOfCat); !ok || !strings.Contains(rest, "exit 0") {
				t.Errorf("standard error: %.200q; want the command's word and then the report", stderr)
			}
		}},
		{"records to standard error", []string{"--json"}, func(t *testing.T, stdout, stderr string) {
			if stdout != string(data) {
				t.Errorf("standard output is not what went in: %d bytes of %d", len(stdout), len(data))
			}
			parseRecord(t, strings.TrimPrefix(stderr, talkOfCat))
		}},
		{"report to a file", []string{"-o", record}, func(t *testing.T, stdout, stderr string) {
			if stdout != string(data) || stderr != talkOfCat {
				t.Errorf("%d bytes to standard output and %.200q to standard error; want %d and %q", len(stdout), stderr, len(data), talkOfCat)
			}
			if text := readFile(t, record); !strings.Contains(text, "exit 0") || strings.Contains(text, "\x1b") {
				t.Errorf("in the file: %q", text)
			}
		}},
		{"records to standard output", []string{"--json", "-o", "-"}, func(t *testing.T, stdout, stderr string) {
			rest, ok := strings.CutPrefix(stdout, string(data))
			if !ok {
				t.Fatal("standard output does not begin with what went in")
			}
			parseRecord(t, rest)
			if stderr != talkOfCat {
				t.Errorf("standard error: %.200q", stderr)
			}
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			cmd := asProcess(t, append(append([]string{"run"}, tt.flags...), append([]string{"--"}, command("cat")...)...)...)
			cmd.Stdin = bytes.NewReader(data)
			o := finish(t, cmd)
			if o.code != 0 {
				t.Errorf("exit code %d", o.code)
			}
			tt.check(t, o.stdout, o.stderr)
		})
	}
}

func TestAReportThatCannotBeWritten(t *testing.T) {
	bpftest.Exclusive(t)
	t.Run("is found before the command runs", func(t *testing.T) {
		dir := t.TempDir()
		for name, file := range map[string]string{
			"no such directory": filepath.Join(dir, "missing", "report"), "a directory": dir,
		} {
			for _, flags := range [][]string{{"-o", file}, {"--json", "-o", file}} {
				mark := filepath.Join(t.TempDir(), "mark")
				o := finish(t, asProcess(t, append(append([]string{"run"}, flags...), append([]string{"--"}, command("mark", mark)...)...)...))
				if o.code != exitError || o.stdout != "" || !strings.Contains(o.stderr, file) {
					t.Errorf("%s: exit code %d, stdout %q, stderr %q", name, o.code, o.stdout, o.stderr)
				}
				if _, err := os.Stat(mark); !errors.Is(err, fs.ErrNotExist) {
					t.Errorf("%s: the command ran: %v", name, err)
				}
			}
		}
	})
	t.Run("is an error even so", func(t *testing.T) {
		const full = "/dev/full"
		if f, err := os.OpenFile(full, os.O_WRONLY, 0); err != nil {
			t.Skipf("tried: %v", err)
		} else {
			f.Close()
		}
		for _, command := range [][]string{command("exit", "0"), {"ring3-no-such-command"}} {
			o := finish(t, asProcess(t, append([]string{"run", "--json", "-o", full, "--"}, command...)...))
			if o.code != exitError || !strings.Contains(o.stderr, unix.ENOSPC.Error()) {
				t.Errorf("%q: exit code %d, stderr %q", command, o.code, o.stderr)
			}
		}
	})
}
