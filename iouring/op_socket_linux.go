package iouring

import (
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/ring3-go/ring3/syscalls"
)

// Operations on sockets. Flags are those of the system call: MSG_, SOCK_.

// Socket makes a socket. Result: the descriptor; give unix.SOCK_CLOEXEC. Since 5.19; socket(2),
// io_uring_prep_socket(3).
func (e Entry) Socket(domain, typ, protocol int) error { return e.socket(domain, typ, protocol, 0) }

// SocketDirect makes a socket in a slot of the registered files, or in one that the kernel chooses
// (IORING_FILE_INDEX_ALLOC; result: the slot). Since 5.19.
func (e Entry) SocketDirect(domain, typ, protocol int, index uint32) error {
	return e.socket(domain, typ, protocol, fileIndex(index))
}

func (e Entry) socket(domain, typ, protocol int, index uint32) error {
	q, s, err := e.begin(syscalls.IORING_OP_SOCKET)
	if err == nil {
		q.FD, q.Off, q.Len = int32(domain), uint64(typ), uint32(protocol)
		q.FileIndex, s.index = index, index
	}
	return err
}

// to copies an address into the slot.
func (s *slot) to(a Address) (where uint64, size uint32) {
	x := s.more()
	x.address = a.raw
	return address(unsafe.Pointer(&x.address)), a.size
}

// Connect connects a socket. Since 5.5; connect(2), io_uring_prep_connect(3).
func (e Entry) Connect(fd int, to Address) error {
	return e.addressed(syscalls.IORING_OP_CONNECT, fd, to)
}

// Bind gives a socket its address. Since 6.11; bind(2), io_uring_prep_bind(3).
func (e Entry) Bind(fd int, at Address) error {
	return e.addressed(syscalls.IORING_OP_BIND, fd, at)
}

func (e Entry) addressed(op syscalls.IoUringOp, fd int, a Address) error {
	q, s, err := e.begin(op)
	if err == nil {
		where, size := s.to(a)
		q.FD, q.Addr, q.Off = int32(fd), where, uint64(size)
	}
	return err
}

// Listen makes a socket accept connections. Since 6.11; listen(2), io_uring_prep_listen(3).
func (e Entry) Listen(fd, backlog int) error {
	q, _, err := e.begin(syscalls.IORING_OP_LISTEN)
	if err == nil {
		q.FD, q.Len = int32(fd), uint32(backlog)
	}
	return err
}

// Accept takes a connection; from, which may be nil, gets the peer's address. Result: the descriptor; give
// unix.SOCK_CLOEXEC. Since 5.5; accept4(2), io_uring_prep_accept(3).
func (e Entry) Accept(fd int, from *Address, flags int) error { return e.accept(fd, from, flags, 0, 0) }

// AcceptDirect is Accept into a slot of the registered files, or one that the kernel chooses
// (IORING_FILE_INDEX_ALLOC; result: the slot). SOCK_CLOEXEC is EINVAL. Since 5.15, choosing 5.19.
func (e Entry) AcceptDirect(fd int, from *Address, flags int, index uint32) error {
	return e.accept(fd, from, flags, fileIndex(index), 0)
}

// MultishotAccept takes connections again and again. Each result: a descriptor. It goes on as long as completions
// say More: EMFILE and a full completion queue, for instance, end it. Since 5.19;
// io_uring_prep_multishot_accept(3).
func (e Entry) MultishotAccept(fd, flags int) error {
	return e.accept(fd, nil, flags, 0, syscalls.IORING_ACCEPT_MULTISHOT)
}

// MultishotAcceptDirect is MultishotAccept into slots that the kernel chooses. Since 5.19.
func (e Entry) MultishotAcceptDirect(fd, flags int) error {
	return e.accept(fd, nil, flags, syscalls.IORING_FILE_INDEX_ALLOC, syscalls.IORING_ACCEPT_MULTISHOT)
}

func (e Entry) accept(fd int, from *Address, flags int, index uint32, how syscalls.IoUringAcceptFlags) error {
	q, s, err := e.begin(syscalls.IORING_OP_ACCEPT)
	if err != nil {
		return err
	}
	if from != nil {
		from.size = unix.SizeofSockaddrAny
		s.memory = unsafe.Pointer(from) // both addresses are inside of it
		q.Addr, q.Off = address(unsafe.Pointer(&from.raw)), address(unsafe.Pointer(&from.size))
	}
	q.FD, q.OpFlags = int32(fd), uint32(flags)
	q.IoPrio |= uint16(how)
	q.FileIndex, s.index = index, index
	return nil
}

// Shutdown ends one direction of a connection, or both. Since 5.11; shutdown(2), io_uring_prep_shutdown(3).
func (e Entry) Shutdown(fd, how int) error {
	q, _, err := e.begin(syscalls.IORING_OP_SHUTDOWN)
	if err == nil {
		q.FD, q.Len = int32(fd), uint32(how)
	}
	return err
}

