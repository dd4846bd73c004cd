package syscalls

import (
	"os"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Mincore says which pages of a range are in memory: bit 0 of vec[i] is that of the page i; the other bits mean
// nothing. addr is a page's, length is in bytes, and vec needs a byte for each page that is begun. A page of a
// file counts where it is in the page cache, mapped or not; those of a file that the caller could not write all
// count (since 5.2).
//
// The answer may be old when it arrives. Errors: EINVAL, addr is no page's, or vec is too short, which is found
// before the kernel is asked; ENOMEM, a part is not mapped; EAGAIN, the kernel has no memory for the moment.
// Since 2.3.99; mincore(2).
func Mincore(addr, length uintptr, vec []byte) error {
	page := uintptr(os.Getpagesize())
	if pages := length/page + (length%page+page-1)/page; pages > uintptr(len(vec)) {
		return os.NewSyscallError("mincore", unix.EINVAL)
	}
	_, _, errno := Syscall6(unix.SYS_MINCORE, addr, length, uintptr(unsafe.Pointer(unsafe.SliceData(vec))), 0, 0, 0)
	return callError("mincore", errno)
}
