package syscalls

import (
	"os"
	"structs"
	"unsafe"

	"golang.org/x/sys/unix"
)

// A KcmpResource is what of two processes [Kcmp] compares.
type KcmpResource int

// Resources of [Kcmp].
const (
	KCMP_FILE    KcmpResource = iota // open files behind two descriptors: indexes are the descriptors; [KcmpFiles] takes ints
	KCMP_VM                          // address spaces
	KCMP_FILES                       // tables of descriptors
	KCMP_FS                          // root, working directory and umask
	KCMP_SIGHAND                     // signal handlers
	KCMP_IO                          // contexts of I/O scheduling
	KCMP_SYSVSEM                     // lists of System V semaphores to undo

	kcmpEpollTarget // [KcmpEpoll]
)

// String names the resource as <linux/kcmp.h> does.
func (r KcmpResource) String() string {
	return valueName(int64(r), []string{"KCMP_FILE", "KCMP_VM", "KCMP_FILES", "KCMP_FS", "KCMP_SIGHAND", "KCMP_IO", "KCMP_SYSVSEM", "KCMP_EPOLL_TFD"})
}

// A KcmpOrder is the kernel's answer: whether two resources are one, and else an order to sort them by, which is
// as good as random but stays until the next boot.
type KcmpOrder int

// Orders of [Kcmp].
const (
	KcmpEqual     KcmpOrder = iota // one and the same
	KcmpLess                       // the first comes before the second
	KcmpGreater                    // the first comes after the second
	KcmpUnordered                  // not the same, and there is no order
)

// String names the order.
func (o KcmpOrder) String() string {
	return valueName(int64(o), []string{"equal", "less", "greater", "unordered"})
}

// Kcmp tells whether two processes, or threads, share a resource. The indexes are of meaning for KCMP_FILE only.
//
// Errors: ESRCH, no such process; EBADF, no such descriptor; EINVAL, no such resource; EPERM; ENOSYS, built without.
//
// Since Linux 3.5, with CONFIG_KCMP. Both processes must be ones that the caller may trace (PTRACE_MODE_READ_REALCREDS):
// its own, of the same user, or with CAP_SYS_PTRACE. Safe for concurrent use. kcmp(2).
func Kcmp(pid1, pid2 int, resource KcmpResource, index1, index2 uintptr) (KcmpOrder, error) {
	r, _, errno := RawSyscall6(unix.SYS_KCMP, uintptr(pid1), uintptr(pid2), uintptr(resource), index1, index2, 0)
	if errno != 0 {
		return 0, os.NewSyscallError("kcmp", errno)
	}
	return KcmpOrder(r), nil
}

// KcmpFiles tells whether descriptor fd1 of one process and fd2 of another are the same open file: one offset, one
// set of status flags. It is [Kcmp] with KCMP_FILE, its errors and its privilege. Since Linux 3.5.
func KcmpFiles(pid1, fd1, pid2, fd2 int) (KcmpOrder, error) {
	return Kcmp(pid1, pid2, KCMP_FILE, uintptr(fd1), uintptr(fd2))
}

// A KcmpEpollSlot is a place in an epoll instance: struct kcmp_epoll_slot.
type KcmpEpollSlot struct {
	_      structs.HostLayout
	Epoll  uint32 // descriptor of the instance, in the second process
	Target uint32 // descriptor as it was when it was added
	Offset uint32 // which of several added with that number, from 0
}

// KcmpEpoll tells whether descriptor fd1 of the first process is the open file that an epoll instance of the second
// watches in slot.
//
// Errors as [Kcmp] has; ENOENT, nothing in that slot; EBADF, no descriptor; EINVAL, no epoll instance.
//
// Since Linux 4.13, with CONFIG_KCMP and CONFIG_EPOLL. Privilege as Kcmp. Safe for concurrent use. kcmp(2), KCMP_EPOLL_TFD.
func KcmpEpoll(pid1, fd1, pid2 int, slot KcmpEpollSlot) (KcmpOrder, error) {
	r, _, errno := RawSyscall6(unix.SYS_KCMP, uintptr(pid1), uintptr(pid2), uintptr(kcmpEpollTarget), uintptr(fd1),
		uintptr(unsafe.Pointer(&slot)), 0)
	if errno != 0 {
		return 0, os.NewSyscallError("kcmp", errno)
	}
	return KcmpOrder(r), nil
}
