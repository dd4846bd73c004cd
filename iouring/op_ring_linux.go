package iouring

import (
	"unsafe"

	"github.com/ring3-go/ring3/syscalls"
)

// Operations on rings, on groups of buffers, and commands.

// ProvideBuffers gives a group n buffers of size bytes each, which lie in b one after the other and get the numbers
// from first on. Numbers may come twice: the kernel uses up what it was given first. So nobody can say when it has no
// more use for b, and the ring keeps it until it is closed: give used buffers again, not new ones. Buffer rings
// ([Ring.NewBufRing]) are faster. Since 5.7; io_uring_prep_provide_buffers(3).
func (e Entry) ProvideBuffers(b []byte, size, n int, group, first uint16) error {
	if size < 1 || size > maxBytes || n < 1 || n > 1<<16-int(first) || len(b)/size < n {
		return invalid("%d buffers of %d bytes in %d", n, size, len(b))
	}
	q, s, err := e.begin(syscalls.IORING_OP_PROVIDE_BUFFERS)
	if err != nil {
		return err
	}
	s.memory = unsafe.Pointer(&b[0])
	if e.ring.provided == nil {
		e.ring.provided = make(map[unsafe.Pointer]struct{})
	}
	e.ring.provided[s.memory] = struct{}{}
	q.Addr, q.Len, q.FD, q.Off, q.BufIndex = address(s.memory), uint32(size), int32(n), uint64(first), group
	return nil
}

// RemoveBuffers takes n buffers from a group of ProvideBuffers. Result: how many it had. Since 5.7;
// io_uring_prep_remove_buffers(3).
func (e Entry) RemoveBuffers(n int, group uint16) error {
	if n < 1 || n > 1<<16 {
		return invalid("%d buffers", n)
	}
	q, _, err := e.begin(syscalls.IORING_OP_REMOVE_BUFFERS)
	if err == nil {
		q.FD, q.BufIndex = int32(n), group
	}
	return err
}

// MsgRing gives another ring, whose descriptor is fd, a completion with the token Message(n) and the result. That
// it is a message and never an operation's token is why one ring cannot make another free memory in use. Errors of
// the completion: EOVERFLOW, the other ring cannot take it; EBADFD, it is disabled. Since 5.18;
// io_uring_prep_msg_ring(3).
func (e Entry) MsgRing(fd int, n uint32, result int32, flags syscalls.IoUringMsgRingFlags) error {
	return e.msgRing(fd, syscalls.IORING_MSG_DATA, n, uint32(result), flags)
}

func (e Entry) msgRing(fd int, what syscalls.IoUringMsgRingCommand, n, length uint32, flags syscalls.IoUringMsgRingFlags) error {
	q, _, err := e.begin(syscalls.IORING_OP_MSG_RING)
	if err == nil {
		q.FD, q.Len, q.Off, q.Addr, q.OpFlags = int32(fd), length, uint64(Message(n)), uint64(what), uint32(flags)
	}
	return err
}

// MsgRingCqeFlags is MsgRing with flags for the other ring's completion. Since 6.3;
// io_uring_prep_msg_ring_cqe_flags(3).
func (e Entry) MsgRingCqeFlags(fd int, n uint32, result int32, cqe syscalls.IoUringCQEFlags) error {
	err := e.MsgRing(fd, n, result, syscalls.IORING_MSG_RING_FLAGS_PASS)
	if err == nil {
		e.ring.sqe(e.pos).FileIndex = uint32(cqe)
	}
	return err
}

// MsgRingFd gives another ring the registered file in slot from, for its slot to or one that the kernel chooses
// (IORING_FILE_INDEX_ALLOC). The other ring gets a completion with Message(n), unless flags say otherwise. Since
// 6.0; io_uring_prep_msg_ring_fd(3).
func (e Entry) MsgRingFd(fd int, from, to, n uint32, flags syscalls.IoUringMsgRingFlags) error {
	err := e.msgRing(fd, syscalls.IORING_MSG_SEND_FD, n, 0, flags)
	if err == nil {
		q := e.ring.sqe(e.pos)
		q.Addr3, q.FileIndex = uint64(from), fileIndex(to)
	}
	return err
}

// commandBytes is the room for a command's own data: the last 16 bytes of an entry, and 64 more where it has 128.
const commandBytes = 16

// UringCmd is a command of the file's own, like ioctl(2): a device says what they are. data, of 16 bytes at the
// most (80 in a ring with IORING_SETUP_SQE128), is copied into the entry; what it points to, the caller passes as
// memory, which is kept. Since 5.19; io_uring_prep_uring_cmd(3).
func (e Entry) UringCmd(fd int, command uint32, data, memory []byte, flags syscalls.IoUringCommandFlags) error {
	return e.command(syscalls.IORING_OP_URING_CMD, fd, command, data, memory, flags)
}

