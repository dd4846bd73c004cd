package iouring

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"os"
	"runtime"
	"sync/atomic"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/ring3-go/ring3/syscalls"
)

// Drop gives an operation up: it is cancelled with the next Submit, and whatever becomes of it nothing is
// delivered. A descriptor that it got all the same is closed, a buffer that it took goes back to its group, and its
// memory stays the kernel's until it has ended. Drop uses a place of the submission queue, so it must not stand
// between the entries of a chain.
//
// Errors: [ErrStale], it has ended; [ErrFull]; [ErrClosed].
func (r *Ring) Drop(tok Token) error {
	if r.get(tok) == nil {
		return ErrStale
	}
	e, err := r.Get()
	if err != nil {
		return err
	}
	if err := e.Cancel(tok, 0); err != nil {
		return err
	}
	r.get(e.token).flags |= dropped
	s := r.get(tok)
	s.flags |= dropped
	if s.flags&detached != 0 { // it is not submitted yet, and its failure would be delivered
		for pos := r.published; pos != r.tail; pos++ {
			if q := r.sqe(pos); Token(q.UserData) == tok|detachedToken {
				Entry{r, tok, pos}.settle(q, s)
			}
		}
	}
	return nil
}

// finish does what is to be done with a completion besides, and reports whether it is to be delivered.
func (r *Ring) finish(s *slot, c *Completion) bool {
	if s.flags&dropped != 0 {
		r.discard(s, c)
		return false
	}
	if s.flags&finishes != 0 && c.Res >= 0 {
		s.extra.message.received(&s.extra.header)
	}
	if s.flags&quiet != 0 {
		return s.tells(c)
	}
	return true
}

// tells reports whether a completion is to be delivered of an operation whose success is not.
func (s *slot) tells(c *Completion) bool {
	if c.Err() != nil || s.short(c) {
		s.flags &^= quiet // where more is to come, that is the notification of a send without a copy
		return true
	}
	// Nothing else says which buffer was taken. And what goes on has brought something each time, but for a send.
	_, took := c.Buffer()
	return took || c.More() && s.op != syscalls.IORING_OP_SEND_ZC && s.op != syscalls.IORING_OP_SENDMSG_ZC
}

// moving are the operations that move bytes, one bit each.
const moving = 1<<syscalls.IORING_OP_READ | 1<<syscalls.IORING_OP_READ_FIXED | 1<<syscalls.IORING_OP_READV |
	1<<syscalls.IORING_OP_READV_FIXED | 1<<syscalls.IORING_OP_WRITE | 1<<syscalls.IORING_OP_WRITE_FIXED |
	1<<syscalls.IORING_OP_WRITEV | 1<<syscalls.IORING_OP_WRITEV_FIXED | 1<<syscalls.IORING_OP_SPLICE |
	1<<syscalls.IORING_OP_TEE | 1<<syscalls.IORING_OP_SEND | 1<<syscalls.IORING_OP_SEND_ZC | 1<<syscalls.IORING_OP_SENDMSG |
	1<<syscalls.IORING_OP_SENDMSG_ZC | 1<<syscalls.IORING_OP_RECV | 1<<syscalls.IORING_OP_RECVMSG

// short reports whether an operation has moved fewer bytes than it was to, which ends a chain as an error does.
func (s *slot) short(c *Completion) bool {
	if s.op >= 64 || moving&(uint64(1)<<s.op) == 0 || c.Notification() {
		return false
	}
	most := uint32(math.MaxInt32 &^ (os.Getpagesize() - 1)) // MAX_RW_COUNT, to which the kernel shortens what is longer
	return uint32(c.Res) < min(s.index, most)
}

// giveBack returns the buffer of a completion that nobody gets to see.
func (r *Ring) giveBack(s *slot, c *Completion) {
	if s.flags&grouped == 0 {
		return
	}
	if g := r.groups[s.group]; g != nil {
		g.discard(*c)
	}
}

// discard undoes what an operation has done whose result nobody wants.
func (r *Ring) discard(s *slot, c *Completion) {
	if s.op == syscalls.IORING_OP_RECVMSG && c.Res >= 0 {
		closePassed(r.control(s, c)) // before its buffer goes back
	}
	r.giveBack(s, c)
	if c.Err() != nil || c.Notification() {
		return
	}
	switch s.op {
	case syscalls.IORING_OP_OPENAT, syscalls.IORING_OP_OPENAT2, syscalls.IORING_OP_ACCEPT, syscalls.IORING_OP_SOCKET,
		syscalls.IORING_OP_FIXED_FD_INSTALL:
		r.discardFile(s, c.Res, c.Res)
	case syscalls.IORING_OP_PIPE:
		ends := (*[2]int32)(s.memory)
		for i, end := range ends {
			r.discardFile(s, end, int32(i)+int32(s.index)-1)
		}
	}
}

