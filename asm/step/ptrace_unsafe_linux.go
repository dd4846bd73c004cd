package step

import (
	"os"
	"unsafe"

	"golang.org/x/sys/unix"
)

// getRegset fills b with a register set of a stopped thread (a note type of ELF core files) and returns its
// size. The kernel writes at most as much as the vector says that b has, within the call.
func getRegset(tid, set int, b []byte) (int, error) {
	return regset(unix.PTRACE_GETREGSET, tid, set, b)
}

// setRegset writes a register set; the kernel only reads b.
func setRegset(tid, set int, b []byte) error {
	_, err := regset(unix.PTRACE_SETREGSET, tid, set, b)
	return err
}

func regset(request, tid, set int, b []byte) (int, error) {
	vector := unix.Iovec{Base: unsafe.SliceData(b)}
	vector.SetLen(len(b))
	_, _, errno := unix.Syscall6(unix.SYS_PTRACE, uintptr(request), uintptr(tid), uintptr(set), uintptr(unsafe.Pointer(&vector)), 0, 0)
	if errno != 0 {
		return 0, os.NewSyscallError("ptrace(REGSET)", errno)
	}
	return int(vector.Len), nil
}

// getSiginfo reads siginfo_t, which is 128 bytes on every architecture.
func getSiginfo(tid int, info *[128]byte) error {
	_, _, errno := unix.Syscall6(unix.SYS_PTRACE, unix.PTRACE_GETSIGINFO, uintptr(tid), 0, uintptr(unsafe.Pointer(info)), 0, 0)
	if errno != 0 {
		return os.NewSyscallError("ptrace(GETSIGINFO)", errno)
	}
	return nil
}
