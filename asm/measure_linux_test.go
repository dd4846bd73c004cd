package asm_test

import (
	"os"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/ring3-go/ring3/asm"
)

func TestMeasureCountsWhatTheKernelCounts(t *testing.T) {
	const pages = 64
	page := os.Getpagesize()
	cost, err := asm.Measure(3, func() {
		memory, err := unix.Mmap(-1, 0, pages*page, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANONYMOUS)
		if err != nil {
			t.Error(err)
			return
		}
		defer unix.Munmap(memory)
		if err := unix.Madvise(memory, unix.MADV_NOHUGEPAGE); err != nil && err != unix.EINVAL {
			t.Error(err)
		}
		for i := 0; i < len(memory); i += page {
			memory[i] = 1
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	// First touches, one a page; the runtime may touch some of its own.
	if cost.Faults < pages || cost.Faults > 2*pages {
		t.Errorf("%d faults, want %d", cost.Faults, pages)
	}
	// Long enough that even an emulated processor is in the scheduler before the timer expires.
	const asleep = 20 * time.Millisecond
	cost, err = asm.Measure(1, func() { unix.Nanosleep(&unix.Timespec{Nsec: int64(asleep)}, nil) })
	if err != nil {
		t.Fatal(err)
	}
	if cost.Switches < 1 || cost.Time < asleep || cost.Per(1e6) < 20 {
		t.Errorf("asleep for %v: %+v", asleep, cost)
	}
}

func TestMeasureKeepsTheFastest(t *testing.T) {
	calls := 0
	cost, err := asm.Measure(3, func() {
		calls++
		if calls != 2 {
			unix.Nanosleep(&unix.Timespec{Nsec: 50e6}, nil)
		}
	})
	if err != nil || calls != 3 || cost.Time >= 50*time.Millisecond {
		t.Errorf("%d calls, %v, %v", calls, cost.Time, err)
	}
}
