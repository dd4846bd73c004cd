package reactor

import (
	"crypto/tls"
	"net"
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Dial connects to a TCP address or a unix socket's path: network is "tcp", "tcp4", "tcp6" or "unix". Host names are
// not looked up, because that may block. The connection is the handler's from the start: Open is called when it stands,
// or Closed with the reason, after timeout with os.ErrDeadlineExceeded; a timeout of 0 leaves it to the kernel, which
// gives up after minutes. It is safe for concurrent use, before and while the loop runs; where it is called on the
// loop itself, the connection may be written to at once, and it is sent when it stands.
//
// Errors: of the address and of the socket, as *net.OpError; [ErrClosed] when the loop has ended. What goes wrong
// later is told to Closed.
func (l *Loop) Dial(network, address string, timeout time.Duration, h Handler) (*Conn, error) {
	return l.DialTLS(network, address, timeout, nil, h)
}

// DialTLS is Dial with TLS: Open is called when the handshake is done, and the timeout is for both. cfg needs a
// ServerName, or says InsecureSkipVerify. A nil cfg means no TLS.
func (l *Loop) DialTLS(network, address string, timeout time.Duration, cfg *tls.Config, h Handler) (*Conn, error) {
	fail := func(err error) (*Conn, error) {
		return nil, &net.OpError{Op: "dial", Net: network, Err: err}
	}
	if len(network) >= 3 && network[:3] == "udp" {
		return fail(net.UnknownNetworkError(network))
	}
	to, err := resolve(network, address, false)
	if err != nil {
		return fail(err)
	}
	fd, err := unix.Socket(to.family, unix.SOCK_STREAM|socketFlags, 0)
	if err != nil {
		return fail(os.NewSyscallError("socket", err))
	}
	if to.family != unix.AF_UNIX {
		if err := unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1); err != nil {
			unix.Close(fd)
			return fail(os.NewSyscallError("setsockopt", err))
		}
	}
	c := l.makeConn(fd)
	c.SetHandler(h)
	c.dialing = true
	if cfg != nil {
		c.tls = newTLS(c, cfg, true)
	}
	deadline := time.Now().Add(timeout)
	err = l.Post(func() {
		if c.gone { // by a deadline that was set at once
			return
		}
		l.conns[c] = struct{}{}
		l.current = c
		if timeout > 0 {
			c.setDeadline(&c.dialBy, deadline)
		}
		if err := l.driver.attach(c); err != nil {
			c.failed(err)
			return
		}
		if err := l.driver.connect(c, to.addr); err != nil {
			c.failed(err)
		}
	})
	if err != nil {
		unix.Close(fd)
		return nil, err
	}
	return c, nil
}

// Adopt takes over a connection of package net, TCP or unix: it duplicates its descriptor and closes conn. Bytes that
// somebody has read from conn and not used are lost to the handler. Safe for concurrent use.
//
// Errors: errors.ErrUnsupported for a connection without a descriptor of its own, such as one with TLS; EPROTOTYPE for
// one of datagrams; EMFILE. Then conn is as it was. [ErrClosed], and conn is closed all the same.
func (l *Loop) Adopt(conn net.Conn, h Handler) (*Conn, error) {
	fd, err := takeOver(conn)
	if err != nil {
		return nil, err
	}
	c := l.makeConn(fd)
	c.SetHandler(h)
	err = l.Post(func() {
		if c.gone { // released at once
			return
		}
		l.conns[c] = struct{}{}
		l.current = c
		if err := l.driver.attach(c); err != nil {
			c.failed(err)
			return
		}
		c.begin()
	})
	if err != nil {
		unix.Close(fd)
		return nil, err
	}
	return c, nil
}

func takeOver(conn net.Conn) (fd int, err error) {
	fail := func(err error) (int, error) {
		return -1, &net.OpError{Op: "adopt", Net: "connection", Err: err}
	}
	raw, ok := conn.(syscall.Conn)
	if !ok {
		return fail(errNoDescriptor)
	}
	if fd, err = duplicate(raw); err != nil {
		return fail(err)
	}
	kind, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_TYPE)
	if err == nil && kind != unix.SOCK_STREAM {
		err = unix.EPROTOTYPE
	}
	if err != nil {
		unix.Close(fd)
		return fail(os.NewSyscallError("getsockopt", err))
	}
	if err := unix.SetNonblock(fd, true); err != nil { // as a rule it is
		unix.Close(fd)
		return fail(os.NewSyscallError("fcntl", err))
	}
	conn.Close()
	return fd, nil
}

// Release takes the connection off the loop and gives it to done as one of package net: on the loop, when all output is
// sent and the driver has let go of it. With io_uring the handler first gets what was received meanwhile. What it writes
// after Release is refused, and after done it hears no more. done may get an error, such as EMFILE, because package net
// takes a descriptor of its own: the connection is closed then. Where the connection ends before it is released, done gets
// an error after the handler's Closed; a peer that does not read can make that take until the write deadline.
//
// Errors: errors.ErrUnsupported for a connection with TLS; ENOTCONN for one that does not stand yet; [ErrClosed].
func (c *Conn) Release(done func(net.Conn, error)) error {
	switch {
	case c.gone || c.released != nil:
		return ErrClosed
	case c.tls != nil:
		return &net.OpError{Op: "release", Net: "tcp", Err: errNoDescriptor}
	case c.dialing:
		return &net.OpError{Op: "release", Net: "tcp", Err: unix.ENOTCONN}
	}
	c.released = done
	if c.out.size > 0 || c.half && !c.halfDone {
		c.updateRead() // what comes now is for who gets the connection; sent goes on
		return nil
	}
	c.letGo()
	return nil
}

// letGo has the driver give up the descriptor.
func (c *Conn) letGo() {
	c.loop.driver.detach(c, func(fd int) {
		done := c.released
		c.leave()
		c.released = nil
		f := os.NewFile(uintptr(fd), "connection")
		defer f.Close() // FileConn duplicates
		done(net.FileConn(f))
	})
}
