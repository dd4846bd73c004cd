package iouring

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/ring3-go/ring3/syscalls"
)

// register is io_uring_register(2). It tries again where a signal interrupted it.
func (r *Ring) register(op syscalls.IoUringRegisterOp, arg unsafe.Pointer, n uint32) (int, error) {
	fd := r.fd
	if r.registered && fd < 0 {
		fd = r.enterFD
		op |= syscalls.IORING_REGISTER_USE_REGISTERED_RING
	}
	if fd < 0 {
		return 0, ErrClosed
	}
	for {
		result, err := syscalls.IoUringRegister(fd, op, arg, n)
		switch {
		case errors.Is(err, unix.EINTR):
			continue
		case errors.Is(err, unix.EEXIST) && r.params.Flags&syscalls.IORING_SETUP_SINGLE_ISSUER != 0 && r.elsewhere():
			return 0, fmt.Errorf("%w: %w", ErrWrongThread, err)
		case errors.Is(err, unix.ENOMEM):
			return 0, fmt.Errorf("%w: %s", err, whyNoMemory())
		}
		return result, err
	}
}

// registerOpen is register for a ring that is open.
func (r *Ring) registerOpen(op syscalls.IoUringRegisterOp, arg unsafe.Pointer, n uint32) error {
	if r.closed {
		return ErrClosed
	}
	_, err := r.register(op, arg, n)
	return err
}

// EnableRings ends IORING_SETUP_R_DISABLED: from now on the ring takes entries, and with
// [Options.SingleIssuer] it belongs to the thread that calls. Errors: EBADFD, it was not disabled. Since 5.10.
func (r *Ring) EnableRings() error {
	return r.registerOpen(syscalls.IORING_REGISTER_ENABLE_RINGS, nil, 0)
}

// RegisterRestrictions says what the ring may do once it is enabled: everything else fails with EACCES. Only
// while it is disabled, once (EBUSY). Close then has to be able to cancel: it wants
// IORING_REGISTER_SYNC_CANCEL or IORING_OP_ASYNC_CANCEL among what is allowed, or waits for operations to end by
// themselves. Since 5.10.
func (r *Ring) RegisterRestrictions(list []syscalls.IoUringRestriction) error {
	if len(list) == 0 {
		return invalid("no restriction")
	}
	return r.registerOpen(syscalls.IORING_REGISTER_RESTRICTIONS, unsafe.Pointer(&list[0]), uint32(len(list)))
}

// RegisterPersonality keeps the credentials that the calling thread has now, for [Entry.SetPersonality]. Since 5.6.
func (r *Ring) RegisterPersonality() (id uint16, err error) {
	if r.closed {
		return 0, ErrClosed
	}
	n, err := r.register(syscalls.IORING_REGISTER_PERSONALITY, nil, 0)
	return uint16(n), err
}

// UnregisterPersonality gives them up. Operations under way keep them. Errors: EINVAL, there are none of this
// number. Since 5.6.
func (r *Ring) UnregisterPersonality(id uint16) error {
	return r.registerOpen(syscalls.IORING_UNREGISTER_PERSONALITY, nil, uint32(id))
}

// RegisterEventfd signals an eventfd(2) for each completion, or with async for those only that are not made inside
// a call of the owner. Since 5.2, async 5.6.
func (r *Ring) RegisterEventfd(fd int, async bool) error {
	op := syscalls.IORING_REGISTER_EVENTFD
	if async {
		op = syscalls.IORING_REGISTER_EVENTFD_ASYNC
	}
	n := int32(fd)
	return r.registerOpen(op, unsafe.Pointer(&n), 1)
}

// UnregisterEventfd ends that. Errors: ENXIO, there is none. Since 5.2.
func (r *Ring) UnregisterEventfd() error {
	return r.registerOpen(syscalls.IORING_UNREGISTER_EVENTFD, nil, 0)
}

