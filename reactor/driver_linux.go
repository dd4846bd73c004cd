package reactor

import "time"

// A driver makes things happen to descriptors and tells the loop. It is driven by the loop alone; nothing but
// wake may be called from elsewhere.
//
// It works in batches: wait is one call for all that has happened, and inside of it the driver calls methods of
// Conn, Listener and PacketConn directly. What it tells a connection: input, inputEnd, sent, failed, connected; each
// sets loop.current, so that a panic has an owner. A panic leaves wait in the middle of a batch: what was left of it must
// be told by a later wait.
type driver interface {
	// start is called once, first, on the thread that calls everything else but wake.
	start() error

	// attach takes a connection, connected or about to be; its descriptor is non-blocking.
	attach(c *Conn) error
	// connect begins to connect an attached connection.
	connect(c *Conn, to sockaddr) error
	// read turns the reading of input on or off. Off, input that is on its way may still be told.
	read(c *Conn, on bool) error
	// unread reports whether input has come for a connection that it has not been told.
	unread(c *Conn) bool
	// send may take the first bytes of b at once. 0 means that b has to be kept, for flush.
	send(c *Conn, b []byte) (int, error)
	// flush sees to it that the kept output is sent; sent is called as it is. The pieces of c.out neither move nor
	// are used again before sent or dropOutput has been called for them, so the kernel may be given their addresses.
	flush(c *Conn) error
	// detach ends all that is under way for a connection, calls c.dropOutput, and then closes the descriptor; now or
	// later. Where give is nil, c is gone already, and told nothing more. Else there is no output, and give gets the
	// descriptor instead: until then c is not gone, and input that was read on the way is told first, or it would be lost.
	detach(c *Conn, give func(fd int))

	// listen begins to accept: Listener.accepted, acceptFailed.
	listen(l *Listener) error
	// accept turns accepting on or off. Off, a connection that was accepted meanwhile is still told.
	accept(l *Listener, on bool) error
	// settle ends accepting, and tells of every connection that was accepted and has not been told of: others may have
	// the socket too, but nobody else has those.
	settle(l *Listener)
	// unlisten ends accepting and closes the socket. A connection that is accepted after that is closed.
	unlisten(l *Listener)

	listenPacket(p *PacketConn) error
	// readPackets turns the reading of datagrams on or off.
	readPackets(p *PacketConn, on bool) error
	closePacket(p *PacketConn)

	// file carries out an operation on a file, and calls workers.finished or workers.retry; or it returns false.
	file(op fileOp) bool

	// wait waits for things to happen, until the timeout is over or wake was called, tells them, and returns how
	// many there were. A timeout of 0 does not sleep, a negative one is none. When it has waited, and before it tells
	// of anything, it sets loop.asleep to false: from there on posts need no wake.
	wait(timeout time.Duration) (int, error)
	// wake makes wait return, from any goroutine. Errors: os.ErrClosed after close, which may come at any moment.
	wake() error
	// close releases the driver, when everything has been detached; it waits for what detach has left for later.
	close() error
}
