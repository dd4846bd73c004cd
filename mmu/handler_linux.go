package mmu

import (
	"errors"
	"fmt"
	"os"
	"reflect"
	"runtime"
	"strings"
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
	if err := together(marks()); err != nil {
		return err
	}
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
// handlers block all signals and run on the signal stack, and ours needs both. It also needs a siginfo_t, which
// a handler that C code put before Go's may do without: then it gets one, and pays no heed.
func chainSignal(signal syscall.Signal, next *uintptr) error {
	var action sigaction
	if err := rtSigaction(signal, nil, &action); err != nil {
		return err
	}
	const (
		dfl, ign = 0, 1 // SIG_DFL, SIG_IGN: no handler
		sigInfo  = 0x00000004
		onStack  = 0x08000000
	)
	if action.handler == dfl || action.handler == ign || action.flags&onStack == 0 {
		return fmt.Errorf("the Go runtime does not handle it here: %w", errors.ErrUnsupported)
	}
	*next = action.handler
	action.handler = handlerPC()
	action.flags |= sigInfo
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

// together looks whether all the code that may fault stands between the marks, and nothing else. The linker keeps
// the order of the source; with -randlayout it does not, and then the handler would take another's fault for ours.
func together(begin, end uintptr) error {
	wanted, found := map[string]bool{}, map[string]bool{}
	for _, f := range []any{
		guardedBegin, load8, load16, load32, load64, store8, store16, store32, store64,
		readBytes, writeBytes, copyBytes, zeroBytes, matchBytes,
	} {
		wanted[functionAt(reflect.ValueOf(f).Pointer())] = true
	}
	const align = 16 // of functions, at the least
	for pc := begin; pc < end; pc += align {
		name := functionAt(pc)
		if !wanted[name] {
			return fmt.Errorf("guarded code: %s stands in between: %w", name, errors.ErrUnsupported)
		}
		found[name] = true
	}
	if len(found) != len(wanted) {
		return fmt.Errorf("guarded code: not in one place: %w", errors.ErrUnsupported)
	}
	return nil
}

// functionAt is the name of a function in assembly, or of Go's wrapper of it.
func functionAt(pc uintptr) string {
	return strings.TrimSuffix(runtime.FuncForPC(pc).Name(), ".abi0")
}

// handlerPC is the address of the handler, and marks are those of guardedBegin and guardedEnd.
func handlerPC() uintptr
func marks() (begin, end uintptr)

// handler is for the kernel alone to call.
//
//lint:ignore U1000 assembly refers to it
func handler()

// guardedBegin and guardedEnd mark the code that may fault, and landed is where that goes on which did.
func guardedBegin()

//lint:ignore U1000 assembly refers to it
func guardedEnd()

//lint:ignore U1000 assembly refers to it
func landed(a, b, n uintptr) (r uint64, sig uint32, code int32, at uintptr)
