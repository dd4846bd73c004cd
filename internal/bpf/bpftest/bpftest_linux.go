// Package bpftest helps tests of what attaches eBPF programs.
package bpftest

import (
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"
)

// Exclusive keeps other test binaries that call it waiting until the test has ended. The go command runs
// the tests of several packages at once; two that load the machine to measure it, or that look for programs
// left behind, would see each other.
func Exclusive(t testing.TB) {
	t.Helper()
	path := filepath.Join(os.TempDir(), "ring3-ebpf.lock")
	f, err := os.OpenFile(path, os.O_RDONLY|os.O_CREATE, 0o666)
	if err != nil {
		t.Fatalf("open lock: %v", err)
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX); err != nil {
		t.Fatalf("lock %s: %v", path, err)
	}
	t.Cleanup(func() { f.Close() })
}
