package reactor

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"

	"github.com/ring3-go/ring3/iouring"
	"github.com/ring3-go/ring3/syscalls"
)

// A ringConn is what the io_uring driver knows of a connection. Tokens are 0 where nothing is in flight.
type ringConn struct {
	d       *ringDriver
	c       *Conn
	receive iouring.Token
	send    iouring.Token
	poll    iouring.Token // for the end of connecting, or of everything
	// Receiving goes on for a moment when it was turned off. What came is held, up to what is on its way when the
	// first of it arrives: then the operation is cancelled. So a program that stops and goes on costs nothing.
	held  output
	end   bool  // the peer's, after held
	err   error // likewise
	give  func(fd int)
	stops bool // receive is being cancelled
	// The end of a unix socket that comes together with the last bytes is lost to an operation that goes on (seen with
	// 6.18): it takes the bytes, and waits. One that begins looks first. TCP tells it.
	once   bool
	sends  uint8 // that there have been, up to placeAfter
	place  int   // among the registered files, plus one
	queued bool  // in d.ready or d.starved
}

// maxPieces is how many pieces of output go into one operation; a slot of the ring has room for them.
const maxPieces = 8

// of returns the connection's state. There may be none before attach, when output has been written already.
func (d *ringDriver) of(c *Conn) *ringConn {
	if c.ring == nil {
		domain, err := unix.GetsockoptInt(c.fd, unix.SOL_SOCKET, unix.SO_DOMAIN)
		c.ring = &ringConn{d: d, c: c, once: err == nil && domain == unix.AF_UNIX}
	}
	return c.ring
}

func (d *ringDriver) attach(c *Conn) error { d.of(c); return nil }

// connect begins as any program does, because a call that does not block says at once what is wrong with an address;
// the ring says when it has ended.
func (d *ringDriver) connect(c *Conn, to sockaddr) error {
	err := unix.Connect(c.fd, to)
	switch err {
	case nil, unix.EINPROGRESS, unix.EINTR, unix.EALREADY:
		return d.awaitConnect(d.of(c))
	}
	return os.NewSyscallError("connect", err)
}

func (d *ringDriver) awaitConnect(rc *ringConn) error {
	e, err := d.get()
	if err == nil {
		err = e.PollAdd(rc.c.fd, unix.POLLOUT)
	}
	if err == nil {
		rc.poll = d.expect(e, rc, nil, opConnect)
	}
	return err
}

// awaitHangUp polls for the end of a connection whose peer has ended its half: nothing is received then that would tell.
// The ring reports that half as well, whenever the socket changes; so it is asked to go on.
func (rc *ringConn) awaitHangUp() error {
	e, err := rc.d.get()
	if err == nil {
		err = e.PollMultishot(rc.c.fd, 0, 0)
	}
	if err == nil {
		rc.poll = rc.d.expect(e, rc, nil, opHangUp)
	}
	return err
}

func (d *ringDriver) connectEnded(rc *ringConn, res int32) {
	rc.poll = 0
	switch {
	case rc.c.gone:
	case res >= 0:
		rc.c.connected(pendingError(rc.c.fd, "connect"))
	case again(unix.Errno(-res)):
		if err := d.awaitConnect(rc); err != nil {
			rc.c.connected(err)
		}
	default:
		rc.c.connected(os.NewSyscallError("connect", unix.Errno(-res)))
	}
}

func (d *ringDriver) hungUp(rc *ringConn, c *iouring.Completion) {
	if !c.More() {
		rc.poll = 0
	}
	switch {
	case rc.c.gone || rc.give != nil:
	case c.Res >= 0 && c.Res&(unix.POLLHUP|unix.POLLERR) != 0:
		err := pendingError(rc.c.fd, "read")
		if err == nil {
			err = os.NewSyscallError("read", unix.ECONNRESET)
		}
		rc.c.failed(err)
	case !c.More():
		if err := rc.awaitHangUp(); err != nil {
			rc.c.failed(err)
		}
	}
}

