package reactor

import (
	"fmt"
	"net"
	"net/netip"
	"os"
	"sync/atomic"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/ring3-go/ring3/syscalls"
)

// A PacketHandler is what a UDP socket does. Its methods are called on the loop.
type PacketHandler interface {
	// Packet brings a datagram, which may be empty; one of more than Options.ReadBuffer bytes is cut. b is lent until
	// Packet returns.
	Packet(p *PacketConn, b []byte, from netip.AddrPort)
	// Closed is the end: err is nil after Close, [ErrClosed] when the loop ended, or what the kernel said.
	Closed(p *PacketConn, err error)
}

// A PacketConn is a UDP socket on a loop. WriteTo, Pause and Resume are for functions that run on the loop; the other
// methods are safe for concurrent use.
type PacketConn struct {
	loop    *Loop
	handler PacketHandler
	fd      int
	family  int
	addr    netip.AddrPort
	slot    uint64      // the epoll driver's
	ring    *ringPacket // the io_uring driver's
	ready   bool        // the driver has it
	paused  bool
	gone    bool
	closing atomic.Bool
}

// ListenPacket makes a UDP socket with an address of its own: network is "udp", "udp4" or "udp6", and port 0 means any.
// Safe for concurrent use. Errors: as of [Loop.Listen].
func (l *Loop) ListenPacket(network, address string, h PacketHandler) (*PacketConn, error) {
	fail := func(err error) (*PacketConn, error) {
		return nil, &net.OpError{Op: "listen", Net: network, Err: err}
	}
	if len(network) < 3 || network[:3] != "udp" {
		return fail(net.UnknownNetworkError(network))
	}
	at, err := resolve(network, address, true)
	if err != nil {
		return fail(err)
	}
	fd, err := boundSocket(at, unix.SOCK_DGRAM, false)
	if err != nil {
		return fail(err)
	}
	p := &PacketConn{loop: l, handler: h, fd: fd, family: at.family}
	if a, ok := localAddr(fd).(*net.TCPAddr); ok {
		p.addr = a.AddrPort()
	}
	err = l.Post(func() {
		l.packets[p] = struct{}{}
		l.current = p
		if err := l.driver.listenPacket(p); err != nil {
			p.shut(err)
			return
		}
		p.ready = true
		p.read(!p.paused)
	})
	if err != nil {
		unix.Close(fd)
		return nil, err
	}
	return p, nil
}

// Addr returns the address of the socket, with the port that the kernel chose.
func (p *PacketConn) Addr() netip.AddrPort { return p.addr }

// WriteTo sends a datagram, or fails: nothing is kept for later. b is the caller's again when it returns.
// Errors: EAGAIN where the socket's buffer is full, EMSGSIZE, ECONNREFUSED for an earlier datagram that nobody took;
// [ErrClosed].
func (p *PacketConn) WriteTo(b []byte, to netip.AddrPort) error {
	if p.gone {
		return ErrClosed
	}
	var raw unix.RawSockaddrInet6 // has room for that of IPv4
	size, err := p.encode(&raw, to)
	if err != nil {
		return err
	}
	for {
		_, _, errno := syscalls.RawSyscall6(unix.SYS_SENDTO, uintptr(p.fd), uintptr(unsafe.Pointer(unsafe.SliceData(b))),
			uintptr(len(b)), sendFlags, uintptr(unsafe.Pointer(&raw)), size)
		switch errno {
		case 0:
			return nil
		case unix.EINTR:
		default:
			return os.NewSyscallError("sendto", errno)
		}
	}
}

// encode writes an address as the socket's family has it.
func (p *PacketConn) encode(raw *unix.RawSockaddrInet6, to netip.AddrPort) (size uintptr, err error) {
	port := to.Port()<<8 | to.Port()>>8 // in network order
	ip := to.Addr()
	if p.family == unix.AF_INET {
		if ip = ip.Unmap(); !ip.Is4() {
			return 0, &net.AddrError{Err: "not an IPv4 address", Addr: to.String()}
		}
		raw4 := (*unix.RawSockaddrInet4)(unsafe.Pointer(raw)) // the smaller of the two, at the same alignment
		raw4.Family, raw4.Port, raw4.Addr = unix.AF_INET, port, ip.As4()
		return unix.SizeofSockaddrInet4, nil
	}
	if !ip.IsValid() {
		return 0, &net.AddrError{Err: "no address", Addr: to.String()}
	}
	raw.Family, raw.Port, raw.Addr = unix.AF_INET6, port, ip.As16()
	if zone := ip.Zone(); zone != "" {
		ifi, err := net.InterfaceByName(zone)
		if err != nil {
			return 0, err
		}
		raw.Scope_id = uint32(ifi.Index)
	}
	return unix.SizeofSockaddrInet6, nil
}

// decode reads an address that the kernel wrote.
func decode(raw *unix.RawSockaddrInet6) netip.AddrPort {
	port := raw.Port<<8 | raw.Port>>8
	if raw.Family == unix.AF_INET {
		raw4 := (*unix.RawSockaddrInet4)(unsafe.Pointer(raw))
		return netip.AddrPortFrom(netip.AddrFrom4(raw4.Addr), port)
	}
	ip := netip.AddrFrom16(raw.Addr).Unmap()
	if raw.Scope_id != 0 && ip.Is6() {
		zone := fmt.Sprint(raw.Scope_id)
		if ifi, err := net.InterfaceByIndex(int(raw.Scope_id)); err == nil {
			zone = ifi.Name
		}
		ip = ip.WithZone(zone)
	}
	return netip.AddrPortFrom(ip, port)
}

// Pause stops reading: what comes meanwhile waits in the kernel, as far as there is room.
func (p *PacketConn) Pause() { p.read(false) }

// Resume undoes Pause.
func (p *PacketConn) Resume() { p.read(true) }

func (p *PacketConn) read(on bool) {
	p.paused = !on
	if p.gone || !p.ready {
		return
	}
	if err := p.loop.driver.readPackets(p, on); err != nil {
		p.loop.Post(func() { p.shut(err) })
	}
}

// Close closes the socket. PacketHandler.Closed is called when that is done. It does not wait, and is idempotent.
func (p *PacketConn) Close() error {
	if p.closing.Swap(true) {
		return nil
	}
	if err := p.loop.Post(func() { p.shut(nil) }); err != nil {
		return nil // the loop has closed it
	}
	return nil
}

// input is told by the driver.
func (p *PacketConn) input(b []byte, from netip.AddrPort) {
	if p.gone {
		return
	}
	p.loop.current = p
	p.handler.Packet(p, b, from)
}

func (p *PacketConn) panicked(e *PanicError) { p.shut(e) }

func (p *PacketConn) shut(err error) {
	if p.gone {
		return
	}
	p.gone = true
	p.closing.Store(true)
	delete(p.loop.packets, p)
	p.loop.driver.closePacket(p)
	p.loop.current = p
	p.handler.Closed(p, err)
}
