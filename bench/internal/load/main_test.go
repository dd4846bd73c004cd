//go:build linux

package main

import (
	"os"
	"os/exec"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// The test program is the load when it is told so: its events are then read from its rusage.
func TestMain(m *testing.M) {
	if os.Getenv("LOAD") != "" {
		main()
		return
	}
	os.Exit(m.Run())
}

// firstCPU is one that this process may use.
func firstCPU(t *testing.T) string {
	t.Helper()
	var set unix.CPUSet
	if err := unix.SchedGetaffinity(0, &set); err != nil {
		t.Fatal(err)
	}
	for cpu := 0; cpu < 10; cpu++ {
		if set.IsSet(cpu) {
			return string(rune('0' + cpu))
		}
	}
	t.Skip("none of the first ten processors may be used")
	return ""
}

func rusageOf(t *testing.T, args ...string) *syscall.Rusage {
	t.Helper()
	cmd := exec.Command("/proc/self/exe", args...)
	cmd.Env = append(os.Environ(), "LOAD=1")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %v: %s", args, err, out)
	}
	return cmd.ProcessState.SysUsage().(*syscall.Rusage)
}

func TestSwitchesAreVoluntary(t *testing.T) {
	const n = 20000
	ru := rusageOf(t, "switches", "20000", firstCPU(t))
	// Whoever else wants the processor takes a thread off between its write and its read; the byte is then there
	// already, and so is the next of the other thread.
	if ru.Nvcsw+2*ru.Nivcsw < n*9/10 || ru.Nvcsw > n*11/10 {
		t.Errorf("%d voluntary switches, %d involuntary; want about %d", ru.Nvcsw, ru.Nivcsw, n)
	}
}

func TestFaultsAreOneAPage(t *testing.T) {
	want := int64(3 * (8 << 20) / os.Getpagesize())
	ru := rusageOf(t, "faults", "8", "3", firstCPU(t))
	if ru.Minflt < want || ru.Minflt > want+4096 {
		t.Errorf("%d faults; want %d and those of a start", ru.Minflt, want)
	}
}