// RegisterRingFD makes the kernel find the ring faster, by one of 16 slots that the calling thread has: it saves the
// reference to the descriptor, which processes with threads pay for in each call. So the ring must be one of
// [Options.SingleIssuer], and that promise is no longer checked: from another thread the slot is none, EINVAL or
// EBADF, or another ring's. Since 5.18.
func (r *Ring) RegisterRingFD() error {
	if r.params.Flags&syscalls.IORING_SETUP_SINGLE_ISSUER == 0 {
		return invalid("a registered ring belongs to a thread, and the ring does not")
	}
	if r.registered || r.closed {
		return invalid("the ring is registered or closed")
	}
	u := syscalls.IoUringRsrcUpdate{Offset: 1<<32 - 1, Data: uint64(r.fd)}
	if err := r.registerOpen(syscalls.IORING_REGISTER_RING_FDS, unsafe.Pointer(&u), 1); err != nil {
		return err
	}
	r.enterFD, r.registered = int(u.Offset), true
	r.enterFlags |= syscalls.IORING_ENTER_REGISTERED_RING
	return nil
}

// UnregisterRingFD undoes RegisterRingFD. Since 5.18.
func (r *Ring) UnregisterRingFD() error {
	if !r.registered || r.fd < 0 {
		return invalid("the ring is not registered, or has no other descriptor")
	}
	u := syscalls.IoUringRsrcUpdate{Offset: uint32(r.enterFD)}
	if err := r.registerOpen(syscalls.IORING_UNREGISTER_RING_FDS, unsafe.Pointer(&u), 1); err != nil {
		return err
	}
	r.enterFD, r.registered = r.fd, false
	r.enterFlags &^= syscalls.IORING_ENTER_REGISTERED_RING
	return nil
}

// SetWorkers limits the kernel's worker threads for this process, per node: bounded ones are for files and block
// devices, unbounded for what may take for ever. 0 leaves a limit as it is. It returns what they were. Since 5.15.
func (r *Ring) SetWorkers(bounded, unbounded uint32) (wasBounded, wasUnbounded uint32, err error) {
	limits := [2]uint32{syscalls.IO_WQ_BOUND: bounded, syscalls.IO_WQ_UNBOUND: unbounded}
	err = r.registerOpen(syscalls.IORING_REGISTER_IOWQ_MAX_WORKERS, unsafe.Pointer(&limits), 2)
	return limits[syscalls.IO_WQ_BOUND], limits[syscalls.IO_WQ_UNBOUND], err
}

// SetWorkerAffinity says on which processors the worker threads run; nil is all. Since 5.14.
func (r *Ring) SetWorkerAffinity(set *unix.CPUSet) error {
	if set == nil {
		return r.registerOpen(syscalls.IORING_UNREGISTER_IOWQ_AFF, nil, 0)
	}
	return r.registerOpen(syscalls.IORING_REGISTER_IOWQ_AFF, unsafe.Pointer(set), uint32(unsafe.Sizeof(*set)))
}

// SetClock says which clock waits are measured by: unix.CLOCK_MONOTONIC or CLOCK_BOOTTIME. Since 6.12.
func (r *Ring) SetClock(id int32) error {
	c := syscalls.IoUringClockRegister{ClockID: uint32(id)}
	return r.registerOpen(syscalls.IORING_REGISTER_CLOCK, unsafe.Pointer(&c), 0)
}

// SetNAPI polls the queues of network cards for up to busy while the ring waits; prefer keeps the cards from
// interrupting. It returns what was set before. Since 6.9, where the kernel has CONFIG_NET_RX_BUSY_POLL.
func (r *Ring) SetNAPI(busy time.Duration, prefer bool) (wasBusy time.Duration, wasPrefer bool, err error) {
	if busy < 0 {
		return 0, false, invalid("busy for %v", busy)
	}
	n := syscalls.IoUringNAPI{BusyPollTo: microseconds(busy)}
	if prefer {
		n.PreferBusyPoll = 1
	}
	err = r.registerOpen(syscalls.IORING_REGISTER_NAPI, unsafe.Pointer(&n), 1)
	return time.Duration(n.BusyPollTo) * time.Microsecond, n.PreferBusyPoll != 0, err
}

