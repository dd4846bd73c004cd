package main

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/ring3-go/ring3/internal/bpf/bpftest"
	"github.com/ring3-go/ring3/internal/procfs"
	"github.com/ring3-go/ring3/internal/workload"
)

// A talker is a probe whose command says lines and listens.
type talker struct {
	*exec.Cmd
	file  string // of the record
	stdin io.WriteCloser
	lines *bufio.Reader
}

// prepareTalker makes a probe that is to be started.
func prepareTalker(t *testing.T, command []string) *talker {
	t.Helper()
	k := &talker{file: filepath.Join(t.TempDir(), "record")}
	k.Cmd = asProcess(t, runArgs(k.file, nil, command)...)
	var err error
	if k.stdin, err = k.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	stdout, err := k.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	k.lines = bufio.NewReader(stdout)
	return k
}

// startTalker starts probe and returns when its command has said "ready".
func startTalker(t *testing.T, command []string) *talker {
	t.Helper()
	k := prepareTalker(t, command)
	if err := k.Start(); err != nil {
		t.Fatal(err)
	}
	k.expect(t, "ready")
	return k
}

func (k *talker) expect(t *testing.T, want string) {
	t.Helper()
	line, err := k.lines.ReadString('\n')
	if err != nil || strings.TrimSpace(line) != want {
		t.Fatalf("the command said %q, %v; want %q", line, err, want)
	}
}

func TestSignalsReachTheCommand(t *testing.T) {
	bpftest.Exclusive(t)
	signals := passedOn
	// What was ignored when these tests began (nohup), probe would ignore too; what is caught here, it
	// begins with by default.
	caught := make(chan os.Signal, 1)
	signal.Notify(caught, syscall.SIGHUP, syscall.SIGINT)
	defer signal.Stop(caught)
	t.Run("and it goes on where it catches them", func(t *testing.T) {
		k := startTalker(t, command("signals"))
		for _, s := range signals {
			if err := k.Process.Signal(s); err != nil {
				t.Fatal(err)
			}
			k.expect(t, strconv.Itoa(int(s)))
		}
		k.stdin.Close()
		o, r := ended(t, k.Cmd), parseRecord(t, readFile(t, k.file))
		if o.code != len(signals) || r.ExitCode != len(signals) {
			t.Errorf("exit code %d, in the record %d; want the number of signals, %d", o.code, r.ExitCode, len(signals))
		}
	})
	// Of the others, a Go program ignores two and answers the third with a list of its goroutines.
	for _, s := range []syscall.Signal{syscall.SIGHUP, syscall.SIGINT, syscall.SIGTERM} {
		t.Run("and it ends by "+unix.SignalName(s), func(t *testing.T) {
			k := startTalker(t, workload.Command("-wait", "true"))
			if err := k.Process.Signal(s); err != nil {
				t.Fatal(err)
			}
			o, r := ended(t, k.Cmd), parseRecord(t, readFile(t, k.file))
			if want := 128 + int(s); o.code != want || r.ExitCode != want || r.Signal != unix.SignalName(s) {
				t.Errorf("exit code %d, in the record %d by %q; want %d", o.code, r.ExitCode, r.Signal, want)
			}
			if r.Backend.Faults != "procfs" && !r.Reconciled {
				t.Errorf("not reconciled: %+v", r)
			}
		})
	}
}

