package reactor

// A Handler is what a connection does. Its methods are called on the loop, in this order: Open once, then Data,
// EOF and Drained as things happen, then Closed once and nothing after it. Where a connection could not be made,
// Closed alone is called. One handler may serve any number of connections. Embed [Base] and write the methods
// that matter.
type Handler interface {
	// Open is called when the connection stands, and with TLS when its handshake is done.
	Open(c *Conn)
	// Data brings what the peer sent: at least a byte, in order. b is lent until Data returns.
	Data(c *Conn, b []byte)
	// EOF says that the peer will send no more. Base's closes the connection when all output is sent, as
	// most protocols want it; without that the connection stays, to write on.
	EOF(c *Conn)
	// Drained says that output has come down to the low mark, after having been above the high one.
	Drained(c *Conn)
	// Closed is the end. err says why: nil when the program closed it and all output was sent,
	// os.ErrDeadlineExceeded, a [PanicError], [ErrClosed] when the loop ended, or what the kernel said.
	Closed(c *Conn, err error)
}

// A Drainer is a [Handler] that takes part in [Loop.Shutdown].
type Drainer interface {
	// Drain is called when the loop begins to shut down. The handler finishes what it has begun and closes
	// the connection; it goes on getting data meanwhile.
	Drain(c *Conn)
}

// Base is a [Handler] that ignores everything but the end, for others to embed.
type Base struct{}

// Open does nothing.
func (Base) Open(*Conn) {}

// Data does nothing: the bytes are dropped.
func (Base) Data(*Conn, []byte) {}

// EOF closes the connection when all output is sent.
func (Base) EOF(c *Conn) { c.Close() }

// Drained does nothing.
func (Base) Drained(*Conn) {}

// Closed does nothing.
func (Base) Closed(*Conn, error) {}