// UnsetNAPI ends that, and returns what was set. Since 6.9.
func (r *Ring) UnsetNAPI() (wasBusy time.Duration, wasPrefer bool, err error) {
	var n syscalls.IoUringNAPI
	err = r.registerOpen(syscalls.IORING_UNREGISTER_NAPI, unsafe.Pointer(&n), 1)
	return time.Duration(n.BusyPollTo) * time.Microsecond, n.PreferBusyPoll != 0, err
}

// SyncCancel cancels operations and waits until they have ended, at the most for the timeout (negative: for ever).
// Their completions come as ever. tok, fd and op count as flags say. With IORING_SETUP_DEFER_TASKRUN what was
// cancelled completes inside the next call of the owner, so a wait here may be in vain.
//
// Errors: ENOENT, nothing matched; EALREADY, it runs and cannot be stopped; ETIME, the timeout is over. Since 6.0.
func (r *Ring) SyncCancel(tok Token, fd int, op syscalls.IoUringOp, flags syscalls.IoUringCancelFlags, timeout time.Duration) error {
	c := syscalls.IoUringSyncCancelReg{Addr: uint64(tok), FD: int32(fd), Flags: flags, Opcode: op}
	c.Timeout = unix.Timespec{Sec: -1, Nsec: -1}
	if timeout >= 0 {
		c.Timeout = unix.NsecToTimespec(int64(timeout))
	}
	return r.registerOpen(syscalls.IORING_REGISTER_SYNC_CANCEL, unsafe.Pointer(&c), 1)
}

// Resize gives the ring other sizes while it is in use; completions that were not taken come along. It needs
// IORING_SETUP_DEFER_TASKRUN. cq is 0 for twice sq. Errors: EOVERFLOW, what is in the queues does not fit. Since
// 6.13.
func (r *Ring) Resize(sq, cq int) error {
	if r.closed {
		return ErrClosed
	}
	if sq < 1 || sq > maxEntries || cq < 0 || cq > 2*maxEntries {
		return invalid("%d entries, %d completions", sq, cq)
	}
	if r.tail != *r.sqHead {
		return fmt.Errorf("iouring: resize: entries wait to be submitted: %w", unix.EBUSY)
	}
	p := syscalls.IoUringParams{SQEntries: uint32(sq), CQEntries: uint32(cq)}
	if cq > 0 {
		p.Flags = syscalls.IORING_SETUP_CQSIZE
	}
	p.Flags |= r.params.Flags & syscalls.IORING_SETUP_NO_MMAP
	if p.Flags&syscalls.IORING_SETUP_NO_MMAP != 0 {
		return invalid("resize of a ring whose memory the program brought")
	}
	if _, err := r.register(syscalls.IORING_REGISTER_RESIZE_RINGS, unsafe.Pointer(&p), 1); err != nil {
		return err
	}
	old := r.memory
	r.memory = mapping{}
	flags := r.params.Flags
	p.Features, p.Flags = r.params.Features, flags
	if err := r.memory.mapRings(r.fd, &p); err != nil {
		// The old queues are no longer looked at, so the ring is of no use; what is in flight is kept.
		r.memory.unmap()
		r.memory = old
		return err
	}
	old.unmap()
	r.params.SQEntries, r.params.CQEntries, r.params.SQOff, r.params.CQOff = p.SQEntries, p.CQEntries, p.SQOff, p.CQOff
	r.attach(&r.params)
	return r.memory.doNotFork()
}

