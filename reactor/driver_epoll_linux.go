package reactor

import (
	"os"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/ring3-go/ring3/epoll"
	"github.com/ring3-go/ring3/syscalls"
)

// epollDriver is readiness: it tries, and waits only for what would have blocked. Everything is level-triggered, so a
// batch that ends early loses nothing; writing is waited for only while output is kept.
type epollDriver struct {
	loop    *Loop
	poller  *epoll.Poller
	events  []epoll.Event
	sources []source // by slot
	vectors []unix.Iovec
}

// A source is what stands in a slot. Compared by token before it is called: the registration that an event of this
// batch is for may have ended within the batch.
type source struct {
	token epoll.Token
	ready func(epoll.Events)
	// Most are connections, and a call that is known is cheaper than one through a closure.
	conn *Conn
	want epoll.Events
}

const (
	epollBatch  = 256
	acceptBatch = 64 // connections accepted in a row, before others have their turn
	packetBatch = 64 // datagrams, likewise
	maxVectors  = 64 // pieces of output in one call
	flushBatch  = 4  // such calls for one connection
)

// Whoever shares a socket may make it blocking, so each call says that it must not.
const sendFlags = unix.MSG_NOSIGNAL | unix.MSG_DONTWAIT

func newEpollDriver(l *Loop) (driver, error) {
	p, err := epoll.New()
	if err != nil {
		return nil, err
	}
	return &epollDriver{loop: l, poller: p, events: make([]epoll.Event, epollBatch), vectors: make([]unix.Iovec, 0, maxVectors)}, nil
}

func (d *epollDriver) start() error     { return nil }
func (d *epollDriver) file(fileOp) bool { return false }
func (d *epollDriver) wake() error      { return d.poller.Wake() }
func (d *epollDriver) close() error     { return d.poller.Close() }

// wait handles one batch.
func (d *epollDriver) wait(timeout time.Duration) (int, error) {
	n, err := d.poller.Wait(d.events, timeout)
	if err != nil {
		return 0, err
	}
	d.loop.asleep.Store(false) // whoever posts from here on is seen before the next sleep
	for i := range d.events[:n] {
		ev := &d.events[i]
		s := &d.sources[ev.Token().Slot()]
		if s.token != ev.Token() {
			continue
		}
		if s.conn != nil {
			d.ready(s.conn, ev.Events())
		} else {
			s.ready(ev.Events())
		}
	}
	return n, nil
}

// add registers a descriptor and gives it a slot.
func (d *epollDriver) add(fd int, want epoll.Events, s source) (uint64, error) {
	tok, err := d.poller.Add(fd, want)
	if err != nil {
		return 0, err
	}
	for len(d.sources) <= tok.Slot() {
		d.sources = append(d.sources, source{})
	}
	s.token, s.want = tok, want
	d.sources[tok.Slot()] = s
	return uint64(tok), nil
}

func (d *epollDriver) source(slot uint64) *source { return &d.sources[epoll.Token(slot).Slot()] }

// remove ends a registration. Its descriptor is closed, or another's, next.
func (d *epollDriver) remove(slot uint64) {
	if slot == 0 {
		return
	}
	*d.source(slot) = source{}
	d.poller.Remove(epoll.Token(slot))
}

// wants changes what a registration waits for.
func (d *epollDriver) wants(slot uint64, set, clear epoll.Events) error {
	s := d.source(slot)
	want := s.want&^clear | set
	if want == s.want {
		return nil
	}
	if err := d.poller.Modify(s.token, want); err != nil {
		return err
	}
	s.want = want
	return nil
}

func (d *epollDriver) attach(c *Conn) (err error) {
	c.slot, err = d.add(c.fd, 0, source{conn: c})
	return err
}

// park takes a connection that has ended out of the set, where nobody wants to read what came before the end: its
// end would be reported by every wait. What asks for it next brings it back.
func (d *epollDriver) park(c *Conn) {
	d.remove(c.slot)
	c.slot = 0
}

