package iouring

import (
	"structs"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/ring3-go/ring3/syscalls"
)

// Operations that wait for something, and those that end them.

// PollAdd waits until one of the events (unix.POLLIN and others) is there. Result: those that are. Since 5.1;
// poll(2), io_uring_prep_poll_add(3).
func (e Entry) PollAdd(fd int, events uint32) error { return e.poll(fd, events, 0) }

// PollMultishot reports events again and again, when they come. (IORING_POLL_ADD_LEVEL is in the header, and EINVAL in
// all kernels up to 6.18.) Since 5.13; io_uring_prep_poll_multishot(3).
func (e Entry) PollMultishot(fd int, events uint32, flags syscalls.IoUringPollFlags) error {
	return e.poll(fd, events, flags|syscalls.IORING_POLL_ADD_MULTI)
}

func (e Entry) poll(fd int, events uint32, flags syscalls.IoUringPollFlags) error {
	q, _, err := e.begin(syscalls.IORING_OP_POLL_ADD)
	if err == nil {
		q.FD, q.OpFlags, q.Len = int32(fd), events, uint32(flags)
	}
	return err
}

// PollRemove ends a poll, which completes with ECANCELED. Errors of the completion: ENOENT, there is none;
// EALREADY, it is completing. Since 5.1; io_uring_prep_poll_remove(3).
func (e Entry) PollRemove(tok Token) error {
	q, _, err := e.begin(syscalls.IORING_OP_POLL_REMOVE)
	if err == nil {
		q.FD, q.Addr = -1, uint64(tok)
	}
	return err
}

// PollUpdate gives a poll other events; flags may have IORING_POLL_ADD_MULTI, to make it one that goes on. Its token
// stays. Since 5.13; io_uring_prep_poll_update(3).
func (e Entry) PollUpdate(tok Token, events uint32, flags syscalls.IoUringPollFlags) error {
	if flags&syscalls.IORING_POLL_UPDATE_USER_DATA != 0 {
		return invalid("a poll keeps its token")
	}
	q, _, err := e.begin(syscalls.IORING_OP_POLL_REMOVE)
	if err == nil {
		q.FD, q.Addr, q.OpFlags = -1, uint64(tok), events
		q.Len = uint32(flags | syscalls.IORING_POLL_UPDATE_EVENTS)
	}
	return err
}

// timer begins an operation with a time.
func (e Entry) timer(op syscalls.IoUringOp, d time.Duration, flags syscalls.IoUringTimeoutFlags) (*syscalls.IoUringSQE, uint64, error) {
	if d < 0 || flags&syscalls.IORING_TIMEOUT_IMMEDIATE_ARG != 0 {
		return nil, 0, invalid("timeout of %v, %v", d, flags)
	}
	q, s, err := e.begin(op)
	if err != nil {
		return nil, 0, err
	}
	x := s.more()
	x.time = unix.NsecToTimespec(int64(d))
	q.FD, q.OpFlags = -1, uint32(flags)
	return q, address(unsafe.Pointer(&x.time)), nil
}

// Timeout completes after d, with ETIME, or when count other operations have completed, if count is not 0, with 0.
// With IORING_TIMEOUT_ABS d is a time of the clock: since its zero, that is 1970 for IORING_TIMEOUT_REALTIME. With
// IORING_TIMEOUT_MULTISHOT (6.4) it goes on, count times or for ever. Since 5.4; io_uring_prep_timeout(3).
func (e Entry) Timeout(d time.Duration, count uint32, flags syscalls.IoUringTimeoutFlags) error {
	q, where, err := e.timer(syscalls.IORING_OP_TIMEOUT, d, flags)
	if err == nil {
		q.Addr, q.Len, q.Off = where, 1, uint64(count)
	}
	return err
}

