//go:build linux && (amd64 || arm64)

package workload

import (
	"errors"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

func TestRequested(t *testing.T) {
	for _, tt := range []struct {
		name string
		argv []string
		env  string
		want []string
		ok   bool
	}{
		{"nothing asked", []string{"x.test", "-test.v"}, "", nil, false},
		{"no arguments at all", nil, "", nil, false},
		{"marker", []string{"x.test", marker, "touch", "a b"}, "", []string{"touch", "a b"}, true},
		{"marker elsewhere is an argument", []string{"x.test", "run", marker}, "", nil, false},
		{"environment", []string{"x.test"}, " touch  4MiB ", []string{"touch", "4MiB"}, true},
		{"marker wins", []string{"x.test", marker, "true"}, "segv", []string{"true"}, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, ok := requested(tt.argv, tt.env)
			if !slices.Equal(got, tt.want) || ok != tt.ok {
				t.Errorf("requested = %q, %v; want %q, %v", got, ok, tt.want, tt.ok)
			}
		})
	}
}

func TestEnvironmentAsksForWorkload(t *testing.T) {
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), variable+"=kill-self KILL")
	var exit *exec.ExitError
	if err := cmd.Run(); !errors.As(err, &exit) || exit.ExitCode() != -1 {
		t.Errorf("ended with %v; want death by SIGKILL", err)
	}
}

func TestStdoutStaysEmpty(t *testing.T) {
	for _, line := range []string{
		"true", "touch 4096", "read-zero 4096", "fork-cow 4096", "file-map temp 4096", "shm 4096",
		"populate 4096", "pvw 4096", "failed-exec 4096", "userfault 4096", "failed 2", "futex-pingpong 2 2", "pipe-pingpong 2", "yield 2",
		"spin-pair 1", "sleep 1", "block read", "forkbomb 2", "execs 1", "threads 2", "orphan 1",
		"kill-self URG", "rename 78",
	} {
		t.Run(line, func(t *testing.T) {
			argv := Command(strings.Fields(line)...)
			out, err := exec.CommandContext(t.Context(), argv[0], argv[1:]...).CombinedOutput()
			if err != nil || len(out) != 0 {
				t.Errorf("%v, output %q", err, out)
			}
		})
	}
}

func TestWrongUsageIsExit2(t *testing.T) {
	for _, line := range []string{
		"", "no-such-workload", "-no-such-option true",
		"touch", "touch 0", "touch -1", "touch 4KB", "touch 1025GiB", "touch 1 2", "touch 99999999999999999999",
		"futex-pingpong 3 1", "futex-pingpong 2", "shm 4096 disk", "block accept", "kill-self NOPE", "kill-self 65",
		"rename", "rename 0", "rename 00", "rename 30313233343536373839303132333435", "rename 78 later",
	} {
		t.Run(line, func(t *testing.T) {
			argv := Command(strings.Fields(line)...)
			cmd := exec.CommandContext(t.Context(), argv[0], argv[1:]...)
			out, err := cmd.CombinedOutput()
			if cmd.ProcessState.ExitCode() != exitUsage || len(out) == 0 {
				t.Errorf("%v, output %q; want exit code %d and a reason", err, out, exitUsage)
			}
		})
	}
}

func TestHelpListsEveryWorkload(t *testing.T) {
	argv := Command("-h")
	out, err := exec.CommandContext(t.Context(), argv[0], argv[1:]...).CombinedOutput()
	if err != nil {
		t.Fatal(err)
	}
	for _, w := range table() {
		if !strings.Contains(string(out), "\n  "+strings.TrimSpace(w.name+" "+w.params)+"\n") {
			t.Errorf("%s is missing in\n%s", w.name, out)
		}
	}
}

func TestFirstThreadIsFoundFromAnyOther(t *testing.T) {
	tid := 0
	result := make(chan error)
	search := func() { result <- onFirstThread(func() { tid = unix.Gettid() }) }
	go func() {
		runtime.LockOSThread()
		if unix.Gettid() != unix.Getpid() {
			defer runtime.UnlockOSThread()
			search()
			return
		}
		// This goroutine has the first thread. While it keeps it, another one
		// gets a thread that is not the first.
		kept, free := make(chan struct{}), make(chan struct{})
		go func() {
			runtime.LockOSThread()
			defer runtime.UnlockOSThread()
			close(kept)
			<-free
			search()
		}()
		<-kept
		runtime.UnlockOSThread()
		close(free)
	}()
	if err := <-result; err != nil || tid != unix.Getpid() {
		t.Errorf("ran on thread %d of process %d, %v", tid, unix.Getpid(), err)
	}
}

func FuzzParseSize(f *testing.F) {
	for _, s := range []string{"4096", "64KiB", "4MiB", "1GiB", "0", "-1", "1025GiB", "KiB", "18446744073709551615GiB"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		n, err := parseSize(s)
		if err == nil && (n == 0 || n > sizeMax) {
			t.Errorf("parseSize(%q) = %d", s, n)
		}
	})
}

func FuzzParseAnonHuge(f *testing.F) {
	const smaps = "1000-2000 rw-p 00000000 00:00 0 [heap]\nRss: 4 kB\nAnonHugePages: 0 kB\n" +
		"200000-600000 rw-p 00000000 00:00 0\nRss: 4096 kB\nAnonHugePages: 2048 kB\n"
	f.Add(smaps, uint64(0x200000))
	f.Add("2-1 \nAnonHugePages: -1 kB", uint64(1))
	f.Fuzz(func(t *testing.T, text string, addr uint64) {
		got, err := parseAnonHuge(strings.NewReader(text), uintptr(addr))
		if text == smaps && addr == 0x200000 && (got != 2<<20 || err != nil) {
			t.Errorf("parseAnonHuge = %d, %v; want the 2 MiB of its mapping", got, err)
		}
	})
}