func (d *epollDriver) connWants(c *Conn, set, clear epoll.Events) error {
	if c.slot == 0 {
		if set == 0 {
			return nil
		}
		if err := d.attach(c); err != nil {
			return err
		}
	}
	return d.wants(c.slot, set, clear)
}

func (d *epollDriver) connect(c *Conn, to sockaddr) error {
	err := unix.Connect(c.fd, to)
	switch err {
	case nil, unix.EINPROGRESS, unix.EINTR, unix.EALREADY:
		return d.connWants(c, epoll.Out, 0) // connected at once or later, it becomes writable
	}
	return os.NewSyscallError("connect", err)
}

func (d *epollDriver) read(c *Conn, on bool) error {
	if on {
		return d.connWants(c, epoll.In, 0)
	}
	return d.connWants(c, 0, epoll.In)
}

func (d *epollDriver) detach(c *Conn, give func(fd int)) {
	d.remove(c.slot)
	c.slot = 0
	c.dropOutput()
	if give != nil {
		give(c.fd)
		return
	}
	unix.Close(c.fd)
}

// ready handles one event of a connection.
func (d *epollDriver) ready(c *Conn, ev epoll.Events) {
	if c.dialing {
		d.connectEnded(c)
		return
	}
	if ev&epoll.Out != 0 {
		if err := d.flush(c); err != nil {
			c.failed(err)
			return
		}
	}
	// Err and Hup come whether or not they are asked for. What was received before them is delivered first, where
	// input is wanted; otherwise reading would not be, and the loop would spin.
	switch {
	case c.gone:
	case c.reading && ev&(epoll.In|epoll.Hup|epoll.Err) != 0:
		d.readSome(c)
	case ev&(epoll.Hup|epoll.Err) != 0 && c.paused && !c.closing:
		d.park(c)
	case ev&(epoll.Hup|epoll.Err) != 0:
		err := pendingError(c.fd, "read")
		if err == nil {
			err = os.NewSyscallError("read", unix.ECONNRESET)
		}
		c.failed(err)
	}
}

func (d *epollDriver) connectEnded(c *Conn) {
	if err := d.connWants(c, 0, epoll.Out); err != nil {
		c.connected(err)
		return
	}
	c.connected(pendingError(c.fd, "connect"))
}

// readSome reads once. Level-triggered, more is reported again, and others have their turn before.
func (d *epollDriver) readSome(c *Conn) {
	buf := d.loop.buf
	for {
		r, _, errno := syscalls.RawSyscall6(unix.SYS_RECVFROM, uintptr(c.fd), uintptr(unsafe.Pointer(&buf[0])), uintptr(len(buf)), unix.MSG_DONTWAIT, 0, 0)
		switch {
		case errno == unix.EINTR:
			continue
		case errno == unix.EAGAIN:
		case errno != 0:
			c.failed(os.NewSyscallError("read", errno))
		case r == 0:
			c.inputEnd()
		default:
			c.input(buf[:r])
		}
		return
	}
}

// send tries at once.
func (d *epollDriver) send(c *Conn, b []byte) (int, error) {
	for {
		r, _, errno := syscalls.RawSyscall6(unix.SYS_SENDTO, uintptr(c.fd), uintptr(unsafe.Pointer(unsafe.SliceData(b))), uintptr(len(b)), sendFlags, 0, 0)
		switch errno {
		case 0:
			return int(r), nil
		case unix.EINTR:
		case unix.EAGAIN:
			return 0, nil
		default:
			return 0, os.NewSyscallError("write", errno)
		}
	}
}

