package syscalls

import (
	"os"
	"strconv"
	"structs"
	"unsafe"

	"golang.org/x/sys/unix"
)

// An UffdEvent is what an [UffdMsg] is about.
type UffdEvent uint8

const (
	UFFD_EVENT_PAGEFAULT UffdEvent = 0x12 // a fault: [UffdMsg.Pagefault]. Since 4.3
	UFFD_EVENT_FORK      UffdEvent = 0x13 // a fork: [UffdMsg.Fork]. Since 4.11
	UFFD_EVENT_REMAP     UffdEvent = 0x14 // memory moved: [UffdMsg.Remap]. Since 4.11
	UFFD_EVENT_REMOVE    UffdEvent = 0x15 // pages are dropped: [UffdMsg.Remove]. Since 4.11
	UFFD_EVENT_UNMAP     UffdEvent = 0x16 // memory is unmapped: [UffdMsg.Remove]. Since 4.11
)

// String returns the name that linux/userfaultfd.h gives the event, or the number where it has none.
func (e UffdEvent) String() string {
	names := [...]string{"PAGEFAULT", "FORK", "REMAP", "REMOVE", "UNMAP"}
	if i := int(e) - int(UFFD_EVENT_PAGEFAULT); i >= 0 && i < len(names) {
		return "UFFD_EVENT_" + names[i]
	}
	return strconv.Itoa(int(e))
}

// UffdPagefaultFlags say what fault it was.
type UffdPagefaultFlags uint64

const (
	UFFD_PAGEFAULT_FLAG_WRITE UffdPagefaultFlags = 1 << 0 // a write. Since 4.3
	UFFD_PAGEFAULT_FLAG_WP    UffdPagefaultFlags = 1 << 1 // of a page that is write-protected. Since 5.7
	UFFD_PAGEFAULT_FLAG_MINOR UffdPagefaultFlags = 1 << 2 // of a page that is in the page cache. Since 5.13
)

var uffdPagefaultFlagsNames = []flagName{
	{uint64(UFFD_PAGEFAULT_FLAG_WRITE), "UFFD_PAGEFAULT_FLAG_WRITE"},
	{uint64(UFFD_PAGEFAULT_FLAG_WP), "UFFD_PAGEFAULT_FLAG_WP"},
	{uint64(UFFD_PAGEFAULT_FLAG_MINOR), "UFFD_PAGEFAULT_FLAG_MINOR"},
}

// String writes the flags by the names that linux/userfaultfd.h gives them.
func (f UffdPagefaultFlags) String() string { return flagNames(uint64(f), uffdPagefaultFlagsNames) }

// An UffdMsg is struct uffd_msg, what is read from a userfaultfd: 32 bytes. Arg is a union that its methods read.
type UffdMsg struct {
	_         structs.HostLayout
	Event     UffdEvent // what happened
	Reserved1 uint8     // zero
	Reserved2 uint16    // zero
	Reserved3 uint32    // zero
	Arg       [3]uint64 // what the methods read
}

// Pagefault returns what UFFD_EVENT_PAGEFAULT says: the kind of fault, the address (that of its page, without
// UFFD_FEATURE_EXACT_ADDRESS), and the thread, which is 0 without UFFD_FEATURE_THREAD_ID. The thread waits until
// the page is there and it is woken.
func (m *UffdMsg) Pagefault() (flags UffdPagefaultFlags, addr uintptr, tid int) {
	return UffdPagefaultFlags(m.Arg[0]), uintptr(m.Arg[1]), int(*(*uint32)(unsafe.Pointer(&m.Arg[2])))
}

// Fork returns what UFFD_EVENT_FORK says: a descriptor, now open in the reader, for the child's memory.
func (m *UffdMsg) Fork() (fd int) { return int(*(*uint32)(unsafe.Pointer(&m.Arg[0]))) }

// Remap returns what UFFD_EVENT_REMAP says: length bytes moved.
func (m *UffdMsg) Remap() (from, to, length uintptr) {
	return uintptr(m.Arg[0]), uintptr(m.Arg[1]), uintptr(m.Arg[2])
}

// Remove returns what UFFD_EVENT_REMOVE and UFFD_EVENT_UNMAP say: the range [start, end) is no more.
func (m *UffdMsg) Remove() (start, end uintptr) { return uintptr(m.Arg[0]), uintptr(m.Arg[1]) }

// UffdRead reads messages, as many as there are and have room, and returns how many. It waits for the first,
// unless the descriptor has O_NONBLOCK; poll(2) reports it readable only with O_NONBLOCK, and as an error
// without.
//
// Errors: EAGAIN, there is none; EINTR, not tried again; EINVAL, before [UffdAPI], and no room for a message;
// EFAULT. Messages are given to one reader each. Since 4.3; userfaultfd(2).
func UffdRead(fd int, messages []UffdMsg) (n int, err error) {
	size, first := unsafe.Sizeof(UffdMsg{}), unsafe.Pointer(unsafe.SliceData(messages))
	r, _, errno := Syscall6(unix.SYS_READ, uintptr(fd), uintptr(first), uintptr(len(messages))*size, 0, 0, 0)
	if errno != 0 {
		return 0, os.NewSyscallError("read", errno)
	}
	return int(r / size), nil
}
