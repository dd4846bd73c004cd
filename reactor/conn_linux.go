package reactor

import (
	"fmt"
	"net"
	"time"
)

// A Conn is a connected stream socket on a loop: TCP or unix. Its methods, but for [Conn.Post] and [Conn.Loop], are
// for functions that run on the loop. After it has closed they do nothing, or return [ErrClosed].
type Conn struct {
	// User is the program's own.
	User any

	loop    *Loop
	handler Handler
	fd      int
	slot    uint64    // the epoll driver's
	ring    *ringConn // the io_uring driver's
	out     output
	alarm   alarm // for the earliest deadline
	readBy  int64 // deadlines, in ticks; 0: none
	writeBy int64
	dialBy  int64    // for Open
	since   int64    // the tick of Open
	tls     *tlsConn // nil without
	reason  error    // why it is closing
	keptAt  uint64   // number of the loop's wait in or before which output began to be kept

	released func(net.Conn, error) // who gets the connection when the driver has let go of it

	opened   bool // Open was called
	dialing  bool
	gone     bool // closed: the handler has been told
	closing  bool // closes when all output is sent
	aborted  bool // closes without that
	late     bool // Close was called, but the handshake goes on for what was written
	half     bool // writing half is, or will be, shut down
	halfDone bool
	tlsEnded bool // EOF was called for an end that TLS has seen
	ended    bool // the peer has shut down its half
	full     bool // output is above the high mark, and has not come down to the low one
	paused   bool // by the program
	reading  bool // as the driver was told
	spoke    bool // the handler has had input, ever
	heard    bool // input came since the last look, while draining
	dirty    bool // in loop.dirty
}

// Loop returns the loop that the connection is on.
func (c *Conn) Loop() *Loop { return c.loop }

// Post has f called on the loop, unless the connection has closed by then. Safe for concurrent use. Errors: as of
// [Loop.Post].
func (c *Conn) Post(f func(*Conn)) error {
	return c.loop.Post(func() {
		if !c.gone {
			c.loop.current = c
			f(c)
		}
	})
}

// SetHandler replaces the handler: the next event goes to h. For protocols that begin with another. A nil h ignores
// everything, as [Base] does.
func (c *Conn) SetHandler(h Handler) {
	if h == nil {
		h = Base{}
	}
	c.handler = h
}

// Write sends b, or as much as the kernel takes at once, and keeps a copy of the rest to send later, in order. It
// does not block, and b is the caller's again when it returns. A return of nil means that b will be sent unless the
// connection fails first.
//
// Errors: [ErrClosed], also after CloseWrite and Close; [ErrWriteLimit].
func (c *Conn) Write(b []byte) error {
	if c.gone || c.half || c.closing || c.released != nil {
		return ErrClosed
	}
	if c.Buffered()+len(b) > c.loop.opts.WriteLimit {
		return ErrWriteLimit
	}
	if c.tls != nil {
		return c.tls.write(b)
	}
	return c.write(b)
}

// write is Write below TLS. It is never refused.
func (c *Conn) write(b []byte) error {
	if c.out.size == 0 && len(b) > 0 && !c.dialing {
		n, err := c.loop.driver.send(c, b)
		if err != nil {
			// The handler hears of it from the loop, not from inside of its own Write.
			c.loop.Post(func() { c.failed(err) })
			return err
		}
		b = b[n:]
	}
	if len(b) == 0 {
		return nil
	}
	if c.out.size == 0 {
		c.keptAt = c.loop.waits
	}
	c.out.append(&c.loop.supply, b)
	c.needFlush()
	if c.out.size > c.loop.opts.HighWater && !c.full {
		c.full = true
		c.updateRead()
	}
	c.updateAlarm()
	return nil
}

func (c *Conn) needFlush() {
	if !c.dirty && !c.dialing {
		c.dirty = true
		c.loop.dirty = append(c.loop.dirty, c)
	}
}

// Buffered returns how many bytes of output are kept.
func (c *Conn) Buffered() int {
	if c.gone {
		return 0
	}
	n := c.out.size
	if c.tls != nil {
		n += len(c.tls.early)
	}
	return n
}