// flush sends kept output, until there is none, or it would block, or others should have their turn, and waits for the
// rest.
func (d *epollDriver) flush(c *Conn) error {
	for round := 0; c.out.size > 0 && !c.gone; round++ {
		if round == flushBatch {
			return d.connWants(c, epoll.Out, 0)
		}
		d.vectors = d.vectors[:0]
		for p := c.out.head; p != nil && len(d.vectors) < maxVectors; p = p.next {
			v := unix.Iovec{Base: &p.data[p.start]}
			v.SetLen(p.end - p.start)
			d.vectors = append(d.vectors, v)
		}
		msg := unix.Msghdr{Iov: &d.vectors[0]}
		msg.SetIovlen(len(d.vectors))
		r, _, errno := syscalls.RawSyscall6(unix.SYS_SENDMSG, uintptr(c.fd), uintptr(unsafe.Pointer(&msg)), sendFlags, 0, 0, 0)
		switch errno {
		case 0:
			c.sent(int(r))
		case unix.EINTR:
		case unix.EAGAIN:
			return d.connWants(c, epoll.Out, 0)
		default:
			return os.NewSyscallError("write", errno)
		}
	}
	if c.gone {
		return nil
	}
	return d.connWants(c, 0, epoll.Out)
}

func (d *epollDriver) listen(l *Listener) (err error) {
	l.slot, err = d.add(l.fd, epoll.In, source{ready: func(epoll.Events) { d.acceptSome(l) }})
	return err
}

func (d *epollDriver) accept(l *Listener, on bool) error {
	if on {
		return d.wants(l.slot, epoll.In, 0)
	}
	return d.wants(l.slot, 0, epoll.In)
}

func (d *epollDriver) acceptSome(l *Listener) {
	for range acceptBatch {
		if l.closed {
			return
		}
		d.loop.current = l
		fd, err := accept(l.fd)
		switch {
		case err == nil:
			l.accepted(fd)
		case err == errAgain:
			return
		case !l.acceptFailed(err):
			return
		}
	}
}

func (d *epollDriver) settle(*Listener) {} // what is accepted is told at once

func (d *epollDriver) unread(c *Conn) bool { return unread(c.fd) > 0 }

func (d *epollDriver) unlisten(l *Listener) {
	d.remove(l.slot)
	unix.Close(l.fd)
}

func (d *epollDriver) listenPacket(p *PacketConn) (err error) {
	p.slot, err = d.add(p.fd, epoll.In, source{ready: func(epoll.Events) { d.receiveSome(p) }})
	return err
}

func (d *epollDriver) readPackets(p *PacketConn, on bool) error {
	if on {
		return d.wants(p.slot, epoll.In, 0)
	}
	return d.wants(p.slot, 0, epoll.In)
}

func (d *epollDriver) closePacket(p *PacketConn) {
	d.remove(p.slot)
	unix.Close(p.fd)
}

// receiveSome takes datagrams until there are none or others should have their turn.
func (d *epollDriver) receiveSome(p *PacketConn) {
	buf := d.loop.buf
	for range packetBatch {
		if p.gone || d.source(p.slot).want&epoll.In == 0 {
			return
		}
		var from unix.RawSockaddrInet6
		size := uint32(unsafe.Sizeof(from))
		r, _, errno := syscalls.RawSyscall6(unix.SYS_RECVFROM, uintptr(p.fd), uintptr(unsafe.Pointer(&buf[0])),
			uintptr(len(buf)), unix.MSG_DONTWAIT, uintptr(unsafe.Pointer(&from)), uintptr(unsafe.Pointer(&size)))
		switch errno {
		case 0:
			p.input(buf[:r], decode(&from))
		case unix.EAGAIN:
			return
		case unix.EINTR:
		default:
			if !lostPacket(errno) {
				p.shut(os.NewSyscallError("recvfrom", errno))
			}
		}
	}
}

// lostPacket reports whether an error is what ICMP said of a datagram that was sent: it is lost, and the socket is as it
// was.
func lostPacket(errno unix.Errno) bool {
	switch errno {
	case unix.ECONNREFUSED, unix.EHOSTUNREACH, unix.ENETUNREACH, unix.EHOSTDOWN, unix.ENONET, unix.EPROTO:
		return true
	}
	return false
}
