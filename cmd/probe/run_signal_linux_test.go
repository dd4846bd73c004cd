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
	"github.com/ring3-go/ring3/internal/workload"
)

// A talker is a probe whose command says lines and listens.
type talker struct {
	*exec.Cmd
	file  string // of the record
	stdin io.WriteCloser
	lines *bufio.Reader
}

// startTalker starts probe and returns when its command has said "ready".
func startTalker(t *testing.T, command []string) *talker {
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
	signals := []syscall.Signal{
		syscall.SIGHUP, syscall.SIGINT, syscall.SIGQUIT, syscall.SIGTERM, syscall.SIGUSR1, syscall.SIGUSR2,
	}
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

// A terminal sends Ctrl-C to the command itself, so probe must not send it again.
func TestCtrlCReachesTheCommandOnce(t *testing.T) {
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
		if got := strings.TrimPrefix(strings.TrimSpace(line), "^C"); err != nil || got != want {
			t.Fatalf("the command said %q, %v; want %q", line, err, want)
		}
	}
	read("ready")
	const ctrlC, ctrlD = "\x03", "\x04"
	const times = 20 // for two that come close together can pass for one
	for range times {
		fmt.Fprint(master, ctrlC)
		read(strconv.Itoa(int(syscall.SIGINT)))
		// Signals pass through probe in order, so a second SIGINT would show before this one.
		if err := cmd.Process.Signal(syscall.SIGUSR1); err != nil {
			t.Fatal(err)
		}
		read(strconv.Itoa(int(syscall.SIGUSR1)))
	}
	fmt.Fprint(master, ctrlD)
	if o := ended(t, cmd); o.code != 2*times {
		t.Errorf("exit code %d; want %d, the number of signals", o.code, 2*times)
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
