package reactor

import "time"

// A driver makes things happen to descriptors and tells the loop. It is driven by the loop alone; nothing but
// wake may be called from elsewhere.
//
// It works in batches: wait is one call for all that has happened, and inside of it the driver calls methods of
// Conn, Listener and the like directly. What it tells a connection: input, inputEnd, sent, failed, connected.
// Between the calls for two sources it calls loop.enter, so that a panic has an owner.
type driver interface {
	// attach takes a connection, connected or about to be; its descriptor is non-blocking.
	attach(c *Conn) error
	// connect begins to connect an attached connection.
	connect(c *Conn, to sockaddr) error
	// read turns the reading of input on or off. Off, input that is on its way may still come.
	read(c *Conn, on bool) error
	// send may take the first bytes of b at once. 0 means that b has to be kept, for flush.
	send(c *Conn, b []byte) (int, error)
	// flush sees to it that the kept output is sent; sent is called as it is.
	flush(c *Conn) error
	// detach ends all that is under way for a connection and then closes its descriptor, now or later; but
	// where give is not nil it is given the descriptor instead.
	detach(c *Conn, give func(fd int))

	listen(l *Listener) error
	// accept turns accepting on or off.
	accept(l *Listener, on bool) error
	unlisten(l *Listener)

	listenPacket(p *PacketConn) error
	// readPackets turns the reading of datagrams on or off.
	readPackets(p *PacketConn, on bool) error
	closePacket(p *PacketConn)

	// wait waits for things to happen, until the timeout is over or wake was called, tells them, and returns how
	// many there were. A timeout of 0 does not sleep, a negative one is none.
	wait(timeout time.Duration) (int, error)
	// wake makes wait return, from any goroutine.
	wake() error
	// close releases the driver, when everything has been detached.
	close() error
}