// RegisterWaits makes room for n waits that the kernel need not copy, for [Ring.SubmitAndWaitRegistered]. Only
// while the ring is disabled, once. Since 6.13.
func (r *Ring) RegisterWaits(n int) error {
	if r.closed {
		return ErrClosed
	}
	if n < 1 || n > 1024 || r.waits != nil {
		return invalid("%d registered waits", n)
	}
	page := os.Getpagesize()
	size := (n*int(unsafe.Sizeof(syscalls.IoUringRegWait{})) + page - 1) / page * page
	b, err := unix.Mmap(-1, 0, size, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED|unix.MAP_ANON|unix.MAP_POPULATE)
	if err != nil {
		return os.NewSyscallError("mmap", err)
	}
	region := &syscalls.IoUringRegionDesc{
		UserAddr: address(unsafe.Pointer(&b[0])), Size: uint64(size), Flags: syscalls.IORING_MEM_REGION_TYPE_USER,
	}
	m := syscalls.IoUringMemRegionReg{Region: address(unsafe.Pointer(region)), Flags: syscalls.IORING_MEM_REGION_REG_WAIT_ARG}
	_, err = r.register(syscalls.IORING_REGISTER_MEM_REGION, unsafe.Pointer(&m), 1)
	runtime.KeepAlive(region)
	if err != nil {
		unix.Munmap(b)
		return err
	}
	r.waits = b
	return nil
}

// SetRegisteredWait says how long the wait i is: the timeout (negative: none), and for how long the whole number
// is waited for, after which one is enough.
func (r *Ring) SetRegisteredWait(i int, timeout, minTimeout time.Duration) error {
	w, err := r.registeredWait(i)
	if err != nil {
		return err
	}
	*w = syscalls.IoUringRegWait{MinWaitUsec: microseconds(max(minTimeout, 0))}
	if timeout >= 0 {
		w.Timeout = unix.NsecToTimespec(int64(timeout))
		w.Flags = syscalls.IORING_REG_WAIT_TS
	}
	return nil
}

func (r *Ring) registeredWait(i int) (*syscalls.IoUringRegWait, error) {
	const size = int(unsafe.Sizeof(syscalls.IoUringRegWait{}))
	if r.closed {
		return nil, ErrClosed
	}
	if i < 0 || i >= len(r.waits)/size {
		return nil, invalid("registered wait %d", i)
	}
	return (*syscalls.IoUringRegWait)(unsafe.Pointer(&r.waits[i*size])), nil
}

// SubmitAndWaitRegistered is SubmitAndWait with the wait i. A signal ends it early. Since 6.13.
func (r *Ring) SubmitAndWaitRegistered(n, i int) (ready int, err error) {
	if _, err := r.registeredWait(i); err != nil {
		return 0, err
	}
	if n < 0 || int64(n) > int64(r.cqMask)+1 {
		return 0, invalid("wait for %d completions of %d", n, r.cqMask+1)
	}
	if err := r.pass(); err != nil || r.ready() >= uint32(n) {
		return int(r.ready()), err
	}
	offset := uintptr(i) * unsafe.Sizeof(syscalls.IoUringRegWait{})
	_, err = syscalls.IoUringEnterRegWait(r.enterFD, 0, uint32(n), syscalls.IORING_ENTER_GETEVENTS|r.enterFlags, offset)
	if errors.Is(err, unix.ETIME) || errors.Is(err, unix.EINTR) {
		err = nil
	}
	return int(r.ready()), err
}

// SetEventfdEnabled turns the registered eventfd's signals off and on, without a system call.
func (r *Ring) SetEventfdEnabled(on bool) error {
	if r.closed {
		return ErrClosed
	}
	if r.cqFlags == nil {
		return fmt.Errorf("iouring: this kernel always signals the eventfd, until 5.8: %w", errors.ErrUnsupported)
	}
	if on {
		*r.cqFlags &^= uint32(syscalls.IORING_CQ_EVENTFD_DISABLED)
	} else {
		*r.cqFlags |= uint32(syscalls.IORING_CQ_EVENTFD_DISABLED)
	}
	return nil
}
