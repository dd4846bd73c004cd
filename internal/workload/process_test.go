//go:build linux && (amd64 || arm64)

package workload

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// tasksMade returns how many processes and threads the kernel has made since it
// booted: line "processes" of /proc/stat.
func tasksMade(t *testing.T) int64 {
	t.Helper()
	text, err := os.ReadFile("/proc/stat")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if rest, ok := strings.CutPrefix(line, "processes "); ok {
			n, err := strconv.ParseInt(strings.TrimSpace(rest), 10, 64)
			if err != nil {
				t.Fatal(err)
			}
			return n
		}
	}
	t.Fatal("no line \"processes\" in /proc/stat")
	return 0
}

// threadsOf returns how many threads a process has.
func threadsOf(t *testing.T, pid int) int64 {
	t.Helper()
	tasks, err := os.ReadDir(fmt.Sprintf("/proc/%d/task", pid))
	if err != nil {
		t.Fatal(err)
	}
	return int64(len(tasks))
}

func TestChildrenAreMadeAndReaped(t *testing.T) {
	for _, tt := range []struct {
		args   []string
		n      int64
		faults int64 // the least that each child must have had
	}{
		{[]string{"forkbomb", "60"}, 60, 1},       // its stack was its parent's
		{[]string{"forkbomb", "60", "50"}, 60, 1}, // a full batch and a partial one
		{[]string{"execs", "3"}, 3, 50},           // the start of a runtime
	} {
		t.Run(strings.Join(tt.args, " "), func(t *testing.T) {
			c := start(t, tt.args...)
			before := tasksMade(t)
			advance(t, c)
			if made := tasksMade(t) - before; made < tt.n {
				t.Errorf("kernel made %d tasks; want %d", made, tt.n)
			}
			if r := finish(t, c); r.Children.MinorFaults < tt.n*tt.faults {
				t.Errorf("children's %+v; want %d minor faults each", r.Children, tt.faults)
			}
		})
	}
}

func TestThreadsAreMadeAndEnd(t *testing.T) {
	const n = 40
	c := start(t, "threads", strconv.Itoa(n))
	pid := c.Cmd.Process.Pid
	idle, before := threadsOf(t, pid), tasksMade(t)
	advance(t, c)
	if made := tasksMade(t) - before; made < n-idle {
		t.Errorf("kernel made %d tasks for %d threads, %d having been there", made, n, idle)
	}
	if left := threadsOf(t, pid); left > n/2 {
		t.Errorf("%d threads left; want those of the runtime", left)
	}
	finish(t, c)
}

func TestOrphanOutlivesItsParentUntilStdinHangsUp(t *testing.T) {
	// Orphans go to the nearest ancestor that asks for them: to the test.
	if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0); err != nil {
			t.Error(err)
		}
	}()
	argv := Command("orphan", "3600000")
	cmd := exec.CommandContext(t.Context(), argv[0], argv[1:]...)
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	// Wait would close the pipe; it is the orphan's as well. Output's end, on
	// the other hand, must not depend on the orphan.
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	keep := dup(t, stdin.(interface{ Fd() uintptr }).Fd())
	if err := cmd.Run(); err != nil || out.Len() != 0 {
		t.Fatalf("orphan: %v, output %q", err, &out)
	}
	if pid, err := unix.Wait4(-1, nil, unix.WNOHANG, nil); pid != 0 || err != nil {
		t.Fatalf("wait4 = %d, %v; want a child that still runs", pid, err)
	}
	unix.Close(keep)
	var usage unix.Rusage
	var status unix.WaitStatus
	if _, err := unix.Wait4(-1, &status, 0, &usage); err != nil || status != 0 {
		t.Fatalf("orphan ended with status %#x, %v", status, err)
	}
	if usage.Nvcsw < 1 {
		t.Errorf("orphan never waited")
	}
}

// dup returns a second descriptor for fd that no child inherits.
func dup(t *testing.T, fd uintptr) int {
	t.Helper()
	n, err := unix.FcntlInt(fd, unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func TestDeathBySignal(t *testing.T) {
	for _, tt := range []struct {
		args []string
		want syscall.Signal
	}{
		{[]string{"segv"}, syscall.SIGSEGV},
		{[]string{"kill-self", "TERM"}, syscall.SIGTERM},
		{[]string{"kill-self", "SIGQUIT"}, syscall.SIGQUIT}, // the runtime has a handler for it
		{[]string{"kill-self", "kill"}, syscall.SIGKILL},
		{[]string{"kill-self", "6"}, syscall.SIGABRT},
	} {
		t.Run(strings.Join(tt.args, " "), func(t *testing.T) {
			argv := Command(tt.args...)
			cmd := exec.CommandContext(t.Context(), argv[0], argv[1:]...)
			var exit *exec.ExitError
			if err := cmd.Run(); !errors.As(err, &exit) {
				t.Fatalf("ended with %v; want death by %v", err, tt.want)
			}
			status := exit.Sys().(syscall.WaitStatus)
			if !status.Signaled() || status.Signal() != tt.want || status.CoreDump() {
				t.Errorf("wait status %#x; want death by %v without a core", status, tt.want)
			}
		})
	}
}

func TestChildReportsDeathOfItsWorkload(t *testing.T) {
	c := start(t, "segv")
	if err := errors.Join(c.Release(), c.Finished()); err == nil {
		t.Error("Finished found nothing wrong")
	}
	var exit *exec.ExitError
	if _, err := c.Wait(); !errors.As(err, &exit) {
		t.Errorf("Wait: %v; want an *exec.ExitError", err)
	}
}

func TestStartSaysWhyAWorkloadDidNot(t *testing.T) {
	c, err := Start(t.Context(), "touch", "nothing")
	if err == nil || !strings.Contains(err.Error(), `size "nothing"`) {
		t.Errorf("Start = %v, %v; want what is wrong with the size", c, err)
	}
}

func TestRenameSetsAnyBytes(t *testing.T) {
	pages := pagesIn(t, "1MiB")
	for _, name := range []string{"plain", "\x1b[31mred\x1b[0m", "two\nlines", "a) R 1 (b", "\xff\xfe\x80", "fifteen letters"} {
		t.Run(fmt.Sprintf("%q", name), func(t *testing.T) {
			c := start(t, "rename", fmt.Sprintf("%x", name))
			advance(t, c)
			comm, err := os.ReadFile(fmt.Sprintf("/proc/%d/comm", c.Cmd.Process.Pid))
			if err != nil || string(comm) != name+"\n" {
				t.Errorf("comm %q, %v; want %q", comm, err, name)
			}
			between(t, "minor faults", finish(t, c).Thread.MinorFaults, pages, pages+noise)
		})
	}
}

func TestRenameWaitsForEndOfStdin(t *testing.T) {
	argv := Command("-report", "2", "rename", "78", "eof")
	cmd := exec.CommandContext(t.Context(), argv[0], argv[1:]...)
	var report bytes.Buffer
	cmd.Stderr = &report
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	// Input is not its end: this would make the pipe break if it were.
	if _, err := stdin.Write([]byte("no end\n")); err != nil {
		t.Error(err)
	}
	stdin.Close()
	if err := cmd.Wait(); err != nil || !strings.Contains(report.String(), `"workload":"rename"`) {
		t.Errorf("%v, report %q", err, &report)
	}
}