func (d *ringDriver) read(c *Conn, on bool) error {
	rc := d.of(c)
	if !on || rc.give != nil {
		return nil // see received
	}
	if rc.held.size > 0 || rc.end || rc.err != nil {
		rc.enqueue(&d.ready)
		return nil
	}
	return rc.arm()
}

func (d *ringDriver) unread(c *Conn) bool {
	if unread(c.fd) > 0 || d.of(c).held.size > 0 {
		return true
	}
	// Completions that nobody has looked at may be of any connection, also those for which the queue had no room.
	ready, _ := d.ring.SubmitAndWait(0, 0)
	return ready > 0
}

func (rc *ringConn) enqueue(list *[]teller) {
	if !rc.queued {
		rc.queued = true
		*list = append(*list, rc)
	}
}

// arm receives, unless that goes on already.
func (rc *ringConn) arm() error {
	if rc.receive != 0 {
		return nil
	}
	e, err := rc.d.get()
	switch {
	case err != nil:
	case rc.once:
		err = errors.Join(e.SetBufferGroup(streamGroup), e.Recv(rc.c.fd, nil, 0))
	default:
		err = e.RecvMultishot(rc.c.fd, 0, streamGroup)
	}
	if err != nil {
		return err
	}
	rc.receive = rc.d.expect(e, rc, nil, opReceive)
	return nil
}

// stop ends receiving. What is on its way still comes.
func (rc *ringConn) stop() {
	if rc.receive == 0 || rc.stops {
		return
	}
	rc.stops = true
	if err := rc.d.cancel(rc.receive); err != nil {
		rc.c.failed(err)
	}
}

// received takes what the kernel has received. Where the handler does not want it now it is copied, so that a
// connection that is not read from has no buffer of those that all share.
func (d *ringDriver) received(rc *ringConn, c *iouring.Completion) {
	res, more, conn := c.Res, c.More(), rc.c
	if !more {
		rc.receive, rc.stops = 0, false
	}
	if res > 0 {
		b := d.lend(d.buffers, c)
		switch {
		case conn.gone:
		case conn.reading && rc.give == nil && rc.held.size == 0:
			conn.input(b)
		case !conn.closing:
			rc.held.append(&d.loop.supply, b)
		}
		d.takeBack()
	}
	switch {
	case conn.gone:
	case more:
		if !conn.reading || rc.give != nil {
			rc.stop()
		}
	default:
		rc.ended(res)
	}
}

// ended sees to the end of an operation that received.
func (rc *ringConn) ended(res int32) {
	errno := unix.Errno(0)
	if res < 0 {
		errno = unix.Errno(-res)
	}
	switch {
	case res == 0:
		rc.end = true
	case errno == unix.ENOBUFS && rc.give == nil && rc.c.reading:
		rc.enqueue(&rc.d.starved)
		return
	case errno != 0 && errno != unix.ENOBUFS && !again(errno):
		rc.err = os.NewSyscallError("read", errno)
		// Where the program has not said that it does not want to read, it is told now.
		if rc.give == nil && (!rc.c.paused || rc.c.closing) && rc.held.size == 0 {
			rc.c.failed(rc.err)
			return
		}
	}
	rc.tellNow()
}

// tell goes on where something had to wait.
func (rc *ringConn) tell() {
	rc.queued = false
	rc.tellNow()
}

// tellNow tells what was held, as far as it is wanted, and then has more received.
func (rc *ringConn) tellNow() {
	c, d := rc.c, rc.d
	for rc.held.size > 0 && !c.gone && (c.reading || rc.give != nil && rc.idle()) {
		head := rc.held.head
		b := d.loop.buf[:copy(d.loop.buf, head.data[head.start:head.end])]
		rc.held.consume(&d.loop.supply, len(b))
		c.input(b)
	}
	switch {
	case c.gone:
	case rc.give != nil:
		rc.handOver()
	case !c.reading || rc.held.size > 0:
	case rc.end:
		rc.endInput()
	case rc.err != nil:
		c.failed(rc.err)
	default:
		if err := rc.arm(); err != nil {
			c.failed(err)
		}
	}
}