// UringCmd128 is UringCmd with 80 bytes of data: see [Ring.Get128]. Since 6.19.
func (e Entry) UringCmd128(fd int, command uint32, data, memory []byte, flags syscalls.IoUringCommandFlags) error {
	return e.command(syscalls.IORING_OP_URING_CMD128, fd, command, data, memory, flags)
}

func (e Entry) command(op syscalls.IoUringOp, fd int, command uint32, data, memory []byte, flags syscalls.IoUringCommandFlags) error {
	room := commandBytes
	if e.ring != nil && (e.ring.params.Flags&syscalls.IORING_SETUP_SQE128 != 0 || op == syscalls.IORING_OP_URING_CMD128) {
		room += int(sqeSize)
	}
	if len(data) > room {
		return invalid("command of %d bytes, %d at the most", len(data), room)
	}
	q, s, err := e.begin(op)
	if err != nil {
		return err
	}
	s.memory = unsafe.Pointer(unsafe.SliceData(memory))
	q.FD, q.Off, q.OpFlags = int32(fd), uint64(command), uint32(flags)
	copy(unsafe.Slice((*byte)(unsafe.Pointer(&q.Addr3)), room), data)
	return nil
}

// CmdSock asks a socket something or sets an option: SOCKET_URING_OP_GETSOCKOPT and SETSOCKOPT with level, option
// and value, SIOCINQ and SIOCOUTQ (result: bytes) without. Result of GETSOCKOPT: the value's bytes. Since 6.7;
// io_uring_prep_cmd_sock(3).
func (e Entry) CmdSock(command syscalls.IoUringSocketCommand, fd, level, option int, value []byte) error {
	q, s, err := e.begin(syscalls.IORING_OP_URING_CMD)
	if err == nil {
		s.memory = unsafe.Pointer(unsafe.SliceData(value))
		q.FD, q.Off = int32(fd), uint64(command)
		q.Addr = uint64(uint32(level)) | uint64(uint32(option))<<32
		q.Addr3, q.FileIndex = address(s.memory), uint32(len(value))
	}
	return err
}

// CmdGetsockname asks for a socket's address, or its peer's. Since 6.19; io_uring_prep_cmd_getsockname(3).
func (e Entry) CmdGetsockname(fd int, into *Address, peer bool) error {
	if into == nil {
		return invalid("no place for the address")
	}
	q, s, err := e.begin(syscalls.IORING_OP_URING_CMD)
	if err != nil {
		return err
	}
	into.size = uint32(len(into.bytes()))
	s.memory = unsafe.Pointer(into)
	q.FD, q.Off = int32(fd), uint64(syscalls.SOCKET_URING_OP_GETSOCKNAME)
	q.Addr, q.Addr3 = address(unsafe.Pointer(&into.raw)), address(unsafe.Pointer(&into.size))
	if peer {
		q.FileIndex = 1
	}
	return nil
}

// blockDiscard is BLOCK_URING_CMD_DISCARD of linux/blkdev.h: _IO(0x12, 0).
const blockDiscard = 0x1200

// CmdDiscard tells a block device that n bytes are of no use. Since 6.12; io_uring_prep_cmd_discard(3).
func (e Entry) CmdDiscard(fd int, offset, n uint64) error {
	q, _, err := e.begin(syscalls.IORING_OP_URING_CMD)
	if err == nil {
		q.FD, q.Off, q.Addr, q.Addr3 = int32(fd), blockDiscard, offset, n
	}
	return err
}

// Get128 is Get for the two operations of 128 bytes. It needs IORING_SETUP_SQE_MIXED, and takes two places, or a
// third where the two would not lie side by side. In a ring with IORING_SETUP_SQE128 it is Get. Since 6.19;
// io_uring_get_sqe128(3).
func (r *Ring) Get128() (Entry, error) {
	if r.params.Flags&syscalls.IORING_SETUP_SQE128 != 0 {
		return r.Get()
	}
	if r.params.Flags&syscalls.IORING_SETUP_SQE_MIXED == 0 {
		return Entry{}, invalid("entries of 128 bytes without IORING_SETUP_SQE_MIXED")
	}
	if r.closed {
		return Entry{}, ErrClosed
	}
	needed := 2
	if r.tail&r.sqMask == r.sqMask {
		needed++
	}
	if r.Room() < needed {
		return Entry{}, ErrFull
	}
	if needed == 3 {
		gap, err := r.Get()
		if err != nil {
			return Entry{}, err
		}
		if err := gap.Nop(); err != nil {
			return Entry{}, err
		}
		if err := gap.SetFlags(syscalls.IOSQE_CQE_SKIP_SUCCESS); err != nil {
			return Entry{}, err
		}
	}
	e, err := r.Get()
	if err != nil {
		return Entry{}, err
	}
	*r.sqe(r.tail) = syscalls.IoUringSQE{}
	r.tail++
	return e, nil
}
