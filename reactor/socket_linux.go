package reactor

import (
	"fmt"
	"net"
	"net/netip"
	"os"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/ring3-go/ring3/syscalls"
)

// sockaddr is where to connect, as x/sys has it.
type sockaddr = unix.Sockaddr

const socketFlags = unix.SOCK_NONBLOCK | unix.SOCK_CLOEXEC

// An endpoint is what a network and an address say.
type endpoint struct {
	family int
	addr   sockaddr
	only6  bool // of IPv6, no IPv4
}

// resolve takes an address apart. Host names are not looked up, which could block: the address is a number, a
// port alone, or a path.
func resolve(network, address string, listening bool) (endpoint, error) {
	bad := func(text string) (endpoint, error) {
		return endpoint{}, &net.AddrError{Err: text, Addr: address}
	}
	switch network {
	case "unix":
		if address == "" {
			return bad("empty path")
		}
		return endpoint{family: unix.AF_UNIX, addr: &unix.SockaddrUnix{Name: address}}, nil
	case "tcp", "tcp4", "tcp6", "udp", "udp4", "udp6":
	default:
		return endpoint{}, net.UnknownNetworkError(network)
	}
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return endpoint{}, err
	}
	number, err := net.LookupPort(network, port)
	if err != nil {
		return endpoint{}, err
	}
	version := network[3:]
	if host == "" {
		if !listening {
			return bad("missing host")
		}
		host = "::"
		if version == "4" || version == "" && !haveIPv6() {
			host = "0.0.0.0"
		}
	}
	ip, err := netip.ParseAddr(host)
	if err != nil {
		return bad("not an IP address, and names are not looked up here")
	}
	ip = ip.Unmap()
	if ip.Is4() {
		if version == "6" {
			return bad("not an IPv6 address")
		}
		return endpoint{family: unix.AF_INET, addr: &unix.SockaddrInet4{Port: number, Addr: ip.As4()}}, nil
	}
	if version == "4" {
		return bad("not an IPv4 address")
	}
	to := &unix.SockaddrInet6{Port: number, Addr: ip.As16()}
	if zone := ip.Zone(); zone != "" {
		ifi, err := net.InterfaceByName(zone)
		if err != nil {
			return endpoint{}, err
		}
		to.ZoneId = uint32(ifi.Index)
	}
	return endpoint{unix.AF_INET6, to, version == "6" || !ip.IsUnspecified()}, nil
}

func haveIPv6() bool {
	fd, err := unix.Socket(unix.AF_INET6, unix.SOCK_STREAM|socketFlags, 0)
	if err != nil {
		return false
	}
	defer unix.Close(fd)
	return unix.Bind(fd, &unix.SockaddrInet6{Addr: netip.IPv6Loopback().As16()}) == nil
}

// listen makes a socket that listens.
func listen(cfg ListenConfig, network, address string) (fd int, err error) {
	fail := func(err error) (int, error) {
		return -1, &net.OpError{Op: "listen", Net: network, Err: err}
	}
	if network == "udp" || network == "udp4" || network == "udp6" {
		return fail(net.UnknownNetworkError(network))
	}
	at, err := resolve(network, address, true)
	if err != nil {
		return fail(err)
	}
	fd, err = boundSocket(at, unix.SOCK_STREAM, cfg.ReusePort)
	if err != nil {
		return fail(err)
	}
	backlog := cfg.Backlog
	if backlog <= 0 {
		backlog = 1 << 30 // the kernel takes its maximum
	}
	if err := unix.Listen(fd, backlog); err != nil {
		unix.Close(fd)
		return fail(os.NewSyscallError("listen", err))
	}
	return fd, nil
}

// boundSocket makes a socket and binds it.
func boundSocket(at endpoint, kind int, reusePort bool) (int, error) {
	fd, err := unix.Socket(at.family, kind|socketFlags, 0)
	if err != nil {
		return -1, os.NewSyscallError("socket", err)
	}
	set := func(level, option, value int) {
		if err == nil {
			err = os.NewSyscallError("setsockopt", unix.SetsockoptInt(fd, level, option, value))
		}
	}
	if at.family != unix.AF_UNIX {
		if kind == unix.SOCK_STREAM {
			set(unix.SOL_SOCKET, unix.SO_REUSEADDR, 1)
			set(unix.IPPROTO_TCP, unix.TCP_NODELAY, 1) // accepted sockets inherit it
		}
		if reusePort {
			set(unix.SOL_SOCKET, unix.SO_REUSEPORT, 1)
		}
	}
	if at.family == unix.AF_INET6 {
		only := 0
		if at.only6 {
			only = 1
		}
		set(unix.IPPROTO_IPV6, unix.IPV6_V6ONLY, only)
	}
	if err == nil {
		err = os.NewSyscallError("bind", unix.Bind(fd, at.addr))
	}
	if err != nil {
		unix.Close(fd)
		return -1, err
	}
	return fd, nil
}

