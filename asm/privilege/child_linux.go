//go:build amd64 || arm64

package privilege

import (
	"encoding/binary"
	"os"
	"runtime"
	"unsafe"

	"golang.org/x/sys/unix"
)

const (
	// marker is the first argument of a child; the name of the attempt follows.
	marker = "ring3-privilege"
	// reportFD is where the child writes: its function's address, then what the handler saw or what the
	// function left. The assembly knows the number too.
	reportFD = 3
)

// Child carries an attempt out where this process was started for one, and reports whether it was: the program
// should end at once then. Call it first in main or TestMain. More often than not it does not return in a
// child, because the kernel ends the process.
func Child() bool {
	if !isChild() {
		return false
	}
	for _, a := range Attempts() {
		if a.Name == os.Args[2] {
			a.carryOut()
		}
	}
	return true
}

func isChild() bool { return len(os.Args) == 3 && os.Args[1] == marker }

// carryOut runs the function with every signal that it can lead to handled by the assembly.
func (a Attempt) carryOut() {
	runtime.LockOSThread()
	report := os.NewFile(reportFD, "report")
	// The death of this process is expected, and no news for whoever collects core dumps.
	if err := unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0); err != nil {
		return
	}
	for _, signal := range []unix.Signal{unix.SIGILL, unix.SIGTRAP, unix.SIGBUS, unix.SIGFPE, unix.SIGSEGV} {
		if !handle(signal) {
			return
		}
	}
	if binary.Write(report, binary.NativeEndian, uint64(a.entry)) != nil {
		return
	}
	var out [2]uint64
	a.function(&out)
	_ = binary.Write(report, binary.NativeEndian, out) // the parent misses it where this fails
}

// handlers has where the signal handler and the code that it returns to begin.
var handlers [2]uintptr

// handle has the kernel call the handler in assembly for the first such signal. For the second, which a
// faulting instruction brings at once, it ends the process, so that the parent can see the signal too.
//
// The runtime's own handler is replaced: with it a fault would become a panic, of which less is known.
func handle(signal unix.Signal) bool {
	const (
		saSigInfo   = 0x4
		saRestorer  = 0x0400_0000
		saOnStack   = 0x0800_0000
		saResetHand = 0x8000_0000
		setBytes    = 8 // of a signal set
	)
	action := struct { // struct sigaction of the kernel
		handler, flags, restorer, mask uint64
	}{
		handler: uint64(handlers[0]),
		flags:   saSigInfo | saOnStack | saResetHand,
	}
	if handlers[1] != 0 {
		action.flags |= saRestorer
		action.restorer = uint64(handlers[1])
	}
	_, _, errno := unix.RawSyscall6(unix.SYS_RT_SIGACTION, uintptr(signal), uintptr(unsafe.Pointer(&action)), 0, setBytes, 0, 0)
	return errno == 0
}