// Pause stops the reading of input. What has been read may still be delivered, and the end of the connection is
// noticed late or not at all. It does not touch what the kernel receives and acknowledges.
func (c *Conn) Pause() { c.paused = true; c.updateRead() }

// Resume undoes Pause.
func (c *Conn) Resume() { c.paused = false; c.updateRead() }

// CloseWrite ends the writing half when all output is sent: the peer reads to the end, and may go on writing.
func (c *Conn) CloseWrite() error {
	if c.gone || c.closing || c.released != nil {
		return ErrClosed
	}
	if c.half {
		return nil
	}
	if c.tls != nil {
		if err := c.tls.closeWrite(); err != nil {
			return err
		}
	}
	c.half = true
	c.endHalf()
	return nil
}

// endHalf shuts down the writing half if there is no output to wait for.
func (c *Conn) endHalf() {
	if c.out.size == 0 {
		c.loop.Post(func() { c.sent(0) }) // which may be the end of all
	}
}

// Close closes the connection when all output is sent, or the write deadline is over; input is not read any more.
// Handler.Closed is called then, not before Close returns. Without a write deadline a peer that does not read can
// make that take for ever; see [Conn.Abort].
//
// Sent is what the kernel has taken. It resets a TCP connection that is closed with input unread, and what it had taken
// may be lost to the peer. Where the peer may still be sending, call CloseWrite, and Close on EOF.
func (c *Conn) Close() error {
	if c.gone || c.closing || c.late {
		return ErrClosed
	}
	if c.tls != nil && len(c.tls.early) > 0 {
		c.late, c.half = true, true
		return nil
	}
	if c.tls != nil && !c.half {
		c.tls.closeWrite() // where that fails, the connection has failed
	}
	c.closing = true
	c.updateRead()
	if c.out.size == 0 {
		c.loop.Post(func() { c.shut(c.reason) })
	}
	return nil
}

// Abort closes the connection now and drops what is not sent; the peer of a TCP connection sees a reset.
// Handler.Closed is called with err, not before Abort returns. It may follow Close.
func (c *Conn) Abort(err error) {
	if c.gone || c.aborted {
		return
	}
	c.closing, c.aborted, c.reason = true, true, err
	c.updateRead()
	c.loop.Post(func() { c.shut(err) })
}

// LocalAddr returns the address of this end, a *net.TCPAddr or *net.UnixAddr, or nil once it has closed.
func (c *Conn) LocalAddr() net.Addr { return c.address(localAddr) }

// RemoteAddr returns that of the peer.
func (c *Conn) RemoteAddr() net.Addr { return c.address(remoteAddr) }

func (c *Conn) address(of func(fd int) net.Addr) net.Addr {
	if c.gone {
		return nil
	}
	return of(c.fd)
}

// updateRead tells the driver whether input is wanted.
func (c *Conn) updateRead() {
	want := c.opened && !c.gone && !c.closing && !c.ended && !c.paused && !c.full && c.released == nil
	if c.tls != nil && c.tls.handshaking() {
		want = !c.gone && !c.closing && !c.ended
	}
	if want == c.reading || c.gone || c.dialing {
		return
	}
	c.reading = want
	if err := c.loop.driver.read(c, want); err != nil {
		c.loop.Post(func() { c.failed(err) })
	}
}

// begin is called when the socket is connected: by a listener, by a driver, or for an adopted connection.
func (c *Conn) begin() {
	c.loop.current = c
	c.dialing = false
	if c.tls != nil {
		c.tls.start()
	} else {
		c.open()
	}
	c.updateRead()
	switch {
	case c.gone:
	case c.out.size > 0:
		c.needFlush()
	case c.half:
		c.endHalf()
	}
}

func (c *Conn) open() {
	c.opened, c.dialBy, c.since = true, 0, c.loop.ticks()
	c.handler.Open(c)
	if c.loop.draining && !c.gone {
		c.drain()
	}
	c.updateRead()
}

func (c *Conn) drain() {
	c.heard = true // it is looked at twice at least
	if d, ok := c.handler.(Drainer); ok {
		d.Drain(c)
	}
}