// LinkTimeout cancels the operation before it, which must have IOSQE_IO_LINK, when that has not completed after d.
// It completes with ETIME where it did, and with ECANCELED where it was not needed. Since 5.5;
// io_uring_prep_link_timeout(3).
func (e Entry) LinkTimeout(d time.Duration, flags syscalls.IoUringTimeoutFlags) error {
	q, where, err := e.timer(syscalls.IORING_OP_LINK_TIMEOUT, d, flags)
	if err == nil {
		q.Addr, q.Len = where, 1
	}
	return err
}

// TimeoutRemove ends a timeout, which completes with ECANCELED. Errors of the completion: ENOENT, EALREADY, EBUSY.
// Since 5.5; io_uring_prep_timeout_remove(3).
func (e Entry) TimeoutRemove(tok Token) error {
	q, _, err := e.begin(syscalls.IORING_OP_TIMEOUT_REMOVE)
	if err == nil {
		q.FD, q.Addr = -1, uint64(tok)
	}
	return err
}

// TimeoutUpdate gives a timeout another time; with IORING_LINK_TIMEOUT_UPDATE it is one of LinkTimeout. Since
// 5.11; io_uring_prep_timeout_update(3).
func (e Entry) TimeoutUpdate(tok Token, d time.Duration, flags syscalls.IoUringTimeoutFlags) error {
	if flags&syscalls.IORING_LINK_TIMEOUT_UPDATE == 0 {
		flags |= syscalls.IORING_TIMEOUT_UPDATE
	}
	q, where, err := e.timer(syscalls.IORING_OP_TIMEOUT_REMOVE, d, flags)
	if err == nil {
		q.Addr, q.Off = uint64(tok), where
	}
	return err
}

// Cancel cancels an operation, which completes with ECANCELED, or as if nothing had been where it was too late.
// With IORING_ASYNC_CANCEL_ANY the token is not looked at. Result: 0, or with IORING_ASYNC_CANCEL_ALL how many.
// Errors of the completion: ENOENT, there is none; EALREADY, it runs and may or may not stop. Since 5.5, flags
// 5.19; io_uring_prep_cancel64(3).
func (e Entry) Cancel(tok Token, flags syscalls.IoUringCancelFlags) error {
	q, _, err := e.begin(syscalls.IORING_OP_ASYNC_CANCEL)
	if err == nil {
		q.FD, q.Addr, q.OpFlags = -1, uint64(tok), uint32(flags)
	}
	return err
}

// CancelFd cancels operations on a descriptor: the first, or all. Since 5.19; io_uring_prep_cancel_fd(3).
func (e Entry) CancelFd(fd int, flags syscalls.IoUringCancelFlags) error {
	q, _, err := e.begin(syscalls.IORING_OP_ASYNC_CANCEL)
	if err == nil {
		q.FD, q.OpFlags = int32(fd), uint32(flags|syscalls.IORING_ASYNC_CANCEL_FD)
	}
	return err
}

// CancelOp cancels operations of a kind: the first, or all. Since 6.6; io_uring_cancelation(7).
func (e Entry) CancelOp(op syscalls.IoUringOp, flags syscalls.IoUringCancelFlags) error {
	q, _, err := e.begin(syscalls.IORING_OP_ASYNC_CANCEL)
	if err == nil {
		q.FD, q.Len, q.OpFlags = -1, uint32(op), uint32(flags|syscalls.IORING_ASYNC_CANCEL_OP)
	}
	return err
}

// EpollCtl changes what an epoll instance watches. Since 5.6; epoll_ctl(2), io_uring_prep_epoll_ctl(3).
func (e Entry) EpollCtl(epfd, op, fd int, event *unix.EpollEvent) error {
	q, s, err := e.begin(syscalls.IORING_OP_EPOLL_CTL)
	if err != nil {
		return err
	}
	q.FD, q.Len, q.Off = int32(epfd), uint32(op), uint64(uint32(fd))
	if event != nil {
		x := s.more()
		x.event = *event
		q.Addr = address(unsafe.Pointer(&x.event))
	}
	return nil
}

