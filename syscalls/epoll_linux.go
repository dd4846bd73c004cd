package syscalls

import (
	"os"
	"structs"
	"unsafe"

	"golang.org/x/sys/unix"
)

// EpollPwait2 is epoll_pwait(2) with a timeout in ns: it waits until there are events, or the timeout has
// passed (nil for ever, zero for not at all), with the signal mask where it is not nil. It returns how many
// events it filled in, 0 after the timeout, of which the kernel may be late by the thread's timer slack, 50 µs
// as a rule.
//
// An interrupted wait is EINTR, and is not tried again: Go's own signals interrupt it now and then. Other
// errors: EBADF; EFAULT; EINVAL, no epoll instance, no room for events, or a timeout that is no time. The
// fields of an event that the package unix calls Fd and Pad are the user's 64 bits. Since 5.11; epoll_wait(2).
func EpollPwait2(epfd int, events []unix.EpollEvent, timeout *unix.Timespec, mask *unix.Sigset_t) (n int, err error) {
	var size uintptr
	if mask != nil {
		size = kernelSigsetSize
	}
	first := unsafe.Pointer(unsafe.SliceData(events))
	r, _, errno := Syscall6(unix.SYS_EPOLL_PWAIT2, uintptr(epfd), uintptr(first), uintptr(len(events)),
		uintptr(unsafe.Pointer(timeout)), uintptr(unsafe.Pointer(mask)), size)
	if errno != 0 {
		return 0, os.NewSyscallError("epoll_pwait2", errno)
	}
	return int(r), nil
}

// RawEpollPwait takes the events that are there, without waiting and behind the scheduler's back, with the
// error number as it is: the cheapest look. It is epoll_pwait(2) with timeout 0, and as old. Errors as of
// [EpollPwait2].
func RawEpollPwait(epfd int, events []unix.EpollEvent) (n int, errno unix.Errno) {
	first := unsafe.Pointer(unsafe.SliceData(events))
	r, _, errno := RawSyscall6(unix.SYS_EPOLL_PWAIT, uintptr(epfd), uintptr(first), uintptr(len(events)), 0, 0, 0)
	if errno != 0 {
		return 0, errno
	}
	return int(r), 0
}

// EpollParams is struct epoll_params of include/uapi/linux/eventpoll.h: how an epoll instance polls network cards
// before it waits, for sockets that have told their NAPI id.
type EpollParams struct {
	_              structs.HostLayout
	BusyPollUsecs  uint32 // µs to poll; 0 does not. 2^31-1 at the most
	BusyPollBudget uint16 // packets to take at a time; more than 64 needs CAP_NET_ADMIN
	PreferBusyPoll uint8  // 1: the card interrupts less while it is polled
	Pad            uint8  // zero
}

// EpollSetParams sets how an epoll instance polls, EPIOCSPARAMS. Errors: EINVAL, a field out of its range;
// EPERM, see BusyPollBudget; EFAULT; ENOTTY, no epoll instance, or a kernel without it; EOPNOTSUPP, a kernel
// without busy polling (CONFIG_NET_RX_BUSY_POLL). Since 6.9; ioctl_eventpoll(2).
func EpollSetParams(epfd int, params *EpollParams) error {
	_, _, errno := RawSyscall6(unix.SYS_IOCTL, uintptr(epfd), unix.EPIOCSPARAMS, uintptr(unsafe.Pointer(params)), 0, 0, 0)
	return callError("ioctl EPIOCSPARAMS", errno)
}

// EpollGetParams returns how an epoll instance polls, EPIOCGPARAMS. Errors: ENOTTY and EOPNOTSUPP, as of
// [EpollSetParams]. Since 6.9; ioctl_eventpoll(2).
func EpollGetParams(epfd int) (params EpollParams, err error) {
	_, _, errno := RawSyscall6(unix.SYS_IOCTL, uintptr(epfd), unix.EPIOCGPARAMS, uintptr(unsafe.Pointer(&params)), 0, 0, 0)
	return params, callError("ioctl EPIOCGPARAMS", errno)
}