// connected is told by the driver: err is nil, or why the peer cannot be reached.
func (c *Conn) connected(err error) {
	if err != nil {
		c.failed(err)
		return
	}
	c.begin()
}

// input is told by the driver: the peer has sent b, which is the driver's again when input returns.
func (c *Conn) input(b []byte) {
	if c.gone || c.closing {
		return // read before that, or on its way
	}
	c.loop.current = c
	c.heard = true
	if c.tls != nil {
		c.tls.input(b)
		return
	}
	c.data(b)
}

// data is input above TLS.
func (c *Conn) data(b []byte) {
	c.spoke = true
	c.handler.Data(c, b)
}

// inputEnd is told by the driver: the peer has shut down its writing half.
func (c *Conn) inputEnd() {
	if c.gone || c.ended {
		return
	}
	c.ended = true
	c.updateRead()
	c.loop.current = c
	switch {
	case c.closing:
	case c.tls != nil:
		c.tls.inputEnd()
	default:
		c.handler.EOF(c)
	}
	c.bothEnded()
}

// end tells the handler, once, of an end that TLS has seen.
func (c *Conn) end() {
	if c.tlsEnded {
		return
	}
	c.tlsEnded = true
	c.handler.EOF(c)
}

// endAfterFlush closes the connection with an error once all output is sent, or lingerTime is over.
func (c *Conn) endAfterFlush(err error) {
	if c.gone {
		return
	}
	if c.out.size == 0 {
		c.failed(err)
		return
	}
	c.closing, c.reason = true, err
	c.updateRead()
	c.SetWriteDeadline(time.Now().Add(lingerTime))
}

const lingerTime = 5 * time.Second

// bothEnded closes a connection that has nothing left to do: the peer has ended its half, and we ours.
func (c *Conn) bothEnded() {
	if c.ended && c.halfDone && !c.gone {
		c.shut(nil)
	}
}

// sent is told by the driver: the kernel has taken n bytes of the kept output.
func (c *Conn) sent(n int) {
	if c.gone {
		return
	}
	c.out.consume(&c.loop.supply, n)
	if c.full && c.out.size <= c.loop.opts.LowWater {
		c.full = false
		c.updateRead()
		if !c.closing && c.opened {
			c.loop.current = c
			c.handler.Drained(c)
		}
	}
	if c.out.size > 0 || c.gone {
		return
	}
	switch {
	case c.closing:
		c.loop.current = c
		c.shut(c.reason)
	case c.half && !c.halfDone && !c.dialing && (c.tls == nil || c.tls.done):
		c.halfDone = true
		if err := shutdownWrite(c.fd); err != nil {
			c.failed(err)
		}
		c.bothEnded()
	}
	if c.released != nil && !c.gone {
		c.letGo()
	}
}

// failed ends the connection for a reason that is not the program's.
func (c *Conn) failed(err error) {
	c.shut(err)
}

// panicked ends it because its handler panicked.
func (c *Conn) panicked(e *PanicError) { c.shut(e) }

// shut closes the connection and tells the handler, once.
func (c *Conn) shut(err error) {
	if !c.leave() {
		return
	}
	if c.aborted {
		reset(c.fd)
		err = c.reason
	}
	c.loop.driver.detach(c, nil)
	if c.tls != nil {
		c.tls.stop()
	}
	c.loop.current = c
	done := c.released
	c.released = nil
	if done == nil {
		c.handler.Closed(c, err)
		return
	}
	defer func() { // whether or not the handler panics
		if err == nil {
			err = ErrClosed
		}
		done(nil, err)
	}()
	c.handler.Closed(c, err)
}

// leave takes the connection off the loop, but for its descriptor.
func (c *Conn) leave() bool {
	if c.gone {
		return false
	}
	c.gone = true
	c.loop.timers.stop(&c.alarm)
	delete(c.loop.conns, c)
	return true
}

// dropOutput is for the driver, when nothing of it is on its way any more.
func (c *Conn) dropOutput() { c.out.clear(&c.loop.supply) }

// String names the connection by its ends, for messages.
func (c *Conn) String() string {
	if c.gone {
		return "closed connection"
	}
	return fmt.Sprintf("%v -> %v", c.LocalAddr(), c.RemoteAddr())
}
