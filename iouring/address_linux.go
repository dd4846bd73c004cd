package iouring

import (
	"encoding/binary"
	"net/netip"
	"strconv"
	"unsafe"

	"golang.org/x/sys/unix"
)

// An Address is one of a socket, as the kernel has it. The zero Address is none; the kernel writes one for
// Accept and Recvmsg.
type Address struct {
	raw  unix.RawSockaddrAny
	size uint32
}

// AddressOf returns the address of a TCP or UDP socket. A zone has to be a number.
func AddressOf(ap netip.AddrPort) Address {
	var a Address
	b := a.bytes()[:]
	ip := ap.Addr()
	if ip.Is4() {
		a.size = unix.SizeofSockaddrInet4
		binary.NativeEndian.PutUint16(b, unix.AF_INET)
		binary.BigEndian.PutUint16(b[2:], ap.Port())
		four := ip.As4()
		copy(b[4:], four[:])
		return a
	}
	a.size = unix.SizeofSockaddrInet6
	binary.NativeEndian.PutUint16(b, unix.AF_INET6)
	binary.BigEndian.PutUint16(b[2:], ap.Port())
	sixteen := ip.As16()
	copy(b[8:], sixteen[:])
	var zone uint32
	for _, digit := range []byte(ip.Zone()) {
		zone = zone*10 + uint32(digit-'0')
	}
	binary.NativeEndian.PutUint32(b[24:], zone)
	return a
}

// UnixAddress returns the address of a unix socket: a path, or with a leading @ an abstract name. Errors: EINVAL,
// it has more than 107 bytes.
func UnixAddress(name string) (Address, error) {
	var a Address
	if len(name) > 107 {
		return a, invalid("unix address of %d bytes", len(name))
	}
	b := a.bytes()[:]
	binary.NativeEndian.PutUint16(b, unix.AF_UNIX)
	n := copy(b[2:], name)
	if name != "" && name[0] == '@' {
		b[2] = 0
	} else if name != "" {
		n++ // the NUL
	}
	a.size = uint32(2 + n)
	return a, nil
}

// RawAddress returns the address of any other family: b is its struct sockaddr. Errors: EINVAL, b is too long.
func RawAddress(b []byte) (Address, error) {
	var a Address
	if len(b) > unix.SizeofSockaddrAny {
		return a, invalid("address of %d bytes", len(b))
	}
	a.size = uint32(copy(a.bytes()[:], b))
	return a, nil
}

func (a *Address) bytes() *[unix.SizeofSockaddrAny]byte {
	return (*[unix.SizeofSockaddrAny]byte)(unsafe.Pointer(&a.raw))
}

// Raw returns the bytes of the struct sockaddr.
func (a *Address) Raw() []byte { return a.bytes()[:min(a.size, unix.SizeofSockaddrAny)] }

// Family returns AF_INET and so on, AF_UNSPEC for none.
func (a *Address) Family() uint16 {
	if a.size < 2 {
		return unix.AF_UNSPEC
	}
	return binary.NativeEndian.Uint16(a.bytes()[:])
}

// AddrPort returns the address of a TCP or UDP socket, and for other families the zero one.
func (a *Address) AddrPort() netip.AddrPort {
	b := a.bytes()[:]
	port := binary.BigEndian.Uint16(b[2:])
	switch a.Family() {
	case unix.AF_INET:
		return netip.AddrPortFrom(netip.AddrFrom4([4]byte(b[4:8])), port)
	case unix.AF_INET6:
		ip := netip.AddrFrom16([16]byte(b[8:24]))
		if zone := binary.NativeEndian.Uint32(b[24:]); zone != 0 {
			ip = ip.WithZone(strconv.FormatUint(uint64(zone), 10))
		}
		return netip.AddrPortFrom(ip, port)
	}
	return netip.AddrPort{}
}

// Unix returns the path of a unix socket, or its abstract name with a leading @.
func (a *Address) Unix() string {
	if a.Family() != unix.AF_UNIX || a.size <= 2 {
		return ""
	}
	name := a.bytes()[2:min(a.size, unix.SizeofSockaddrAny)]
	if name[0] == 0 {
		return "@" + string(name[1:])
	}
	return unix.ByteSliceToString(name)
}

// A Msg is what Sendmsg sends, and where Recvmsg receives: bytes, a peer, and control data. It may be used again
// when the operation has ended.
type Msg struct {
	Buffers [][]byte
	// Address is the peer: where to send to; received, where it came from. nil is none.
	Address *Address
	// Control is control data, as unix.UnixRights and others make and unix.ParseSocketControlMessage reads it.
	// Received, it is cut to what came.
	Control []byte
	// Flags are what was received besides: MSG_TRUNC and others.
	Flags int
}

// received takes over what the kernel wrote to the header.
func (m *Msg) received(h *unix.Msghdr) {
	if m.Address != nil {
		m.Address.size = h.Namelen
	}
	m.Control = m.Control[:min(int(h.Controllen), len(m.Control))]
	m.Flags = int(h.Flags)
}
