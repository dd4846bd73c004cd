package tool

import (
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

// aliveVariable names a pipe, and makes the test binary a bench that runs a tool, which holds it open.
const aliveVariable = "BENCH_TOOL_TEST_ALIVE"

func TestMain(m *testing.M) {
	if os.Getenv(aliveVariable) == "" {
		os.Exit(m.Run())
	}
	p, err := Start("sh", "-c", `exec 9>"$`+aliveVariable+`"; echo up >&9; exec sleep 3600`)
	if err != nil {
		os.Exit(1)
	}
	p.WaitLine("nothing") // far beyond the moment when this is killed
	os.Exit(1)
}

func TestToolDiesWithAKilledBench(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	fifo := filepath.Join(t.TempDir(), "alive")
	if err := syscall.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	bench := exec.Command(self)
	bench.Env = append(os.Environ(), aliveVariable+"="+fifo)
	if err := bench.Start(); err != nil {
		t.Fatal(err)
	}
	alive, err := os.Open(fifo) // blocks until the tool opens it too
	if err != nil {
		t.Fatal(err)
	}
	defer alive.Close()
	if _, err := io.ReadFull(alive, make([]byte, 3)); err != nil {
		t.Fatal(err)
	}
	if err := bench.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	bench.Wait()
	if err := alive.SetReadDeadline(time.Now().Add(30 * time.Second)); err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(io.Discard, alive); err != nil {
		t.Errorf("waiting for the end of the tool: %v", err)
	}
}
