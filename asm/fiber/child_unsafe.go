//go:build linux

package fiber

import (
	"os"
	"unsafe"

	"golang.org/x/sys/unix"
)

// A child is what startChild needs of one: read by assembly alone.
type child struct {
	report *report   // shared with the child
	action sigaction // for SIGSEGV and SIGBUS
	mask   uint64    // what stays blocked: all others
	memory []byte    // of report
}

// A report is what the child says, in memory that both have.
type report struct {
	signal, code, addr, pc, sp uint64 // 0: no fault
	left                       int64  // turns it did not make
}

// A sigaction is the kernel's: struct kernel_sigaction in arch/x86/include/uapi/asm/signal.h and
// include/linux/signal_types.h, the same on both processors.
type sigaction struct {
	handler  uintptr
	flags    uint64
	restorer uintptr
	mask     uint64
}

// Flags of a sigaction, which x/sys lacks (asm-generic/signal.h).
const (
	saSiginfo  = 0x00000004 // the handler gets siginfo and ucontext
	saRestorer = 0x04000000 // restorer is set; without it amd64 delivers no signal
	saOnStack  = 0x08000000 // on the signal stack, not on the one in use
)

func newChild() (*child, error) {
	memory, err := unix.Mmap(-1, 0, os.Getpagesize(), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED|unix.MAP_ANONYMOUS)
	if err != nil {
		return nil, os.NewSyscallError("mmap", err)
	}
	c := &child{
		// A mapping begins at a page, and is no memory of Go's.
		report: (*report)(unsafe.Pointer(unsafe.SliceData(memory))),
		memory: memory,
		// The handler never returns, so that it is no matter which address the restorer has. The fiber's stack
		// is full, so that the handler needs another: the thread's signal stack, which Go has set up.
		action: sigaction{handler: faultEntry, flags: saSiginfo | saOnStack | saRestorer,
			restorer: faultEntry, mask: ^uint64(0)},
		mask: ^uint64(1<<(unix.SIGSEGV-1) | 1<<(unix.SIGBUS-1)),
	}
	return c, nil
}

func (c *child) unmap() { unix.Munmap(c.memory) }