// control returns the control data of a message that nobody has seen.
func (r *Ring) control(s *slot, c *Completion) []byte {
	h := &s.extra.header
	if s.flags&finishes != 0 { // one message, whose control data is not in the group's buffer
		return unsafe.Slice(h.Control, h.Controllen)
	}
	g := r.groups[s.group]
	if g == nil {
		return nil
	}
	m, _ := ParseRecvmsg(g.next(*c), int(h.Controllen)) // too short to have any is none
	return m.Control
}

// closePassed closes the descriptors that came with a message.
func closePassed(control []byte) {
	list, err := unix.ParseSocketControlMessage(control)
	if err != nil {
		return
	}
	for _, m := range list {
		if m.Header.Level != unix.SOL_SOCKET || m.Header.Type != unix.SCM_RIGHTS && m.Header.Type != unix.SCM_PIDFD {
			continue
		}
		for b := m.Data; len(b) >= 4; b = b[4:] {
			if fd := int32(binary.NativeEndian.Uint32(b)); fd >= 0 {
				unix.Close(int(fd))
			}
		}
	}
}

// discardFile closes a descriptor, or empties the slot of a registered file: the result says which where the
// kernel chose it.
func (r *Ring) discardFile(s *slot, fd, slot int32) {
	if s.index == 0 {
		unix.Close(int(fd))
		return
	}
	if s.index != syscalls.IORING_FILE_INDEX_ALLOC && s.op != syscalls.IORING_OP_PIPE {
		slot = int32(s.index) - 1
	} else if s.index == syscalls.IORING_FILE_INDEX_ALLOC {
		slot = fd
	}
	r.UpdateFiles(int(slot), []int{-1})
}

// Close cancels all operations in flight, waits until the kernel has no more use for their memory, and closes the
// ring. Completions that were not taken are discarded, as [Ring.Drop] does. Close is idempotent.
//
// Errors: [ErrInFlight], an operation neither ended nor could be cancelled within [Options.CloseTimeout] (a disk
// that does not answer; a send without a copy whose peer does not acknowledge). Its memory is kept, and Close may
// be called again. [ErrWrongThread]: nothing was changed.
func (r *Ring) Close() error {
	if r.enterFD < 0 {
		return nil
	}
	if r.elsewhere() {
		return enterError(unix.EEXIST)
	}
	r.shut()
	// What was cancelled may start something else: the next of a chain, or what waited behind a drain. So each wait
	// is short, and longer where nothing ends.
	wait := time.Millisecond
	for deadline := time.Now().Add(r.attempt); r.live > 0; {
		live := r.live
		if err := r.end(time.Until(deadline), wait); err != nil {
			return err
		}
		if wait = min(2*wait, 100*time.Millisecond); r.live < live {
			wait = time.Millisecond
		}
	}
	return r.destroy()
}

// elsewhere reports whether the ring belongs to another thread. It asks by the descriptor where there is one: in
// another thread the registered slot is another ring's.
func (r *Ring) elsewhere() bool {
	fd, flags := r.enterFD, r.enterFlags
	if r.fd >= 0 {
		fd, flags = r.fd, flags&^syscalls.IORING_ENTER_REGISTERED_RING
	}
	_, errno := syscalls.RawIoUringEnter(fd, 0, 0, flags|syscalls.IORING_ENTER_GETEVENTS)
	return errno == unix.EEXIST
}

// shut ends what the kernel has not heard of, and makes every operation one that was dropped.
func (r *Ring) shut() {
	if r.closed {
		return
	}
	r.closed = true
	from := r.published
	if !r.sqpoll && r.params.Flags&syscalls.IORING_SETUP_SQ_REWIND == 0 {
		from = *r.sqHead // what the kernel did not take when it could, it shall not take
		atomic.StoreUint32(r.sqTail, from)
	}
	for pos := from; pos != r.tail; pos++ {
		tok := Token(r.sqe(pos).UserData) &^ detachedToken
		if s := r.get(tok); s != nil {
			r.release(tok.Slot(), s)
		}
		if r.twice(pos) {
			pos++ // its second half has no token
		}
	}
	r.released = nil
	r.tail, r.published = from, from
	r.sqSize = 0 // Get looks at nothing else
	for i := range r.slots {
		r.slots[i].flags |= dropped
	}
}

// twice reports whether the entry at a position takes two places.
func (r *Ring) twice(pos uint32) bool {
	op := r.sqe(pos).Opcode
	return r.params.Flags&syscalls.IORING_SETUP_SQE_MIXED != 0 && (op == syscalls.IORING_OP_NOP128 || op == syscalls.IORING_OP_URING_CMD128)
}

