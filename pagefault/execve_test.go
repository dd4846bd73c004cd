//go:build linux && (amd64 || arm64)

package pagefault

import (
	"fmt"
	"os"
	"os/exec"
	"syscall"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"
)

const (
	execveEnv   = "RING3_EXECVE"
	execvePages = 200
	execveAt    = 1 << 44 // where nothing of a Go program's is
)

// execveChild is a program that touches shared memory and executes itself, and then private memory at the same
// addresses.
func execveChild() bool {
	var flags int
	switch os.Getenv(execveEnv) {
	case "":
		return false
	case "shared":
		flags = unix.MAP_SHARED
	case "private":
		flags = unix.MAP_PRIVATE
	}
	err := touchAt(execveAt, execvePages, flags)
	if err == nil && flags == unix.MAP_SHARED {
		err = syscall.Exec("/proc/self/exe", os.Args, []string{execveEnv + "=private"})
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	return true
}

// touchAt maps pages at an address and writes to each.
func touchAt(addr, pages uintptr, flags int) error {
	page := uintptr(os.Getpagesize())
	flags |= unix.MAP_ANONYMOUS | unix.MAP_FIXED_NOREPLACE
	p, err := unix.MmapPtr(-1, 0, *(*unsafe.Pointer)(unsafe.Pointer(&addr)), pages*page, unix.PROT_READ|unix.PROT_WRITE, flags)
	if err != nil {
		return os.NewSyscallError("mmap", err)
	}
	if err := unix.Madvise(unsafe.Slice((*byte)(p), pages*page), unix.MADV_NOHUGEPAGE); err != nil && err != unix.EINVAL {
		return os.NewSyscallError("madvise", err)
	}
	for i := range pages {
		*(*byte)(unsafe.Add(p, i*page)) = 1
	}
	return nil
}

// What an observer remembers of an address space ends with execve.
func TestExecveEndsWhatWasKnown(t *testing.T) {
	eachEBPF(t, func(t *testing.T, b Backend) {
		o := observe(t, Options{Target: Target{Children: true}, Backend: b})
		cmd := exec.Command("/proc/self/exe")
		cmd.Env, cmd.Stderr = []string{execveEnv + "=shared"}, os.Stderr
		if err := cmd.Run(); err != nil {
			t.Fatal(err)
		}
		got := make(map[Memory]uint64)
		for _, c := range snapshot(t, o).Classes {
			if c.Class.Event != EventFailed && c.Class.Event != EventFixedUp {
				got[c.Class.Memory] += c.Count
			}
		}
		// The program itself may lie in a tmpfs, which is shared memory too.
		if got[MemoryShmem] < execvePages || got[MemoryAnon] < execvePages || got[MemoryUnknown] > 0 {
			t.Errorf("%d faults in shared memory, %d in private, %d nobody knows where; want %d of each, and none",
				got[MemoryShmem], got[MemoryAnon], got[MemoryUnknown], execvePages)
		}
	})
}
