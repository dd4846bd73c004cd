package mmu

import (
	"errors"
	"fmt"
	"os"
	"structs"
	"sync"
	"sync/atomic"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// What the handler in guarded_*.s hands every signal to that it does not know: the handlers that were there
// before it. Each is written once, before the kernel learns of ours.
var nextSEGV, nextBUS uintptr

// chained is set when our handler is in place, and never reset.
var chained atomic.Bool

var chainOnce = sync.OnceValue(chain)

// ready puts the handler in place at the first access of a process.
func ready() error {
	if chained.Load() {
		return nil
	}
	return chainOnce()
}

func chain() error {
	for _, h := range []struct {
		signal syscall.Signal
		next   *uintptr
	}{{syscall.SIGSEGV, &nextSEGV}, {syscall.SIGBUS, &nextBUS}} {
		if err := chainSignal(h.signal, h.next); err != nil {
			return fmt.Errorf("guard against %v: %w", h.signal, err)
		}
	}
	chained.Store(true)
	return nil
}

// A sigaction is struct sigaction of the kernel, the same on amd64 and arm64
// (include/linux/signal_types.h); the C library's differs.
type sigaction struct {
	_        structs.HostLayout
	handler  uintptr
	flags    uint64
	restorer uintptr
	mask     uint64
}

// chainSignal puts our handler before the one that a signal has, and keeps everything else of it: Go's
// handlers block all signals and run on the signal stack, and ours needs both.
func chainSignal(signal syscall.Signal, next *uintptr) error {
	var action sigaction
	if err := rtSigaction(signal, nil, &action); err != nil {
		return err
	}
	const (
		dfl, ign = 0, 1 // SIG_DFL, SIG_IGN: no handler
		onStack  = 0x08000000
	)
	if action.handler == dfl || action.handler == ign || action.flags&onStack == 0 {
		return fmt.Errorf("the Go runtime does not handle it here: %w", errors.ErrUnsupported)
	}
	*next = action.handler
	action.handler = handlerPC()
	return rtSigaction(signal, &action, nil)
}

func rtSigaction(signal syscall.Signal, set, old *sigaction) error {
	_, _, errno := unix.RawSyscall6(unix.SYS_RT_SIGACTION, uintptr(signal),
		uintptr(unsafe.Pointer(set)), uintptr(unsafe.Pointer(old)), unsafe.Sizeof(sigaction{}.mask), 0, 0)
	if errno != 0 {
		return os.NewSyscallError("rt_sigaction", errno)
	}
	return nil
}

// handlerPC is the address of the handler.
func handlerPC() uintptr

// handler is for the kernel alone to call.
//
//lint:ignore U1000 assembly refers to it
func handler()

// guardedBegin and guardedEnd mark the code that may fault, and landed is where that goes on which did.
//
//lint:ignore U1000 assembly refers to it
func guardedBegin()

//lint:ignore U1000 assembly refers to it
func guardedEnd()

//lint:ignore U1000 assembly refers to it
func landed(a, b, n uintptr) (r uint64, sig uint32, code int32, at uintptr)