// end cancels what there is and waits for some of it to end, at the most for the time that is left.
func (r *Ring) end(left, wait time.Duration) error {
	cancelled := r.cancelAll()
	r.closed = false // for Reap
	defer func() { r.closed = true }()
	var none [1]Completion
	r.Reap(none[:])
	if r.live == 0 {
		return nil
	}
	if left <= 0 {
		return fmt.Errorf("%w: %d after %v (cancelling them: %v)", ErrInFlight, r.live, r.attempt, cancelled)
	}
	// Not again as long as operations end: the kernel looks at all of them to cancel them, and each call completes a few.
	flags := syscalls.IORING_ENTER_GETEVENTS | syscalls.IORING_ENTER_EXT_ARG | r.enterFlags
	for before := r.live + 1; r.live > 0 && r.live < before; {
		before = r.live
		if errno := r.sleep(1, min(left, wait), Wait{}, flags); errno == unix.EEXIST {
			return enterError(errno)
		}
		for r.Reap(none[:]) > 0 {
		}
	}
	return nil
}

// cancelAll asks the kernel to cancel every operation. That there was none to cancel is no error.
func (r *Ring) cancelAll() error {
	c := syscalls.IoUringSyncCancelReg{Flags: syscalls.IORING_ASYNC_CANCEL_ALL | syscalls.IORING_ASYNC_CANCEL_ANY}
	_, err := r.register(syscalls.IORING_REGISTER_SYNC_CANCEL, unsafe.Pointer(&c), 1)
	switch {
	case errors.Is(err, unix.EINVAL), errors.Is(err, unix.EACCES), // before 6.0, or forbidden by a restriction
		errors.Is(err, unix.EPERM), errors.Is(err, unix.ENOSYS): // or by a filter of system calls
		r.submitCancel()
	case errors.Is(err, unix.ENOENT), errors.Is(err, unix.ETIME):
		return nil
	}
	return err
}

// submitCancel cancels everything by an operation. Its completion is a message, which nobody reads.
func (r *Ring) submitCancel() {
	if r.look(); r.tail-r.head > r.sqMask {
		r.wakeThread(0) // and when it has taken something, again
		return
	}
	*r.sqe(r.tail) = syscalls.IoUringSQE{
		Opcode:  syscalls.IORING_OP_ASYNC_CANCEL,
		OpFlags: uint32(syscalls.IORING_ASYNC_CANCEL_ALL | syscalls.IORING_ASYNC_CANCEL_ANY),
	}
	r.tail++
	n := r.publish()
	if r.sqpoll {
		r.wakeThread(0)
		return
	}
	r.submit(n, 0, 0)
}

// destroy closes the ring when nothing is in flight. Registered files and buffers are given back before: the
// kernel does it some time after the last descriptor of a ring is closed.
func (r *Ring) destroy() error {
	if r.files {
		r.register(syscalls.IORING_UNREGISTER_FILES, nil, 0)
	}
	if r.fixed != nil {
		r.register(syscalls.IORING_UNREGISTER_BUFFERS, nil, 0)
	}
	err := r.closeDescriptor()
	r.giveUpMemory()
	runtime.SetFinalizer(r, nil)
	return err
}

// giveUpMemory gives back all memory.
func (r *Ring) giveUpMemory() {
	r.memory.unmap()
	for _, g := range r.groups {
		g.unmap()
	}
	if r.waits != nil {
		unix.Munmap(r.waits)
	}
	for _, q := range r.queues {
		q.unmap()
	}
	for _, a := range r.arenas {
		unix.Munmap(a.mapped)
	}
	r.groups, r.provided, r.fixed, r.waits, r.queues, r.arenas = nil, nil, nil, nil, nil, nil
	r.slots, r.free = nil, 0
	r.sqes, r.cqes = nil, nil
}

// abandon is the finalizer: nobody has the ring any more. Where something is in flight its memory must live on,
// and nothing in the program refers to it but the ring: so the ring keeps itself, until all has ended.
//
// A ring that belongs to a thread cannot be entered from here. Closing its descriptor makes the kernel cancel
// everything, at a time that nobody is told: what the operations refer to is kept for good.
func (r *Ring) abandon() {
	if r.params.Flags&syscalls.IORING_SETUP_SINGLE_ISSUER != 0 {
		if r.fd >= 0 {
			unix.Close(r.fd)
		}
		r.fd, r.enterFD, r.registered = -1, -1, false // a registered slot went with its thread
		r.closed = true
	} else if r.enterFD >= 0 {
		r.shut()
		r.end(0, 0)
		if r.live == 0 {
			r.destroy()
		}
	}
	if r.live > 0 {
		runtime.SetFinalizer(r, (*Ring).abandon)
		return
	}
	r.giveUpMemory()
}
