package asm

import (
	"testing"

	"golang.org/x/sys/unix"
)

// The kernel says where a thread runs and where it may.
func TestPinBindsTheThreadAndUnpinFreesIt(t *testing.T) {
	cpus, err := CPUs()
	if err != nil {
		t.Fatal(err)
	}
	for _, cpu := range cpus {
		unpin, err := Pin(cpu)
		if err != nil {
			t.Fatal(err)
		}
		var set unix.CPUSet
		if err := unix.SchedGetaffinity(0, &set); err != nil {
			t.Fatal(err)
		}
		if set.Count() != 1 || !set.IsSet(cpu) {
			t.Errorf("pinned to CPU %d; the thread may run on %d", cpu, set.Count())
		}
		unpin()
		if after, err := CPUs(); err != nil || len(after) != len(cpus) {
			t.Errorf("after unpin: %v, %v; want %v", after, err, cpus)
		}
	}
}

func TestPinRefusesACPUThatIsNotThere(t *testing.T) {
	for _, cpu := range []int{-1, 1000, 100_000} {
		if unpin, err := Pin(cpu); err == nil {
			unpin()
			t.Errorf("CPU %d: no error", cpu)
		}
	}
}