// transfer fills in a send or a receive of one buffer.
func (e Entry) transfer(op syscalls.IoUringOp, fd int, b []byte, flags int) (*syscalls.IoUringSQE, *slot, error) {
	if err := checkBuffer(b); err != nil {
		return nil, nil, err
	}
	q, s, err := e.begin(op)
	if err != nil {
		return nil, nil, err
	}
	q.FD, q.OpFlags = int32(fd), uint32(flags)
	e.ring.point(q, s, b)
	if flags&unix.MSG_WAITALL != 0 {
		s.index = q.Len
	}
	return q, s, nil
}

// Send sends b. Result: bytes, fewer only without MSG_WAITALL. Since 5.6; send(2), io_uring_prep_send(3).
func (e Entry) Send(fd int, b []byte, flags int) error {
	_, _, err := e.transfer(syscalls.IORING_OP_SEND, fd, b, flags)
	return err
}

// Sendto sends b to an address. Since 6.0 (before it, the address is ignored or EINVAL); sendto(2),
// io_uring_prep_sendto(3).
func (e Entry) Sendto(fd int, b []byte, flags int, to Address) error {
	q, s, err := e.transfer(syscalls.IORING_OP_SEND, fd, b, flags)
	if err == nil {
		s.sendTo(q, to)
	}
	return err
}

func (s *slot) sendTo(q *syscalls.IoUringSQE, to Address) {
	where, size := s.to(to)
	q.Off, q.FileIndex = where, size
}

// SendBundle sends the buffers of a group, several in one go, until the group is empty. Each result: bytes, n at the
// most where n is not 0; the buffer of the completion is the first. Since 6.10; io_uring_prep_send_bundle(3).
func (e Entry) SendBundle(fd int, n uint32, flags int, group uint16) error {
	if err := e.SetBufferGroup(group); err != nil {
		return err
	}
	q, _, err := e.transfer(syscalls.IORING_OP_SEND, fd, nil, flags)
	if err == nil {
		q.Len = n
		q.IoPrio |= uint16(syscalls.IORING_RECVSEND_BUNDLE)
	}
	return err
}

// SendZC sends b without a copy: b is the kernel's until a second completion, the notification, which comes when
// the first says More. Where the way does not allow it, such as to this machine, the kernel copies all the same.
// Since 6.0; io_uring_prep_send_zc(3).
func (e Entry) SendZC(fd int, b []byte, flags int, how syscalls.IoUringSendRecvFlags) error {
	q, _, err := e.transfer(syscalls.IORING_OP_SEND_ZC, fd, b, flags)
	if err == nil {
		q.IoPrio |= uint16(how)
	}
	return err
}

// SendtoZC is SendZC to an address. Since 6.0; io_uring_prep_send_set_addr(3).
func (e Entry) SendtoZC(fd int, b []byte, flags int, how syscalls.IoUringSendRecvFlags, to Address) error {
	q, s, err := e.transfer(syscalls.IORING_OP_SEND_ZC, fd, b, flags)
	if err == nil {
		q.IoPrio |= uint16(how)
		s.sendTo(q, to)
	}
	return err
}

// SendZCFixed is SendZC of b, which lies in the registered buffer index. Since 6.0;
// io_uring_prep_send_zc_fixed(3).
func (e Entry) SendZCFixed(fd int, b []byte, flags int, how syscalls.IoUringSendRecvFlags, index uint16) error {
	q, _, err := e.transfer(syscalls.IORING_OP_SEND_ZC, fd, b, flags)
	if err == nil {
		q.IoPrio |= uint16(how | syscalls.IORING_RECVSEND_FIXED_BUF)
		q.BufIndex = index
	}
	return err
}

// Recv receives into b, or into a buffer of the group (b nil). Result: bytes, 0 at the end. Since 5.6; recv(2),
// io_uring_prep_recv(3).
func (e Entry) Recv(fd int, b []byte, flags int) error {
	_, _, err := e.transfer(syscalls.IORING_OP_RECV, fd, b, flags)
	return err
}

// RecvMultishot receives again and again, each time into a buffer of the group. Each result: bytes. It ends with 0
// at the end, and with ENOBUFS where the group is empty. In 6.1, beside SendZC to the same socket and in a ring without
// IORING_SETUP_DEFER_TASKRUN, it can lock up in the kernel where the completion queue is full: see
// [Options.SingleIssuer]. Since 6.0; io_uring_prep_recv_multishot(3).
func (e Entry) RecvMultishot(fd, flags int, group uint16) error {
	if err := e.SetBufferGroup(group); err != nil {
		return err
	}
	q, _, err := e.transfer(syscalls.IORING_OP_RECV, fd, nil, flags)
	if err == nil {
		q.IoPrio |= uint16(syscalls.IORING_RECV_MULTISHOT)
	}
	return err
}

// RecvBundle receives into as many buffers of the group as there is data for, with one completion: see
// [BufRing.Bundle]. With multishot again and again. Since 6.10; io_uring_prep_recv(3).
func (e Entry) RecvBundle(fd, flags int, group uint16, multishot bool) error {
	if err := e.SetBufferGroup(group); err != nil {
		return err
	}
	q, _, err := e.transfer(syscalls.IORING_OP_RECV, fd, nil, flags)
	if err == nil {
		q.IoPrio |= uint16(syscalls.IORING_RECVSEND_BUNDLE)
		if multishot {
			q.IoPrio |= uint16(syscalls.IORING_RECV_MULTISHOT)
		}
	}
	return err
}

