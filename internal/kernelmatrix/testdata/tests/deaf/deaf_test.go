// Package deaf has a test that only the guest can end, after one that leaves a
// process behind which holds its output open.
package deaf

import (
	"os"
	"os/exec"
	"syscall"
	"testing"
	"time"
)

func TestLeavesChild(t *testing.T) {
	if os.Getenv("CHILD") != "" {
		time.Sleep(time.Hour)
	}
	cmd := exec.Command(os.Args[0], "-test.run=TestLeavesChild")
	cmd.Env = append(os.Environ(), "CHILD=1")
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
}

func TestStops(t *testing.T) {
	if err := syscall.Kill(os.Getpid(), syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	time.Sleep(time.Hour)
}
