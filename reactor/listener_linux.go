package reactor

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

// A Listener accepts connections on a loop. Its methods are safe for concurrent use.
type Listener struct {
	loop    *Loop
	fd      int
	addr    net.Addr
	accept  func(*Conn) Handler
	tls     *tls.Config   // nil without
	slot    uint64        // the epoll driver's
	ring    *ringListener // the io_uring driver's
	retry   alarm         // when accepting is paused for want of descriptors
	closing atomic.Bool

	mu     sync.Mutex
	closed bool       // fd is; written by the loop, which may read it without mu
	path   socketPath // of a unix socket that is ours to remove
}

// A ListenConfig is how to listen. The zero value is usable.
type ListenConfig struct {
	// Backlog is how many connections wait to be accepted at most; the system's maximum
	// (/proc/sys/net/core/somaxconn) if 0.
	Backlog int
	// ReusePort lets others listen on the same port, so that each loop has a listener of its own and the kernel
	// spreads the connections (SO_REUSEPORT, Linux 3.9).
	ReusePort bool
	// TLS makes connections speak it: the handshake comes before Handler.Open, and counts against the read
	// deadline that accept may set.
	TLS *tls.Config
}

// Listen listens on a TCP address or a unix socket's path, in the manner of net.Listen: network is "tcp", "tcp4",
// "tcp6" or "unix", and port 0 means any. For each connection accept is called on the loop and returns the
// handler. It is safe for concurrent use, before and while the loop runs.
//
// Errors: those of socket, bind and listen, as *net.OpError; [ErrClosed] when the loop has ended.
func (l *Loop) Listen(network, address string, accept func(*Conn) Handler) (*Listener, error) {
	return l.ListenConfig(ListenConfig{}, network, address, accept)
}

// ListenConfig is Listen with a say in how.
func (l *Loop) ListenConfig(cfg ListenConfig, network, address string, accept func(*Conn) Handler) (*Listener, error) {
	if accept == nil {
		return nil, &net.OpError{Op: "listen", Net: network, Err: errNoAccept}
	}
	fd, err := listen(cfg, network, address)
	if err != nil {
		return nil, err
	}
	return l.listenFD(fd, cfg.TLS, accept, pathOf(fd))
}

// ListenFile makes a listener of a socket that listens already: inherited, or received from a predecessor, see
// [Listener.File]. f stays the caller's to close. Of cfg only TLS is used. Safe for concurrent use.
//
// The socket becomes non-blocking, for all who share it, and must stay so: accepting from one that somebody has made
// blocking again would hold up the loop.
func (l *Loop) ListenFile(cfg ListenConfig, f *os.File, accept func(*Conn) Handler) (*Listener, error) {
	fail := func(err error) (*Listener, error) {
		return nil, &net.OpError{Op: "listen", Net: "file", Err: err}
	}
	if accept == nil {
		return fail(errNoAccept)
	}
	fd, err := duplicate(f)
	if err != nil {
		return fail(err)
	}
	listening, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_ACCEPTCONN)
	if err == nil && listening == 0 {
		err = unix.EINVAL
	}
	if err != nil {
		unix.Close(fd)
		return fail(os.NewSyscallError("getsockopt", err))
	}
	if err := unix.SetNonblock(fd, true); err != nil {
		unix.Close(fd)
		return fail(os.NewSyscallError("fcntl", err))
	}
	return l.listenFD(fd, cfg.TLS, accept, socketPath{})
}

// listenFD makes a Listener of a socket that listens, which it owns from here on.
func (l *Loop) listenFD(fd int, cfg *tls.Config, accept func(*Conn) Handler, path socketPath) (*Listener, error) {
	s := &Listener{loop: l, fd: fd, tls: cfg, accept: accept, addr: localAddr(fd), path: path}
	s.retry.owner = s
	err := l.Post(func() {
		l.listeners[s] = struct{}{}
		l.current = s
		if err := l.driver.listen(s); err != nil {
			l.report(fmt.Errorf("reactor: listen on %v: %w", s.addr, err))
			s.shut()
		}
	})
	if err != nil {
		path.remove()
		unix.Close(fd)
		return nil, err
	}
	return s, nil
}

// Addr returns the address that the listener has, with the port that the kernel chose.
func (s *Listener) Addr() net.Addr { return s.addr }

// Close stops accepting. Connections that wait to be accepted are refused by the kernel, unless the socket is open
// elsewhere too; those that were accepted stay, and accept is still called for those that the driver has accepted. A unix
// socket's file is removed, unless somebody has put another in its place. Close does not wait, and is idempotent.
func (s *Listener) Close() error {
	if s.closing.Swap(true) {
		return nil
	}
	err := s.loop.Post(func() { s.untilClosed(s.settle) })
	if errors.Is(err, ErrClosed) {
		return nil
	}
	return err
}

// File returns a duplicate of the listening socket, for a successor: another process, by inheritance or over a unix
// socket, or another loop. Connections that wait to be accepted are then served by whoever accepts first. The
// Listener does not remove its unix socket's file any more.
func (s *Listener) File() (*os.File, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	fd, err := s.dup()
	if err != nil {
		return nil, err
	}
	s.path = socketPath{}
	return os.NewFile(uintptr(fd), s.addr.String()), nil
}

// dup duplicates the socket's descriptor. The caller holds s.mu.
func (s *Listener) dup() (int, error) {
	if s.closed {
		return -1, ErrClosed
	}
	fd, err := unix.FcntlInt(uintptr(s.fd), unix.F_DUPFD_CLOEXEC, 0)
	return fd, os.NewSyscallError("fcntl", err)
}

