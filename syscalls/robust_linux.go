package syscalls

import (
	"os"
	"structs"
	"unsafe"

	"golang.org/x/sys/unix"
)

// A RobustListHead is where the kernel finds, when a thread dies, the futexes that it holds: each word that
// has the thread's ID is given FUTEX_OWNER_DIED instead, and one that waits on it is woken. It is struct
// robust_list_head. The list is a ring: the last node, and an empty head, point to the head.
type RobustListHead struct {
	_           structs.HostLayout
	First       uintptr // address of the first node, or of this head; a node begins with the address of the next
	FutexOffset int64   // where a futex word is, counted in bytes from its node
	Pending     uintptr // node of a lock being taken or released just now (list_op_pending); 0 for none
}

// SetRobustList makes head the calling thread's list; nil means none. A thread has one, and a new thread starts
// without. It belongs to the thread and outlives the goroutine's stay, so the goroutine must be locked to its
// thread (runtime.LockOSThread), and head and all nodes must be outside of Go's heap, in a mapping that stays until the
// thread is dead or the list is nil again: the kernel follows the addresses at that time. In a program that has cgo,
// the C library has a list for each of its threads, and its robust mutexes end with this call.
//
// Errors: EINVAL cannot come from here, and the kernel looks at the list only when the thread dies; ENOSYS.
//
// Since Linux 2.6.17. No privilege. It concerns the calling thread alone. set_robust_list(2).
func SetRobustList(head *RobustListHead) error {
	_, _, errno := RawSyscall6(unix.SYS_SET_ROBUST_LIST, uintptr(unsafe.Pointer(head)), unsafe.Sizeof(*head), 0, 0, 0, 0)
	if errno != 0 {
		return os.NewSyscallError("set_robust_list", errno)
	}
	return nil
}

// RobustList returns the address of the head of a thread's list, 0 where it has none; a tid of 0 is the calling thread.
// The address is one of that thread's process.
//
// Errors: ESRCH, no such thread; EPERM, one may not be traced; ENOSYS.
//
// Since Linux 2.6.17. Another process's threads need PTRACE_MODE_READ_REALCREDS: the same user, or CAP_SYS_PTRACE.
// Safe for concurrent use. get_robust_list(2).
func RobustList(tid int) (head uintptr, err error) {
	var size uintptr
	_, _, errno := RawSyscall6(unix.SYS_GET_ROBUST_LIST, uintptr(tid), uintptr(unsafe.Pointer(&head)),
		uintptr(unsafe.Pointer(&size)), 0, 0, 0)
	if errno != 0 {
		return 0, os.NewSyscallError("get_robust_list", errno)
	}
	return head, nil
}
