package vdso

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/ring3-go/ring3/syscalls"
)

// What the assembly needs to store g where a signal handler looks for it; written once, by prepare.
var (
	//lint:ignore U1000 the assembly reads it
	saveG bool
	//lint:ignore U1000 the assembly reads them
	mOffset, gsignalOffset uintptr
)

func goroutine() uintptr // of the caller
func hasCgo() bool

// prepare finds out how the runtime is to be told which goroutine is in the vDSO. An error means that the vDSO
// is not to be called.
func prepare() error {
	if hasCgo() {
		return nil
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	var err error
	mOffset, gsignalOffset, err = signalOffsets(goroutine())
	saveG = err == nil
	return err
}

// signalOffsets returns where the thread of goroutine g is in it, and where in that is the goroutine that
// handles the thread's signals. They are not guessed from the version of Go: the kernel knows the thread's
// signal stack, and a goroutine begins with the two ends of its stack and, as g does, has its thread
// somewhere. What has exactly these ends, and this thread in the same place as g has it, is the one.
//
// Memory is read by the kernel on our behalf, so that a word that is no address gives an error and no fault.
func signalOffsets(g uintptr) (mOffset, gsignalOffset uintptr, err error) {
	var stack signalStack
	if _, _, errno := syscalls.RawSyscall(unix.SYS_SIGALTSTACK, 0, uintptr(unsafe.Pointer(&stack)), 0); errno != 0 {
		return 0, 0, os.NewSyscallError("sigaltstack", errno)
	}
	const words = 32 // of each struct; both have more, and what is looked for is near the beginning
	var ofG, ofM, candidate [words]uintptr
	if err := readSelf(&ofG, g); err != nil {
		return 0, 0, err
	}
	for i, m := range ofG {
		if m == 0 || m%8 != 0 || readSelf(&ofM, m) != nil {
			continue
		}
		for j, gsignal := range ofM {
			if gsignal == 0 || gsignal%8 != 0 || readSelf(&candidate, gsignal) != nil {
				continue
			}
			if candidate[0] == stack.base && candidate[1] == stack.base+stack.size && candidate[i] == m {
				return uintptr(i) * 8, uintptr(j) * 8, nil
			}
		}
	}
	return 0, 0, errors.New("vdso: this runtime keeps its signal stack where it is not found")
}

// signalStack is stack_t of sigaltstack(2).
type signalStack struct {
	base  uintptr
	flags int32
	size  uintptr
}

// readSelf copies this process's memory at an address.
func readSelf(to *[32]uintptr, from uintptr) error {
	size := int(unsafe.Sizeof(*to))
	local := []unix.Iovec{{Base: (*byte)(unsafe.Pointer(to)), Len: uint64(size)}}
	remote := []unix.RemoteIovec{{Base: from, Len: size}}
	n, err := unix.ProcessVMReadv(os.Getpid(), local, remote, 0)
	if err == nil && n != size {
		err = unix.EFAULT
	}
	if err != nil {
		return fmt.Errorf("vdso: read own memory: %w", os.NewSyscallError("process_vm_readv", err))
	}
	return nil
}