// TestProbeStopsWithItsCommand: what a shell calls a job has one more member than it knows of.
func TestProbeStopsWithItsCommand(t *testing.T) {
	bpftest.Exclusive(t)
	k := prepareTalker(t, command("cat"))
	// A group whose leader has its parent in the session and outside of the group: a job of ours.
	k.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := k.Start(); err != nil {
		t.Fatal(err)
	}
	fmt.Fprintln(k.stdin, "ready")
	k.expect(t, "ready")
	pid := k.Process.Pid
	children, err := procfs.Children(pid, pid)
	for tids, _ := procfs.Tasks(pid); err == nil && len(children) == 0 && len(tids) > 0; tids = tids[1:] {
		children, err = procfs.Children(pid, tids[0])
	}
	if err != nil || len(children) != 1 {
		t.Fatalf("children of probe: %v, %v; want the command alone", children, err)
	}
	state := func(pid int) byte {
		st, err := procfs.PidStat(pid)
		if err != nil {
			t.Fatal(err)
		}
		return st.State
	}
	for range 3 {
		if err := k.Process.Signal(syscall.SIGTSTP); err != nil {
			t.Fatal(err)
		}
		eventually(t, "probe and its command stand", func() bool { return state(pid) == 'T' && state(children[0]) == 'T' })
		if err := k.Process.Signal(syscall.SIGCONT); err != nil {
			t.Fatal(err)
		}
		eventually(t, "probe and its command go on", func() bool { return state(pid) != 'T' && state(children[0]) != 'T' })
		fmt.Fprintln(k.stdin, "again")
		k.expect(t, "again")
	}
	k.stdin.Close()
	if o, r := ended(t, k.Cmd), parseRecord(t, readFile(t, k.file)); o.code != 0 || r.ExitCode != 0 {
		t.Errorf("exit code %d, in the record %d; want 0", o.code, r.ExitCode)
	}
}

// A terminal sends the signals of its keys to the command itself, so probe must not send them again.
func TestKeysReachTheCommandOnce(t *testing.T) {
	bpftest.Exclusive(t)
	master, slave := openTerminal(t)
	file := filepath.Join(t.TempDir(), "record")
	cmd := asProcess(t, runArgs(file, nil, command("signals"))...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	cmd.Stdin, cmd.Stdout, cmd.Stderr = slave, slave, slave
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	slave.Close()
	lines := bufio.NewReader(master)
	read := func(want string) {
		t.Helper()
		line, err := lines.ReadString('\n')
		if got := strings.TrimLeft(strings.TrimSpace(line), `^C\Z`); err != nil || got != want {
			t.Fatalf("the command said %q, %v; want %q", line, err, want)
		}
	}
	read("ready")
	press := func(key string) func() {
		return func() { fmt.Fprint(master, key) }
	}
	var columns uint16 = 80
	causes := map[syscall.Signal]func(){
		syscall.SIGINT: press("\x03"), syscall.SIGQUIT: press("\x1c"), syscall.SIGTSTP: press("\x1a"),
		syscall.SIGWINCH: func() {
			columns++ // a size that is no news is no signal
			if err := unix.IoctlSetWinsize(int(master.Fd()), unix.TIOCSWINSZ, &unix.Winsize{Row: 24, Col: columns}); err != nil {
				t.Fatal(err)
			}
		},
	}
	const times = 10 // for two that come close together can pass for one
	for s, cause := range causes {
		for range times {
			cause()
			read(strconv.Itoa(int(s)))
			// Signals pass through probe in order, so a second one would show before this one.
			if err := cmd.Process.Signal(syscall.SIGUSR1); err != nil {
				t.Fatal(err)
			}
			read(strconv.Itoa(int(syscall.SIGUSR1)))
		}
	}
	fmt.Fprint(master, "\x04")
	if o, want := ended(t, cmd), 2*times*len(causes); o.code != want {
		t.Errorf("exit code %d; want %d, the number of signals", o.code, want)
	}
	parseRecord(t, readFile(t, file))
}

// openTerminal returns both ends of a new pseudo-terminal.
func openTerminal(t *testing.T) (master, slave *os.File) {
	t.Helper()
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	if err != nil {
		t.Skipf("tried: %v", err)
	}
	t.Cleanup(func() { master.Close() })
	n, err := unix.IoctlGetInt(int(master.Fd()), unix.TIOCGPTN)
	if err != nil {
		t.Skipf("tried: number of pseudo-terminal: %v", err)
	}
	if err := unix.IoctlSetPointerInt(int(master.Fd()), unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	slave, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Skipf("tried: %v", err)
	}
	return master, slave
}