// accepted is told by the driver: fd is a new connection.
func (s *Listener) accepted(fd int) {
	c := s.loop.makeConn(fd)
	s.loop.conns[c] = struct{}{}
	s.loop.current = c
	c.handler = Base{} // until accept has returned
	if s.tls != nil {
		c.tls = newTLS(c, s.tls, false) // before accept, which may write
	}
	h := s.accept(c)
	if c.gone { // released
		return
	}
	c.SetHandler(h)
	if h == nil {
		c.shut(nil)
		return
	}
	if err := s.loop.driver.attach(c); err != nil {
		c.failed(err)
		return
	}
	c.begin()
}

// acceptFailed is told by the driver. It reports whether accepting can go on at once.
func (s *Listener) acceptFailed(err error) bool {
	switch {
	case errors.Is(err, unix.ECONNABORTED), errors.Is(err, unix.EPERM), errors.Is(err, unix.EPROTO),
		errors.Is(err, unix.ENETDOWN), errors.Is(err, unix.ENETUNREACH), errors.Is(err, unix.EHOSTDOWN),
		errors.Is(err, unix.EHOSTUNREACH), errors.Is(err, unix.ENONET), errors.Is(err, unix.ENOPROTOOPT):
		// One connection went away, a firewall had a word, or the network did: accept(2) passes on errors that
		// were pending on the new connection.
		return true
	case errors.Is(err, unix.EMFILE), errors.Is(err, unix.ENFILE), errors.Is(err, unix.ENOBUFS), errors.Is(err, unix.ENOMEM):
		// Without a descriptor the connection stays in the queue, and a loop that tried again at once would
		// do nothing else.
		s.loop.report(fmt.Errorf("reactor: accept on %v is paused: %w", s.addr, err))
		if err := s.loop.driver.accept(s, false); err == nil {
			s.loop.timers.start(&s.retry, s.loop.tickOf(time.Now().Add(acceptPause)))
			return false
		}
	default:
		s.loop.report(fmt.Errorf("reactor: accept on %v: %w", s.addr, err))
	}
	s.shut()
	return false
}

// acceptPause is how long a listener waits for descriptors.
const acceptPause = 20 * time.Millisecond

// expired ends a pause.
func (s *Listener) expired() {
	s.loop.current = s
	if err := s.loop.driver.accept(s, true); err != nil {
		s.acceptFailed(err)
	}
}

// panicked: accept is the program's code, and its connection has none of its own yet.
func (s *Listener) panicked(*PanicError) {}

// shut takes the listener off the loop and closes its socket.
func (s *Listener) shut() {
	if s.closed {
		return
	}
	s.mu.Lock()
	s.closed = true
	s.path.remove() // first: while the socket is open, nobody else's file has its number
	s.mu.Unlock()
	s.closing.Store(true)
	s.loop.timers.stop(&s.retry)
	delete(s.loop.listeners, s)
	s.loop.driver.unlisten(s)
}

// settle takes over what was accepted, and closes.
func (s *Listener) settle() {
	s.loop.driver.settle(s)
	s.shut()
}

// drain accepts what waits to be accepted besides.
func (s *Listener) drain() {
	s.loop.driver.settle(s)
	for !s.closed {
		s.loop.current = s
		fd, err := accept(s.fd)
		if err == nil {
			s.accepted(fd)
		} else if err == errAgain || !s.acceptFailed(err) {
			break
		}
	}
	s.shut()
}

// untilClosed calls what closes the listener again where the program's accept, or somebody's handler, has panicked.
func (s *Listener) untilClosed(f func()) {
	for !s.closed {
		s.loop.protect(f)
	}
}

// makeConn makes a connection of a descriptor, which it owns from here on.
func (l *Loop) makeConn(fd int) *Conn {
	c := &Conn{loop: l, fd: fd}
	c.alarm.owner = c
	return c
}

// Shutdown ends the loop gently. Listeners take what waits in their queues and close. Each connection whose handler is
// a [Drainer] is told, and closes by its own protocol; each other one is closed when nothing that the kernel has
// received is undelivered and all output is sent. One that has never sent anything gets a second from its opening, because
// nothing tells that a client is about to ask; a Drainer can say goodbye, and wait for the client's. When the last is
// closed, Run returns. When ctx ends first, what is left is closed as by [Loop.Close], and Shutdown returns ctx's error. It
// waits for that, so it is not for handlers: they use a goroutine.
func (l *Loop) Shutdown(ctx context.Context) error {
	if l.Post(l.drain) == nil && !l.running.Load() {
		if err := l.Close(); err != nil {
			return err
		}
	}
	select {
	case <-l.done:
		return nil
	case <-ctx.Done():
		l.Close()
		<-l.done
		return ctx.Err()
	}
}

// drain begins to end the loop gently. turn sees when that is done.
func (l *Loop) drain() {
	if l.draining {
		return
	}
	l.draining = true
	for s := range l.listeners {
		s.untilClosed(s.drain)
	}
	for c := range l.conns {
		if c.opened {
			l.protect(func() { l.current = c; c.drain() })
		}
	}
	l.drainTick()
}

// drainTick closes connections that are idle, every few milliseconds until there are none.
func (l *Loop) drainTick() {
	for c := range l.conns {
		c.drainIfIdle()
	}
	l.AfterFunc(drainPause, l.drainTick)
}

const (
	drainPause = 5 * time.Millisecond
	freshTicks = 1000 // for as long a connection may be silent at first
)

func (c *Conn) drainIfIdle() {
	if _, ok := c.handler.(Drainer); ok || c.closing || !c.opened {
		return
	}
	quiet := !c.heard && c.out.size == 0 && !c.loop.driver.unread(c)
	c.heard = false
	// No event says that a client will not ask. A request that came a moment later would be met by a reset.
	fresh := !c.spoke && !c.ended && c.loop.timers.now < c.since+freshTicks
	if quiet && !fresh {
		c.Close()
	}
}