// message fills in an operation with a struct msghdr, which the slot has.
func (e Entry) message(op syscalls.IoUringOp, fd int, m *Msg, flags int) (*syscalls.IoUringSQE, *slot, error) {
	if m == nil {
		return nil, nil, invalid("no message")
	}
	if err := checkVectors(m.Buffers); err != nil {
		return nil, nil, err
	}
	q, s, err := e.begin(op)
	if err != nil {
		return nil, nil, err
	}
	v := e.ring.vector(s, m.Buffers)
	h := &s.extra.header
	*h = unix.Msghdr{Iov: unsafe.SliceData(v), Control: unsafe.SliceData(m.Control)}
	h.SetIovlen(len(v))
	h.SetControllen(len(m.Control))
	q.FD, q.Addr, q.Len, q.OpFlags = int32(fd), address(unsafe.Pointer(h)), 1, uint32(flags)
	if flags&unix.MSG_WAITALL != 0 {
		s.index = total(m.Buffers)
	}
	return q, s, nil
}

// Sendmsg sends a message. Result: bytes. Since 5.3; sendmsg(2), io_uring_prep_sendmsg(3).
func (e Entry) Sendmsg(fd int, m *Msg, flags int) error {
	return e.sendmsg(syscalls.IORING_OP_SENDMSG, fd, m, flags)
}

// SendmsgZC is Sendmsg without a copy: see [Entry.SendZC]. Since 6.1; io_uring_prep_sendmsg_zc(3).
func (e Entry) SendmsgZC(fd int, m *Msg, flags int) error {
	return e.sendmsg(syscalls.IORING_OP_SENDMSG_ZC, fd, m, flags)
}

func (e Entry) sendmsg(op syscalls.IoUringOp, fd int, m *Msg, flags int) error {
	_, s, err := e.message(op, fd, m, flags)
	if err == nil && m.Address != nil {
		s.extra.address = m.Address.raw
		s.extra.header.Name = (*byte)(unsafe.Pointer(&s.extra.address))
		s.extra.header.Namelen = m.Address.size
	}
	return err
}

// Recvmsg receives a message; m gets the peer's address, control data and flags. Result: bytes. Since 5.3;
// recvmsg(2), io_uring_prep_recvmsg(3).
func (e Entry) Recvmsg(fd int, m *Msg, flags int) error {
	_, s, err := e.message(syscalls.IORING_OP_RECVMSG, fd, m, flags)
	if err != nil {
		return err
	}
	s.flags |= finishes
	s.extra.message = m
	if m.Address != nil {
		s.memory = unsafe.Pointer(m.Address)
		s.extra.header.Name = (*byte)(unsafe.Pointer(&m.Address.raw))
		s.extra.header.Namelen = unix.SizeofSockaddrAny
	}
	return nil
}

// RecvmsgMultishot receives messages again and again, each with its peer's address and up to control bytes of
// control data, into a buffer of the group: see [ParseRecvmsg]. A message without payload ends it. Since 6.0; io_uring_prep_recvmsg_multishot(3).
func (e Entry) RecvmsgMultishot(fd, control, flags int, group uint16) error {
	if control < 0 || control > 1<<16 {
		return invalid("%d bytes of control data", control)
	}
	if err := e.SetBufferGroup(group); err != nil {
		return err
	}
	q, s, err := e.message(syscalls.IORING_OP_RECVMSG, fd, &Msg{}, flags)
	if err != nil {
		return err
	}
	s.extra.header.Iov = nil
	s.extra.header.Namelen = unix.SizeofSockaddrAny
	s.extra.header.SetControllen(control)
	q.IoPrio |= uint16(syscalls.IORING_RECV_MULTISHOT)
	return nil
}

// A Received is a message in a buffer of a group.
type Received struct {
	Address Address
	Control []byte
	Payload []byte
	Flags   int // MSG_TRUNC and others
}

// ParseRecvmsg takes a message of [Entry.RecvmsgMultishot] apart; b is what [BufRing.Bytes] returned, and control
// as it was given. Errors: EINVAL, b is too short.
func ParseRecvmsg(b []byte, control int) (Received, error) {
	const head = int(unsafe.Sizeof(syscalls.IoUringRecvmsgOut{}))
	begin := head + unix.SizeofSockaddrAny + control
	if control < 0 || len(b) < begin {
		return Received{}, invalid("message of %d bytes", len(b))
	}
	out := *(*syscalls.IoUringRecvmsgOut)(unsafe.Pointer(&b[0]))
	m := Received{Payload: b[begin:], Flags: int(out.Flags)}
	m.Address.size = uint32(copy(m.Address.bytes()[:], b[head:][:min(out.NameLen, unix.SizeofSockaddrAny)]))
	m.Control = b[head+unix.SizeofSockaddrAny:][:min(int(out.ControlLen), control)]
	m.Payload = m.Payload[:min(len(m.Payload), int(out.PayloadLen))]
	return m, nil
}
