//go:build linux

package syscall

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"runtime"
	"strings"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Clock is a clock of the vDSO's. It is of this process and must not be used in another.
type Clock struct{ fn uintptr }

// NewClock finds clock_gettime in the vDSO: the kernel says in the auxiliary vector where it has mapped that,
// and it is an ELF file with a table of symbols. The error matches [errors.ErrUnsupported] where there is none.
func NewClock() (Clock, error) {
	base, err := imageBase()
	if err != nil {
		return Clock{}, err
	}
	image, err := imageAt(base)
	if err != nil {
		return Clock{}, err
	}
	file, err := elf.NewFile(bytes.NewReader(image))
	if err != nil {
		return Clock{}, fmt.Errorf("read the vDSO: %w", err)
	}
	symbols, err := file.DynamicSymbols()
	if err != nil {
		return Clock{}, fmt.Errorf("read the vDSO: %w", err)
	}
	for _, s := range symbols {
		if s.Name == clockName {
			return Clock{base + uintptr(s.Value)}, nil // the image is linked at 0
		}
	}
	return Clock{}, fmt.Errorf("the vDSO has no %s: %w", clockName, errors.ErrUnsupported)
}

// imageBase is AT_SYSINFO_EHDR of the auxiliary vector, which the kernel puts on a new program's stack.
func imageBase() (uintptr, error) {
	const sysinfoEHDR = 33
	vector, err := os.ReadFile("/proc/self/auxv")
	if err != nil {
		return 0, err
	}
	for ; len(vector) >= 16; vector = vector[16:] {
		if binary.NativeEndian.Uint64(vector) == sysinfoEHDR {
			return uintptr(binary.NativeEndian.Uint64(vector[8:])), nil
		}
	}
	return 0, fmt.Errorf("the kernel has mapped no vDSO: %w", errors.ErrUnsupported)
}

// imageAt copies the mapping that begins at base.
func imageAt(base uintptr) ([]byte, error) {
	maps, err := os.ReadFile("/proc/self/maps")
	if err != nil {
		return nil, err
	}
	for line := range strings.Lines(string(maps)) {
		var from, to uintptr
		if _, err := fmt.Sscanf(line, "%x-%x ", &from, &to); err == nil && from == base {
			// It stays mapped for as long as the process lives, and the collector has nothing to do with it: its
			// address may be a number.
			start := *(**byte)(unsafe.Pointer(&base))
			return bytes.Clone(unsafe.Slice(start, to-from)), nil
		}
	}
	return nil, fmt.Errorf("nothing is mapped at %#x, where the vDSO should be", base)
}

// Now is the time of a clock (unix.CLOCK_MONOTONIC and so on) in nanoseconds. On arm64 it asks the kernel where
// the thread's signal stack is, which is a system call after all; who reads the clock often asks once.
func (c Clock) Now(clock int32) (int64, error) {
	if c.fn == 0 {
		return 0, fmt.Errorf("the clock is not from NewClock: %w", unix.EINVAL)
	}
	// The signal stack is the thread's, so the goroutine has to stay on it.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	base, err := signalStack()
	if err != nil {
		return 0, err
	}
	var ts [2]int64
	if err := Errno(call(c.fn, int64(clock), &ts, base)); err != nil {
		return 0, fmt.Errorf("clock_gettime(%d): %w", clock, err)
	}
	return ts[0]*1e9 + ts[1], nil
}
