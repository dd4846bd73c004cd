//go:build amd64 || arm64

package pagefault

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/ring3-go/ring3/syscalls"
)

const (
	// childMarker is the first argument of a child.
	childMarker = "ring3-pagefault"
	// reportFD is where the child reports. Assembly knows the number.
	reportFD = 3
)

// What the handler writes.
const (
	infoBytes = 128 // siginfo_t, all of it
	codeBytes = 16
)

// Child does the work of a child process where this one was started as one ([Exception.Catch], [CatchAccess],
// [Cause.Run]), and reports whether it was: the program should end at once then. Call it first in main or
// TestMain. A child that raises an exception does not return from it.
func Child() bool {
	if !isChild() {
		return false
	}
	// The death of a child is expected, and no news for whoever collects core dumps.
	_ = unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0)
	if err := child(os.Args[2], os.Args[3:]); err != nil {
		// Whoever started it reads this; where he is gone, nobody misses it.
		_, _ = unix.Write(reportFD, []byte(reportError+err.Error()))
	}
	return true
}

func isChild() bool { return len(os.Args) > 3 && os.Args[1] == childMarker }

func child(what string, args []string) error {
	switch {
	case what == "raise":
		for _, e := range Exceptions() {
			if e.Name == args[0] && e.Cannot == "" {
				return e.raise()
			}
		}
	case what == "access" && len(args) == 2:
		access, err := strconv.Atoi(args[0])
		addr, addrErr := strconv.ParseUint(args[1], 16, 64)
		if err == nil && addrErr == nil {
			return Exception{number: touches[Access(access)], addr: func() (uintptr, error) { return uintptr(addr), nil }}.raise()
		}
	case what == "cause" && len(args) == 5:
		return causeInChild(args)
	case what == "serve":
		return serveInChild(args[0])
	}
	return fmt.Errorf("child of another version of this program: %q", os.Args)
}

// raise raises the exception with every signal that it can lead to handled by assembly, which reports and ends
// the process.
func (e Exception) raise() error {
	runtime.LockOSThread()
	var arg uintptr
	if e.addr != nil {
		var err error
		if arg, err = e.addr(); err != nil {
			return err
		}
	}
	if _, err := unix.Write(reportFD, []byte(reportBegin)); err != nil {
		return err
	}
	for _, signal := range []unix.Signal{unix.SIGILL, unix.SIGTRAP, unix.SIGBUS, unix.SIGFPE, unix.SIGSEGV} {
		if err := handle(signal, handlerReports); err != nil {
			return err
		}
	}
	raise(e.number, arg)
	_, err := unix.Write(reportFD, []byte(reportNone))
	return err
}

// raise carries out the instruction of that number; the table is in assembly. arg is the address that it goes to,
// where it goes to one.
//
//go:noescape
func raise(number int, arg uintptr)

// Handlers of signals, in assembly, by number.
const (
	handlerReports = iota // writes what it was given to the report and ends the process
	handlerSkips          // goes on where the register says that catching code keeps for it
	handlerReturns        // is no handler but where amd64 returns to from one
	handlers
)

// handlerAddresses has where they begin.
var handlerAddresses [handlers]uintptr

// handle replaces the Go runtime's handler of a signal, in a process that has no other use.
func handle(signal unix.Signal, handler int) error {
	const (
		saSigInfo  = 0x4
		saRestorer = 0x0400_0000
		saOnStack  = 0x0800_0000
		setBytes   = 8 // of a signal set
	)
	action := struct{ handler, flags, restorer, mask uint64 }{ // struct sigaction of the kernel
		handler: uint64(handlerAddresses[handler]),
		flags:   saSigInfo | saOnStack,
	}
	if runtime.GOARCH == "amd64" {
		action.flags |= saRestorer
		action.restorer = uint64(handlerAddresses[handlerReturns])
	}
	_, _, errno := unix.RawSyscall6(unix.SYS_RT_SIGACTION, uintptr(signal), uintptr(unsafe.Pointer(&action)), 0, setBytes, 0, 0)
	if errno != 0 {
		return os.NewSyscallError("rt_sigaction", errno)
	}
	return nil
}

// reportJSON is what a child reports that lives on.
func reportJSON(v any) error {
	b, err := json.Marshal(v)
	if err != nil {
		return err
	}
	_, err = unix.Write(reportFD, b)
	return err
}

// Addresses of which it is known what an access to them gives.

// nonCanonical has the bits above the widest page tables' neither all zero nor all one.
const nonCanonical = 1 << 62

// protectNone maps a page without access.
func protectNone() (uintptr, error) { return badPage(unix.PROT_NONE) }

// protectRead maps a page that can be read, and was.
func protectRead() (uintptr, error) { return badPage(unix.PROT_READ) }

func badPage(prot int) (uintptr, error) {
	m, err := mapRegion(-1, int64(os.Getpagesize()), unix.MAP_PRIVATE|unix.MAP_ANONYMOUS)
	if err != nil {
		return 0, err
	}
	m[0] = 0
	return addressOf(m), os.NewSyscallError("mprotect", unix.Mprotect(m, prot))
}

// writable maps a page that can be written but not executed.
func writable() (uintptr, error) { return badPage(unix.PROT_READ | unix.PROT_WRITE) }

// unmapped is where no mapping is, and none comes by itself: the second page, which is below vm.mmap_min_addr.
func unmapped() (uintptr, error) {
	page := pageLength()
	if err := syscalls.Mincore(page, page, make([]byte, 1)); !errors.Is(err, unix.ENOMEM) {
		return 0, fmt.Errorf("there is a mapping at %#x: %w", page, errors.ErrUnsupported)
	}
	return page, nil
}

// beyondEnd maps a page of a file that ends before it.
func beyondEnd() (uintptr, error) {
	fd, err := unix.MemfdCreate("ring3-empty", unix.MFD_CLOEXEC)
	if err != nil {
		return 0, os.NewSyscallError("memfd_create", err)
	}
	defer unix.Close(fd)
	m, err := mapRegion(fd, int64(os.Getpagesize()), unix.MAP_SHARED)
	return addressOf(m), err
}

func constant(addr uintptr) func() (uintptr, error) {
	return func() (uintptr, error) { return addr, nil }
}
