package kernelmatrix

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// The test binary plays two parts of other programs, chosen by how it is
// started: the emulator, and a tool that runs a machine and is killed.
const (
	actVariable  = "KERNELMATRIX_TEST_ACT"  // what the emulator does
	fifoVariable = "KERNELMATRIX_TEST_FIFO" // held open by the emulator as long as it lives
	toolVariable = "KERNELMATRIX_TEST_TOOL" // set: be the tool
)

func TestMain(m *testing.M) {
	switch {
	case strings.HasPrefix(filepath.Base(os.Args[0]), "qemu-system-"):
		os.Exit(playEmulator(os.Getenv(actVariable)))
	case os.Getenv(toolVariable) != "":
		err := fakeMachine().run(context.Background(), func(r io.Reader, _ func()) error { _, err := io.Copy(io.Discard, r); return err })
		fmt.Fprintln(os.Stderr, "tool:", err)
		os.Exit(1)
	}
	os.Exit(m.Run())
}

func playEmulator(act string) int {
	if name := os.Getenv(fifoVariable); name != "" {
		fifo, err := os.OpenFile(name, os.O_WRONLY, 0)
		if err != nil {
			fmt.Println(err)
			return 1
		}
		defer fifo.Close()
	}
	fmt.Println("[    0.0] Linux version")
	switch act {
	case "exit":
		return 3
	case "finish":
		NewFrameWriter(os.Stdout).Write(Frame{Kind: KindDone})
		return 0
	case "chatter":
		for {
			fmt.Println("[    1.0] still here")
			time.Sleep(10 * time.Millisecond) // far below any limit that a test sets
		}
	}
	time.Sleep(time.Hour) // "hang"; a block without a timer is a deadlock to the runtime
	return 0
}

// fakeMachine is a machine for the emulator above.
func fakeMachine() machine {
	return machine{
		kernel: CachedKernel{Kernel: Kernel{Arch: "amd64"}, Image: "vmlinuz"}, initramfs: "initramfs",
		memory: 1024, limit: time.Hour, silence: time.Hour,
	}
}

// useFakeEmulator puts this test binary into PATH under the emulators' names,
// with a way to act. The pipe that it returns ends when the emulator has died.
func useFakeEmulator(t *testing.T, act string) (fifo string) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := os.Symlink(self, filepath.Join(dir, "qemu-system-x86_64")); err != nil {
		t.Fatal(err)
	}
	fifo = filepath.Join(dir, "alive")
	if err := syscall.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", dir)
	t.Setenv(actVariable, act)
	t.Setenv(fifoVariable, fifo)
	return fifo
}

// awaitDeath returns when the emulator that started after this call has ended.
func awaitDeath(t *testing.T, fifo string) (wait func()) {
	t.Helper()
	ended := make(chan error, 1)
	go func() {
		f, err := os.Open(fifo) // blocks until the emulator opens it too
		if err == nil {
			_, err = io.Copy(io.Discard, f)
			f.Close()
		}
		ended <- err
	}()
	return func() {
		t.Helper()
		select {
		case err := <-ended:
			if err != nil {
				t.Error(err)
			}
		case <-time.After(30 * time.Second):
			t.Error("the emulator is still there")
		}
	}
}