// endInput tells of the peer's end. What comes after it can be an error alone.
func (rc *ringConn) endInput() {
	rc.end = false
	err := rc.awaitHangUp()
	rc.c.inputEnd()
	if err != nil && !rc.c.gone {
		rc.c.failed(err)
	}
}

// idle reports whether nothing of the connection's is in flight that would be missed.
func (rc *ringConn) idle() bool { return rc.receive == 0 }

// handOver gives the descriptor away, when nothing uses it any more. An end is met again by who gets it.
func (rc *ringConn) handOver() {
	switch {
	case !rc.idle():
	case rc.err != nil:
		rc.c.failed(rc.err)
	default:
		if err := rc.d.unplace(rc.place); err != nil { // all is sent, but who gets it could not end it
			rc.c.failed(err)
			return
		}
		rc.place = 0
		give := rc.give
		rc.give = nil
		rc.d.drop(rc.poll)
		rc.poll = 0
		give(rc.c.fd)
	}
}

// send takes nothing: what a batch writes goes to the kernel in one call, see flush.
func (d *ringDriver) send(*Conn, []byte) (int, error) { return 0, nil }

// flush sends kept output, in one operation at a time: two might be carried out in either order.
func (d *ringDriver) flush(c *Conn) error {
	rc := d.of(c)
	if rc.send != 0 {
		return nil
	}
	if rc.sends < placeAfter {
		if rc.sends++; rc.sends == placeAfter {
			d.place(rc)
		}
	}
	e, err := d.get()
	if err != nil {
		return err
	}
	fd := c.fd
	if rc.place != 0 {
		fd = rc.place - 1
		if err := e.SetFlags(syscalls.IOSQE_FIXED_FILE); err != nil {
			return err
		}
	}
	if head := c.out.head; head.next == nil {
		err = e.Send(fd, head.data[head.start:head.end], unix.MSG_NOSIGNAL)
	} else {
		d.pieces = d.pieces[:0]
		for p := head; p != nil && len(d.pieces) < maxPieces; p = p.next {
			d.pieces = append(d.pieces, p.data[p.start:p.end])
		}
		d.message.Buffers = d.pieces
		err = e.Sendmsg(fd, &d.message, unix.MSG_NOSIGNAL)
		clear(d.pieces)
	}
	if err != nil {
		return err
	}
	rc.send = d.expect(e, rc, nil, opSend)
	return nil
}

// sent takes what a send gave, and sends the rest. That the kernel has taken output is no event for a loop that looks
// for something to do.
func (d *ringDriver) sent(rc *ringConn, res int32) int {
	rc.send = 0
	c := rc.c
	switch {
	case c.gone:
		return 0
	case res >= 0:
		quiet := !c.full && !c.closing && !c.half
		c.sent(int(res))
		if quiet && c.out.size == 0 {
			return 0
		}
	case !again(unix.Errno(-res)):
		c.failed(os.NewSyscallError("write", unix.Errno(-res)))
	}
	if c.out.size > 0 && !c.gone {
		if err := d.flush(c); err != nil {
			c.failed(err)
		}
	}
	return 1
}

func (d *ringDriver) detach(c *Conn, give func(fd int)) {
	rc := d.of(c)
	if give != nil {
		rc.give = give
		rc.stop()
		switch {
		case c.gone:
		case !rc.idle(): // to be continued when it is
		case rc.held.size > 0: // a handler is running, and is not to be called inside of that
			rc.enqueue(&d.ready)
		default:
			rc.handOver()
		}
		return
	}
	rc.give = nil
	if rc.send != 0 {
		c.out = output{} // the kernel has pieces of it; the ring keeps them, and then they are garbage
	}
	c.dropOutput()
	rc.held.clear(&d.loop.supply)
	for _, tok := range []*iouring.Token{&rc.receive, &rc.send, &rc.poll} {
		d.drop(*tok)
		*tok = 0
	}
	d.closeLater(c.fd, rc.place)
}
