package syscalls

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// glibc, which is in programs of -race, registers its own area unless it is told not to.
const withoutRseq = "GLIBC_TUNABLES=glibc.pthread.rseq=0"

const rseqSignature = 0x53053053

// rseqFeatureSize is how much of the area this kernel has, as it tells each program; 0 where it is from before 6.3.
func rseqFeatureSize() (uintptr, error) {
	auxv, err := unix.Auxv()
	if err != nil {
		return 0, err
	}
	for _, pair := range auxv {
		if pair[0] == 27 { // AT_RSEQ_FEATURE_SIZE
			return pair[1], nil
		}
	}
	return 0, nil
}

// This child binds its thread to one processor after the other, and compares what the kernel wrote with getcpu(2).
var rseqChild = addChild("rseq", func() error {
	r, err := RegisterRseq(rseqSignature)
	if err != nil {
		return err
	}
	if _, err := RegisterRseq(rseqSignature); !isError(err, unix.EINVAL) {
		return fmt.Errorf("a second area: %w", err)
	}
	size, err := rseqFeatureSize()
	if err != nil {
		return err
	}
	var allowed unix.CPUSet
	if err := unix.SchedGetaffinity(0, &allowed); err != nil {
		return err
	}
	for cpu := range 1024 {
		if !allowed.IsSet(cpu) {
			continue
		}
		var one unix.CPUSet
		one.Set(cpu)
		if err := unix.SchedSetaffinity(0, &one); err != nil {
			return err
		}
		at, node, err := Getcpu()
		if err != nil {
			return err
		}
		got := r.Load()
		if at != cpu || got.CPUID != uint32(cpu) || got.CPUIDStart != uint32(cpu) {
			return fmt.Errorf("on processor %d the area has %+v", cpu, got)
		}
		switch {
		case size >= 24 && got.NodeID != uint32(node):
			return fmt.Errorf("on node %d the area has %+v", node, got)
		case size < 24 && (got.NodeID != 0 || got.MMCID != 0):
			return fmt.Errorf("a kernel of %d bytes wrote %+v", size, got)
		case size >= 28 && got.MMCID >= 1<<20:
			return fmt.Errorf("no number of a thread: %+v", got)
		}
	}
	closed := make(chan error)
	go func() { closed <- r.Close() }() // on another thread: this one is locked
	if err := <-closed; !isUnwrapped(err, unix.EINVAL) {
		return fmt.Errorf("another thread unregistered: %w", err)
	}
	if err := errors.Join(r.Close(), r.Close()); err != nil {
		return err
	}
	if got := r.Load(); got != (Rseq{CPUID: RSEQ_CPU_ID_UNINITIALIZED}) || r.Area() != 0 {
		return fmt.Errorf("after the end it has %+v", got)
	}
	r, err = RegisterRseq(rseqSignature) // there is room again
	if err != nil {
		return err
	}
	return r.Close()
})

func isUnwrapped(err, want error) bool {
	var call *os.SyscallError
	return errors.As(err, &call) && call.Err == want
}

// What this child has comes from glibc, if the program has it.
var rseqGlibcChild = addChild("rseq beside glibc", func() error {
	maps, err := os.ReadFile("/proc/self/maps")
	if err != nil {
		return err
	}
	r, err := RegisterRseq(rseqSignature)
	if strings.Contains(string(maps), "/libc.so") {
		if !isError(err, unix.EINVAL) {
			return fmt.Errorf("a thread of glibc's: %w", err)
		}
		return nil
	}
	if err != nil {
		return err
	}
	return r.Close()
})

func TestRseqTellsTheProcessor(t *testing.T)             { runChild(t, rseqChild, withoutRseq) }
func TestRseqIsTheCLibrarysWhereThereIsOne(t *testing.T) { runChild(t, rseqGlibcChild) }

func TestRseqMirror(t *testing.T) {
	checkOffsets(t, Rseq{}, 32, map[string]uintptr{ // include/uapi/linux/rseq.h
		"CPUIDStart": 0, "CPUID": 4, "CS": 8, "Flags": 16, "NodeID": 20, "MMCID": 24,
	})
}