// A socketPath is the file of a unix socket, told from others that may come to have its name. The zero value is none.
type socketPath struct {
	name     string
	dev, ino uint64
}

// pathOf returns that of a socket that was just bound.
func pathOf(fd int) (p socketPath) {
	a, ok := localAddr(fd).(*net.UnixAddr)
	if !ok || a.Name == "" || a.Name[0] == '@' {
		return p
	}
	var st unix.Stat_t
	if unix.Lstat(a.Name, &st) != nil || st.Mode&unix.S_IFMT != unix.S_IFSOCK {
		return p
	}
	return socketPath{a.Name, uint64(st.Dev), st.Ino}
}

func (p socketPath) remove() {
	var st unix.Stat_t
	if p.name == "" || unix.Lstat(p.name, &st) != nil || uint64(st.Dev) != p.dev || st.Ino != p.ino {
		return
	}
	unix.Unlink(p.name)
}

// duplicate duplicates the descriptor of a file or a connection. It does not ask for the number, which may make the file
// blocking for all who share it.
func duplicate(c syscall.Conn) (fd int, err error) {
	raw, err := c.SyscallConn()
	if err != nil {
		return -1, err
	}
	errControl := raw.Control(func(n uintptr) { fd, err = unix.FcntlInt(n, unix.F_DUPFD_CLOEXEC, 0) })
	if errControl != nil {
		return -1, errControl
	}
	return fd, os.NewSyscallError("fcntl", err)
}

// errAgain is one value, so that the end of every queue costs nothing.
var errAgain = os.NewSyscallError("accept4", unix.EAGAIN)

// accept takes one connection off a listener's queue. It does not block.
func accept(fd int) (int, error) {
	for {
		// x/sys's Accept4 would also make a Go address of the peer's, which few ask for.
		r, _, errno := syscalls.RawSyscall6(unix.SYS_ACCEPT4, uintptr(fd), 0, 0, socketFlags, 0, 0)
		switch errno {
		case 0:
			return int(r), nil
		case unix.EINTR:
		case unix.EAGAIN:
			return -1, errAgain
		default:
			return -1, os.NewSyscallError("accept4", errno)
		}
	}
}

func localAddr(fd int) net.Addr {
	sa, err := unix.Getsockname(fd)
	if err != nil {
		return nil
	}
	return address(sa)
}

func remoteAddr(fd int) net.Addr {
	sa, err := unix.Getpeername(fd)
	if err != nil {
		return nil
	}
	return address(sa)
}

func address(sa unix.Sockaddr) net.Addr {
	switch sa := sa.(type) {
	case *unix.SockaddrInet4:
		return net.TCPAddrFromAddrPort(netip.AddrPortFrom(netip.AddrFrom4(sa.Addr), uint16(sa.Port)))
	case *unix.SockaddrInet6:
		ip := netip.AddrFrom16(sa.Addr)
		if sa.ZoneId != 0 {
			if ifi, err := net.InterfaceByIndex(int(sa.ZoneId)); err == nil {
				ip = ip.WithZone(ifi.Name)
			} else {
				ip = ip.WithZone(fmt.Sprint(sa.ZoneId))
			}
		}
		return net.TCPAddrFromAddrPort(netip.AddrPortFrom(ip.Unmap(), uint16(sa.Port)))
	case *unix.SockaddrUnix:
		return &net.UnixAddr{Name: sa.Name, Net: "unix"}
	}
	return nil
}

func shutdownWrite(fd int) error {
	err := unix.Shutdown(fd, unix.SHUT_WR)
	if err == unix.ENOTCONN { // the peer has reset the connection: that comes as an error of its own
		return nil
	}
	return os.NewSyscallError("shutdown", err)
}

// reset has closing send a reset and drop what is not sent.
func reset(fd int) {
	unix.SetsockoptLinger(fd, unix.SOL_SOCKET, unix.SO_LINGER, &unix.Linger{Onoff: 1})
}

// unread returns how many bytes the kernel has received for a socket and not delivered.
func unread(fd int) int {
	n, err := unix.IoctlGetInt(fd, unix.TIOCINQ)
	if err != nil {
		return 0
	}
	return n
}

// pendingError takes the error that a socket keeps, or returns nil.
func pendingError(fd int, call string) error {
	n, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_ERROR)
	if err != nil {
		return os.NewSyscallError("getsockopt", err)
	}
	if n == 0 {
		return nil
	}
	return os.NewSyscallError(call, unix.Errno(n))
}

// pin keeps the calling thread on one processor, and returns what undoes that.
func pin(cpu int) (undo func() error, err error) {
	var old, one unix.CPUSet
	if err := unix.SchedGetaffinity(0, &old); err != nil {
		return nil, os.NewSyscallError("sched_getaffinity", err)
	}
	one.Set(cpu)
	if err := unix.SchedSetaffinity(0, &one); err != nil {
		return nil, os.NewSyscallError("sched_setaffinity", err)
	}
	return func() error { return os.NewSyscallError("sched_setaffinity", unix.SchedSetaffinity(0, &old)) }, nil
}