// EpollWait waits for events of an epoll instance, without a thread. Result: how many. Since 6.15; epoll_wait(2),
// io_uring_prep_epoll_wait(3).
func (e Entry) EpollWait(epfd int, events []unix.EpollEvent) error {
	if len(events) == 0 {
		return invalid("no room for an event")
	}
	q, s, err := e.begin(syscalls.IORING_OP_EPOLL_WAIT)
	if err == nil {
		s.memory = unsafe.Pointer(&events[0])
		q.FD, q.Addr, q.Len = int32(epfd), address(s.memory), uint32(len(events))
	}
	return err
}

// Waitid waits for a child; into, which may be nil, gets what happened to it. Since 6.7; waitid(2),
// io_uring_prep_waitid(3).
func (e Entry) Waitid(idType, id int, into *unix.Siginfo, options int) error {
	q, s, err := e.begin(syscalls.IORING_OP_WAITID)
	if err == nil {
		s.memory = unsafe.Pointer(into)
		q.FD, q.Len, q.Off, q.FileIndex = int32(id), uint32(idType), address(s.memory), uint32(options)
	}
	return err
}

// FUTEX2_SIZE_U32 is the flag that every futex2 word of 32 bits needs; FUTEX2_PRIVATE is for words that no other
// process has. They are those of linux/futex.h.
const (
	FUTEX2_SIZE_U32 = 0x02
	FUTEX2_PRIVATE  = 0x80
)

// FutexWait waits while *word is value until it is woken; mask says by whom, ^0 is anybody. Errors of the
// completion: EAGAIN, it has another value. Since 6.7; futex_wait(2), io_uring_prep_futex_wait(3).
func (e Entry) FutexWait(word *uint32, value, mask uint64, flags uint32) error {
	return e.futex(syscalls.IORING_OP_FUTEX_WAIT, word, value, mask, flags)
}

// FutexWake wakes up to n that wait. Result: how many. Since 6.7; futex_wake(2), io_uring_prep_futex_wake(3).
func (e Entry) FutexWake(word *uint32, n, mask uint64, flags uint32) error {
	return e.futex(syscalls.IORING_OP_FUTEX_WAKE, word, n, mask, flags)
}

func (e Entry) futex(op syscalls.IoUringOp, word *uint32, value, mask uint64, flags uint32) error {
	if word == nil {
		return invalid("no futex")
	}
	q, s, err := e.begin(op)
	if err == nil {
		s.memory = unsafe.Pointer(word)
		q.FD, q.Addr, q.Off, q.Addr3 = int32(flags), address(s.memory), value, mask
	}
	return err
}

// A Futex is one of several words to wait for.
type Futex struct {
	Word  *uint32
	Value uint32
	Flags uint32 // FUTEX2_SIZE_U32 and others
}

// futexWaitv is struct futex_waitv of linux/futex.h.
type futexWaitv struct {
	_        structs.HostLayout
	value    uint64
	address  uint64
	flags    uint32
	reserved uint32
}

// FutexWaitv waits until one of the words is woken. Result: which. Errors of the completion: EAGAIN, one has
// another value. Since 6.7; futex_waitv(2), io_uring_prep_futex_waitv(3).
func (e Entry) FutexWaitv(words []Futex) error {
	if len(words) == 0 || len(words) > 128 {
		return invalid("%d futexes", len(words))
	}
	for _, w := range words {
		if w.Word == nil {
			return invalid("no futex")
		}
	}
	q, s, err := e.begin(syscalls.IORING_OP_FUTEX_WAITV)
	if err != nil {
		return err
	}
	x := s.more()
	if cap(x.futexes) < len(words) {
		x.futexes = make([]futexWaitv, len(words))
	}
	x.futexes, x.keep = x.futexes[:len(words)], x.keep[:0]
	for i, w := range words {
		x.keep = append(x.keep, unsafe.Pointer(w.Word))
		x.futexes[i] = futexWaitv{value: uint64(w.Value), address: address(unsafe.Pointer(w.Word)), flags: w.Flags}
	}
	q.Addr, q.Len = address(unsafe.Pointer(&x.futexes[0])), uint32(len(words))
	return nil
}
