package syscalls

import (
	"os"
	"runtime"
	"unsafe"

	"golang.org/x/sys/unix"
)

// modifyLDT calls with one of the functions: 0 reads the table, 0x11 writes an entry. The kernel returns a C int, so that
// an error comes as a number below 2^32 that is no error to anybody who looks at 64 bits (arch/x86/kernel/ldt.c).
func modifyLDT(function uintptr, p unsafe.Pointer, size uintptr) (int, error) {
	r, _, errno := Syscall6(unix.SYS_MODIFY_LDT, function, uintptr(p), size, 0, 0, 0)
	if n := int32(r); errno == 0 && n < 0 {
		errno = unix.Errno(-n)
	}
	if errno != 0 {
		return 0, os.NewSyscallError("modify_ldt", errno)
	}
	return int(int32(r)), nil
}

// LDT returns the local descriptor table of this process up to its last entry: nothing, where none was ever made.
//
// Errors: ENOSYS, a kernel without CONFIG_MODIFY_LDT_SYSCALL.
//
// amd64 only; elsewhere errors.ErrUnsupported. Since Linux 1.0. No privilege. Safe for concurrent use. modify_ldt(2).
func LDT() ([]SegmentDescriptor, error) {
	table := make([]SegmentDescriptor, LDT_ENTRIES)
	n, err := modifyLDT(0, unsafe.Pointer(&table[0]), LDT_ENTRIES*unsafe.Sizeof(table[0]))
	runtime.KeepAlive(table)
	if err != nil {
		return nil, err
	}
	return table[:n/int(unsafe.Sizeof(table[0]))], nil
}

// SetLDTEntry makes d an entry of the local descriptor table, which all threads of the process have. Nothing changes
// for who does not load its selector into a segment register, which Go never does.
//
// Errors: EINVAL, no such entry, flags that contradict each other, 16-bit code or stack where the kernel has none
// (CONFIG_X86_16BIT); ENOMEM; ENOSYS, a kernel without CONFIG_MODIFY_LDT_SYSCALL.
//
// amd64 only; elsewhere errors.ErrUnsupported. Since Linux 1.0. No privilege. Safe for concurrent use. modify_ldt(2).
func SetLDTEntry(d UserDesc) error {
	const write = 0x11
	_, err := modifyLDT(write, unsafe.Pointer(&d), unsafe.Sizeof(d))
	runtime.KeepAlive(&d)
	return err
}

// ClearLDTEntry empties an entry of the local descriptor table. The table keeps its length.
//
// Errors as [SetLDTEntry] has. amd64 only; elsewhere errors.ErrUnsupported.
func ClearLDTEntry(entry int) error {
	if entry < 0 || entry >= LDT_ENTRIES {
		return os.NewSyscallError("modify_ldt", unix.EINVAL)
	}
	// What the kernel takes for an empty entry (LDT_empty).
	return SetLDTEntry(UserDesc{Entry: uint32(entry), Flags: SegmentReadOnly | SegmentNotPresent})
}

// SegmentLimit returns the last offset of a segment, in bytes, as the processor reads it from the table (the LSL
// instruction). It is not ok where there is no such segment or it is not for programs; it does not fault.
//
// amd64 only; elsewhere it is never ok. No system call and no privilege. Safe for concurrent use. Intel SDM volume 2, LSL.
func SegmentLimit(selector uint16) (limit uint64, ok bool)
