package reactor

import (
	"crypto/tls"
	"errors"
	"io"
	"iter"
	"net"
	"time"
)

// A tlsConn is TLS between a connection and its handler, by crypto/tls, which wants a net.Conn that blocks. The
// handshake gets one: it runs in a coroutine of the loop's goroutine, and where it would block it switches back to
// the loop. After that no coroutine is needed. Reading reports that it would block by a temporary error, which
// crypto/tls keeps no memory of, and what it has read of a record it keeps.
type tlsConn struct {
	c     *Conn
	conn  *tls.Conn
	in    []byte // what has come and TLS has not read: the driver's, and so empty between events
	early []byte // written before the handshake is done
	eof   bool   // the peer has ended its half, below TLS
	cut   bool   // and TLS has met that end, where it wanted a word
	done  bool   // the handshake

	resume  func() (error, bool) // runs the handshake on; nil when it is done
	release func()               // ends the coroutine
	yield   func(error) bool     // switches back to the loop; nil outside the coroutine
}

func newTLS(c *Conn, cfg *tls.Config, client bool) *tlsConn {
	t := &tlsConn{c: c}
	if client {
		t.conn = tls.Client(below{t}, cfg)
	} else {
		t.conn = tls.Server(below{t}, cfg)
	}
	return t
}

// errWouldBlock ends a read when there is no more input. crypto/tls tells it from an end by its being temporary.
var errWouldBlock net.Error = wouldBlock{}

type wouldBlock struct{}

func (wouldBlock) Error() string   { return "reactor: no input yet" }
func (wouldBlock) Timeout() bool   { return false }
func (wouldBlock) Temporary() bool { return true }

// below is the connection that TLS sees.
type below struct{ t *tlsConn }

func (b below) Read(p []byte) (int, error) {
	t := b.t
	for len(t.in) == 0 {
		switch {
		case t.eof:
			t.cut = true
			return 0, io.EOF
		case t.yield == nil:
			return 0, errWouldBlock
		case !t.yield(errWouldBlock):
			return 0, ErrClosed
		}
	}
	n := copy(p, t.in)
	t.in = t.in[n:]
	return n, nil
}

func (b below) Write(p []byte) (int, error) {
	if b.t.c.gone {
		return 0, ErrClosed
	}
	if err := b.t.c.write(p); err != nil {
		return 0, err
	}
	return len(p), nil
}

func (b below) Close() error                     { return nil }
func (b below) LocalAddr() net.Addr              { return b.t.c.LocalAddr() }
func (b below) RemoteAddr() net.Addr             { return b.t.c.RemoteAddr() }
func (b below) SetDeadline(time.Time) error      { return nil } // the loop sees to deadlines
func (b below) SetReadDeadline(time.Time) error  { return nil }
func (b below) SetWriteDeadline(time.Time) error { return nil }

// start begins the handshake.
func (t *tlsConn) start() {
	t.resume, t.release = iter.Pull(func(yield func(error) bool) {
		t.yield = yield
		err := t.conn.Handshake()
		t.yield = nil
		yield(err)
	})
	t.c.updateRead()
	t.handshake()
}

// handshaking reports whether the handshake has not ended.
func (t *tlsConn) handshaking() bool { return t.resume != nil }

// handshake runs the handshake on, until it wants input or is done.
func (t *tlsConn) handshake() {
	err, _ := t.resume()
	switch {
	case err == errWouldBlock:
		return
	case t.c.gone:
		return
	}
	t.resume = nil
	t.release()
	if err != nil {
		t.c.endAfterFlush(err) // an alert may be on its way, which says why
		return
	}
	t.done = true
	if early := t.early; len(early) > 0 {
		t.early = nil
		t.write(early) // ahead of what Open writes; where that fails, the connection has failed
	}
	t.c.open()
	switch { // what came before
	case t.c.gone:
	case t.c.late:
		t.c.late, t.c.half = false, false
		t.c.Close()
	case t.c.half && !t.c.closing:
		t.closeWrite()
		t.c.endHalf()
	}
}

// stop ends what is under way, when the connection is gone.
func (t *tlsConn) stop() {
	if t.resume != nil {
		t.resume = nil
		t.release()
	}
}

// write encrypts. What is written during the handshake is sent after it.
func (t *tlsConn) write(b []byte) error {
	if !t.done {
		t.early = append(t.early, b...)
		return nil
	}
	_, err := t.conn.Write(b)
	return err
}

// closeWrite tells the peer that nothing follows.
func (t *tlsConn) closeWrite() error {
	if !t.done {
		return nil
	}
	return t.conn.CloseWrite()
}

// input takes what the peer has sent.
func (t *tlsConn) input(b []byte) {
	t.in = b
	if t.handshaking() {
		t.handshake()
	}
	if !t.handshaking() {
		t.deliver()
	}
	t.in = nil // there is some left where the handler closed the connection
}

// deliver hands on what can be decrypted.
func (t *tlsConn) deliver() {
	c := t.c
	for !c.gone && !c.closing {
		n, err := t.conn.Read(c.loop.plainBuf())
		if n > 0 {
			c.data(c.loop.plain[:n])
		}
		switch {
		case err == nil:
		case errors.Is(err, errWouldBlock) || c.gone || c.closing:
			return
		case errors.Is(err, io.EOF) && !t.cut:
			c.end() // the peer has said so, under TLS
			return
		case errors.Is(err, io.EOF): // crypto/tls lets that pass, for the sake of some web sites
			c.endAfterFlush(io.ErrUnexpectedEOF)
			return
		default:
			c.endAfterFlush(err)
			return
		}
	}
}

// inputEnd takes the end of the peer's half below TLS. Without a word of TLS that it is the end, it may be the work of
// somebody in between.
func (t *tlsConn) inputEnd() {
	t.eof = true
	if t.handshaking() {
		t.handshake()
		return
	}
	t.deliver()
}

// plainBuf is what decrypted bytes are lent in.
func (l *Loop) plainBuf() []byte {
	if l.plain == nil {
		l.plain = make([]byte, 16<<10) // the longest record
	}
	return l.plain
}

// TLS returns the state of the connection's TLS, and false where it has none or the handshake is not done.
func (c *Conn) TLS() (tls.ConnectionState, bool) {
	if c.tls == nil || !c.tls.done {
		return tls.ConnectionState{}, false
	}
	return c.tls.conn.ConnectionState(), true
}