func TestMachineEndsAsItShould(t *testing.T) {
	interrupted := errors.New("interrupted")
	for _, c := range []struct {
		act   string
		limit func(*machine)
		want  error // nil: the emulator's own end
	}{
		{"finish", func(*machine) {}, nil},
		{"hang", func(m *machine) { m.silence = 300 * time.Millisecond }, errSilent},
		{"chatter", func(m *machine) { m.limit = time.Second }, errLimit},
		{"chatter", func(m *machine) { m.silence, m.limit = 500*time.Millisecond, 2*time.Second }, errLimit},
		{"hang", nil, interrupted},
	} {
		dead := awaitDeath(t, useFakeEmulator(t, c.act))
		ctx, cancel := context.WithCancelCause(t.Context())
		m := fakeMachine()
		if c.limit != nil {
			c.limit(&m)
		}
		var text []byte
		err := m.run(ctx, func(r io.Reader, _ func()) error {
			if c.limit == nil {
				cancel(interrupted)
			}
			var err error
			text, err = io.ReadAll(r)
			return err
		})
		if !errors.Is(err, c.want) {
			t.Errorf("%s: error %v, want %v", c.act, err, c.want)
		}
		if c.limit != nil && !strings.Contains(string(text), "Linux version") {
			t.Errorf("%s: console %q", c.act, text)
		}
		if c.limit != nil {
			dead() // the interrupt may have come before the emulator opened the pipe
		}
		cancel(nil)
	}
}

func TestLimitBeginsAnewWithProgress(t *testing.T) {
	dead := awaitDeath(t, useFakeEmulator(t, "chatter"))
	m := fakeMachine()
	m.limit = time.Second
	var last time.Time
	err := m.run(t.Context(), func(r io.Reader, progress func()) error {
		lines := bufio.NewScanner(r)
		for start := time.Now(); lines.Scan(); {
			if time.Since(start) < 2*m.limit {
				progress()
				last = time.Now()
			}
		}
		return lines.Err()
	})
	if !errors.Is(err, errLimit) {
		t.Errorf("error %v, want %v", err, errLimit)
	}
	if since := time.Since(last); since < m.limit {
		t.Errorf("ended %v after the last progress, before its limit", since)
	}
	dead()
}

func TestMachineReportsTheEmulatorsFailure(t *testing.T) {
	useFakeEmulator(t, "exit")
	t.Setenv(fifoVariable, "")
	discard := func(r io.Reader, _ func()) error { _, err := io.Copy(io.Discard, r); return err }
	var exit *exec.ExitError
	if err := fakeMachine().run(t.Context(), discard); !errors.As(err, &exit) || exit.ExitCode() != 3 {
		t.Errorf("error %v, want exit status 3", err)
	}
	m := fakeMachine()
	m.kernel.Arch = "arm64" // that emulator is not there
	if err := m.run(t.Context(), discard); !errors.Is(err, exec.ErrNotFound) {
		t.Errorf("error %v, want %v", err, exec.ErrNotFound)
	}
}

func TestEmulatorDiesWithAKilledTool(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	fifo := useFakeEmulator(t, "chatter")
	tool := exec.Command(self)
	tool.Env = append(os.Environ(), toolVariable+"=1")
	if err := tool.Start(); err != nil {
		t.Fatal(err)
	}
	alive, err := os.Open(fifo) // blocks until the emulator runs
	if err != nil {
		t.Fatal(err)
	}
	defer alive.Close()
	if err := tool.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	tool.Wait()
	if err := alive.SetReadDeadline(time.Now().Add(30 * time.Second)); err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(io.Discard, alive); err != nil {
		t.Errorf("waiting for the end of the emulator: %v", err)
	}
}

func second(_ string, args []string) []string { return args }

func TestCommandLine(t *testing.T) {
	for arch, want := range map[string]string{
		"amd64": "qemu-system-x86_64 -M q35 -cpu max,-cx16 -accel tcg,thread=single -m 1024 -smp 2",
		"arm64": "qemu-system-aarch64 -M virt -cpu max -accel tcg,thread=single -m 1024 -smp 2",
	} {
		m := fakeMachine()
		m.kernel.Arch = arch
		program, args := m.qemu()
		if got := program + " " + strings.Join(args, " "); !strings.HasPrefix(got, want) {
			t.Errorf("%s: %s", arch, got)
		}
		if m.disk = "/tmp/a,b/disk"; !slices.ContainsFunc(second(m.qemu()), func(arg string) bool { return strings.HasSuffix(arg, ",file=/tmp/a,,b/disk") }) {
			t.Errorf("%s: the emulator would take the disk's name for options", arch)
		}
	}
}
