package iouring

import (
	"bytes"
	"net/netip"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/ring3-go/ring3/syscalls"
)

// listener is a TCP socket of the loopback interface that listens, and its address.
func listener(t testing.TB) (*end, netip.AddrPort) {
	t.Helper()
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	l := newEnd(t, fd, err)
	must(t, unix.Bind(l.fd, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}))
	must(t, unix.Listen(l.fd, 128))
	return l, local(t, l)
}

// local is a socket's own address, by the system call.
func local(t testing.TB, s *end) netip.AddrPort {
	t.Helper()
	sa, err := unix.Getsockname(s.fd)
	must(t, err)
	in := sa.(*unix.SockaddrInet4)
	return netip.AddrPortFrom(netip.AddrFrom4(in.Addr), uint16(in.Port))
}

// dial connects to an address.
func dial(t testing.TB, to netip.AddrPort) *end {
	t.Helper()
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	c := newEnd(t, fd, err)
	must(t, unix.Connect(c.fd, &unix.SockaddrInet4{Port: int(to.Port()), Addr: to.Addr().As4()}))
	return c
}

// tcp is a connection over the loopback interface, both ends.
func tcp(t testing.TB) (client, server *end) {
	t.Helper()
	l, at := listener(t)
	client = dial(t, at)
	fd, _, err := unix.Accept4(l.fd, unix.SOCK_CLOEXEC)
	return client, newEnd(t, fd, err)
}

func udp(t testing.TB) (*end, netip.AddrPort) {
	t.Helper()
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	s := newEnd(t, fd, err)
	must(t, unix.Bind(s.fd, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}))
	return s, local(t, s)
}

func trySocket(t *testing.T, r *Ring) {
	c := do(t, r, func(e Entry) error { return e.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0) })
	must(t, c.Err())
	s := newEnd(t, int(c.Res), nil)
	typ, err := unix.GetsockoptInt(s.fd, unix.SOL_SOCKET, unix.SO_TYPE)
	if typ != unix.SOCK_STREAM || err != nil {
		t.Errorf("type %d, %v", typ, err)
	}
	must(t, r.RegisterSparseFiles(1))
	defer r.UnregisterFiles()
	result(t, do(t, r, func(e Entry) error { return e.SocketDirect(unix.AF_INET, unix.SOCK_STREAM, 0, 0) }), 0)
	failed(t, do(t, r, func(e Entry) error { return e.Socket(unix.AF_INET, 99, 0) }), unix.EINVAL)
}

func tryConnect(t *testing.T, r *Ring) {
	l, at := listener(t)
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	s := newEnd(t, fd, err)
	result(t, do(t, r, func(e Entry) error { return e.Connect(s.fd, AddressOf(at)) }), 0)
	peer, err := unix.Getpeername(s.fd)
	if err != nil || peer.(*unix.SockaddrInet4).Port != int(at.Port()) {
		t.Errorf("peer %v, %v", peer, err)
	}
	l.close()
	fd, err = unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	s = newEnd(t, fd, err)
	failed(t, do(t, r, func(e Entry) error { return e.Connect(s.fd, AddressOf(at)) }), unix.ECONNREFUSED)
}

func tryBind(t *testing.T, r *Ring) {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	s := newEnd(t, fd, err)
	result(t, do(t, r, func(e Entry) error { return e.Bind(s.fd, AddressOf(netip.MustParseAddrPort("127.0.0.1:0"))) }), 0)
	at := local(t, s)
	if at.Addr() != netip.MustParseAddr("127.0.0.1") || at.Port() == 0 {
		t.Errorf("bound to %v", at)
	}
	failed(t, do(t, r, func(e Entry) error { return e.Bind(s.fd, AddressOf(at)) }), unix.EINVAL)
}

func tryListen(t *testing.T, r *Ring) {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	s := newEnd(t, fd, err)
	must(t, unix.Bind(s.fd, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}))
	result(t, do(t, r, func(e Entry) error { return e.Listen(s.fd, 5) }), 0)
	dial(t, local(t, s))
	u, _ := udp(t)
	failed(t, do(t, r, func(e Entry) error { return e.Listen(u.fd, 5) }), unix.EOPNOTSUPP)
}

func tryAccept(t *testing.T, r *Ring) {
	l, at := listener(t)
	client := dial(t, at)
	var from Address
	c := do(t, r, func(e Entry) error { return e.Accept(l.fd, &from, unix.SOCK_CLOEXEC) })
	must(t, c.Err())
	server := newEnd(t, int(c.Res), nil)
	if from.AddrPort() != local(t, client) {
		t.Errorf("from %v; the client is %v", from.AddrPort(), local(t, client))
	}
	client.write("hello")
	if s := server.read(); s != "hello" {
		t.Errorf("%q", s)
	}
	failed(t, do(t, r, func(e Entry) error { return e.Accept(client.fd, nil, 0) }), unix.EINVAL)

	must(t, r.RegisterSparseFiles(2))
	defer r.UnregisterFiles()
	dial(t, at)
	result(t, do(t, r, func(e Entry) error { return e.AcceptDirect(l.fd, nil, 0, 1) }), 0)
	tok := start(t, r, func(e Entry) error { return e.MultishotAcceptDirect(l.fd, 0) })
	dial(t, at)
	if c := next(t, r); c.Token != tok || c.Res != 0 || !c.More() { // slot 0
		t.Fatal(c)
	}
	dial(t, at)
	if c := next(t, r); c.Token != tok || c.Err() != unix.ENFILE || c.More() { // no slot is left
		t.Fatal(c)
	}
}

func tryShutdown(t *testing.T, r *Ring) {
	client, server := tcp(t)
	result(t, do(t, r, func(e Entry) error { return e.Shutdown(client.fd, unix.SHUT_WR) }), 0)
	if s := server.read(); s != "" {
		t.Errorf("%q", s)
	}
	rd, _ := pipe(t)
	failed(t, do(t, r, func(e Entry) error { return e.Shutdown(rd.fd, unix.SHUT_WR) }), unix.ENOTSOCK)
}

func trySend(t *testing.T, r *Ring) {
	client, server := tcp(t)
	result(t, do(t, r, func(e Entry) error { return e.Send(client.fd, []byte("sent"), 0) }), 4)
	if s := server.read(); s != "sent" {
		t.Errorf("%q", s)
	}
	rd, _ := pipe(t)
	failed(t, do(t, r, func(e Entry) error { return e.Send(rd.fd, []byte("x"), 0) }), unix.ENOTSOCK)
	a, _ := udp(t)
	b, at := udp(t)
	result(t, do(t, r, func(e Entry) error { return e.Sendto(a.fd, []byte("to"), 0, AddressOf(at)) }), 2)
	if s := b.read(); s != "to" {
		t.Errorf("%q", s)
	}
}

func tryRecv(t *testing.T, r *Ring) {
	client, server := tcp(t)
	b := make([]byte, 10)
	tok := start(t, r, func(e Entry) error { return e.Recv(server.fd, b, 0) })
	none(t, r)
	client.write("late")
	if c := next(t, r); c.Token != tok || c.Res != 4 || string(b[:4]) != "late" {
		t.Fatalf("%v %q", c, b)
	}
	client.close()
	result(t, do(t, r, func(e Entry) error { return e.Recv(server.fd, b, 0) }), 0)
	rd, _ := pipe(t)
	failed(t, do(t, r, func(e Entry) error { return e.Recv(rd.fd, b, 0) }), unix.ENOTSOCK)
}

func trySendmsg(t *testing.T, r *Ring) {
	a, _ := udp(t)
	b, at := udp(t)
	to := AddressOf(at)
	m := &Msg{Buffers: [][]byte{[]byte("one "), []byte("two")}, Address: &to}
	result(t, do(t, r, func(e Entry) error { return e.Sendmsg(a.fd, m, 0) }), 7)
	if s := b.read(); s != "one two" {
		t.Errorf("%q", s)
	}
	// A descriptor, which the other side gets by the system call.
	c, d := socketpair(t, unix.SOCK_STREAM)
	f := file(t, "passed")
	result(t, do(t, r, func(e Entry) error {
		return e.Sendmsg(c.fd, &Msg{Buffers: [][]byte{{'x'}}, Control: unix.UnixRights(f.fd)}, 0)
	}), 1)
	control := make([]byte, 100)
	_, n, _, _, err := unix.Recvmsg(d.fd, make([]byte, 1), control, unix.MSG_CMSG_CLOEXEC)
	must(t, err)
	if s := received(t, control[:n]).contents(); s != "passed" {
		t.Errorf("%q", s)
	}
	failed(t, do(t, r, func(e Entry) error { return e.Sendmsg(a.fd, &Msg{Buffers: [][]byte{{'x'}}}, 0) }), unix.EDESTADDRREQ)
}

// received is the descriptor in control data.
func received(t *testing.T, control []byte) *end {
	t.Helper()
	list, err := unix.ParseSocketControlMessage(control)
	must(t, err)
	fds, err := unix.ParseUnixRights(&list[0])
	return newEnd(t, fds[0], err)
}

func tryRecvmsg(t *testing.T, r *Ring) {
	a, from := udp(t)
	b, at := udp(t)
	must(t, unix.Sendto(a.fd, []byte("0123456789"), 0, &unix.SockaddrInet4{Port: int(at.Port()), Addr: at.Addr().As4()}))
	var peer Address
	m := &Msg{Buffers: [][]byte{make([]byte, 4), make([]byte, 4)}, Address: &peer}
	result(t, do(t, r, func(e Entry) error { return e.Recvmsg(b.fd, m, 0) }), 8)
	if string(m.Buffers[0])+string(m.Buffers[1]) != "01234567" || peer.AddrPort() != from || m.Flags&unix.MSG_TRUNC == 0 {
		t.Errorf("%q from %v, flags %x", m.Buffers, peer.AddrPort(), m.Flags)
	}
	c, d := socketpair(t, unix.SOCK_STREAM)
	f := file(t, "passed")
	must(t, unix.Sendmsg(c.fd, []byte("x"), unix.UnixRights(f.fd), nil, 0))
	m = &Msg{Buffers: [][]byte{make([]byte, 4)}, Control: make([]byte, 100)}
	result(t, do(t, r, func(e Entry) error { return e.Recvmsg(d.fd, m, unix.MSG_CMSG_CLOEXEC) }), 1)
	if s := received(t, m.Control).contents(); s != "passed" {
		t.Errorf("%q", s)
	}
	rd, _ := pipe(t)
	failed(t, do(t, r, func(e Entry) error { return e.Recvmsg(rd.fd, m, 0) }), unix.ENOTSOCK)
}

// sentZC expects both completions of a send without a copy.
func sentZC(t *testing.T, r *Ring, n int, fill func(Entry) error) {
	t.Helper()
	tok := start(t, r, fill)
	c := next(t, r)
	if c.Token != tok || int(c.Res) != n || !c.More() || c.Notification() {
		t.Fatalf("%v; want %d, and more", c, n)
	}
	if !r.InFlight(tok) {
		t.Fatal("the memory was let go before the notification")
	}
	if c := next(t, r); c.Token != tok || !c.Notification() || c.More() || c.Err() != nil {
		t.Fatalf("%v; want a notification", c)
	}
}

// failedZC expects that a send to no socket fails; the notification comes all the same where it says so.
func failedZC(t *testing.T, r *Ring, fill func(Entry) error) {
	t.Helper()
	c := do(t, r, fill)
	failed(t, c, unix.ENOTSOCK)
	if c.More() {
		if c = next(t, r); !c.Notification() || c.More() {
			t.Fatal(c)
		}
	}
}

func trySendZC(t *testing.T, r *Ring) {
	client, server := tcp(t)
	data := bytes.Repeat([]byte("zero"), 1000)
	sentZC(t, r, len(data), func(e Entry) error { return e.SendZC(client.fd, data, 0, 0) })
	if s := server.read(); s != string(data) {
		t.Errorf("%d bytes", len(s))
	}
	must(t, r.RegisterBuffers([][]byte{data}))
	sentZC(t, r, 8, func(e Entry) error { return e.SendZCFixed(client.fd, data[4:12], 0, 0, 0) })
	if s := server.read(); s != "zerozero" {
		t.Errorf("%q", s)
	}
	must(t, r.UnregisterBuffers())
	a, _ := udp(t)
	b, at := udp(t)
	sentZC(t, r, 4, func(e Entry) error { return e.SendtoZC(a.fd, data[:4], 0, 0, AddressOf(at)) })
	if s := b.read(); s != "zero" {
		t.Errorf("%q", s)
	}
	rd, _ := pipe(t)
	failedZC(t, r, func(e Entry) error { return e.SendZC(rd.fd, data, 0, 0) })
}

func trySendmsgZC(t *testing.T, r *Ring) {
	client, server := tcp(t)
	m := &Msg{Buffers: [][]byte{[]byte("one "), []byte("two")}}
	sentZC(t, r, 7, func(e Entry) error { return e.SendmsgZC(client.fd, m, 0) })
	if s := server.read(); s != "one two" {
		t.Errorf("%q", s)
	}
	rd, _ := pipe(t)
	failedZC(t, r, func(e Entry) error { return e.SendmsgZC(rd.fd, m, 0) })
}

// tryRecvZC is a failure alone: a success takes a network card that splits headers from data.
func tryRecvZC(t *testing.T, r *Ring) {
	_, err := r.NewReceiveQueue(ReceiveQueueOptions{Interface: 1, Entries: 8, Bytes: 1 << 16})
	if err == nil {
		t.Fatal("the loopback interface has a queue for it")
	}
	t.Logf("tried on the loopback interface: %v", err)
	client, _ := tcp(t)
	c := do(t, r, func(e Entry) error { return e.RecvZC(client.fd, &ReceiveQueue{}, 0, 0) })
	failed(t, c, unix.EINVAL) // no queue
}

func tryUringCmd(t *testing.T, r *Ring) {
	rd, _ := pipe(t)
	failed(t, do(t, r, func(e Entry) error { return e.UringCmd(rd.fd, 0, nil, nil, 0) }), unix.EOPNOTSUPP)
	if k := running(t); k.Release.Major == 6 && k.Release.Minor < 7 {
		return // sockets have commands since 6.7
	}
	client, server := tcp(t)
	client.write("12345")
	result(t, do(t, r, func(e Entry) error { return e.CmdSock(syscalls.SOCKET_URING_OP_SIOCINQ, server.fd, 0, 0, nil) }), 5)
	size := make([]byte, 4)
	result(t, do(t, r, func(e Entry) error {
		return e.CmdSock(syscalls.SOCKET_URING_OP_GETSOCKOPT, server.fd, unix.SOL_SOCKET, unix.SO_TYPE, size)
	}), 4)
	equal(t, size, []byte{unix.SOCK_STREAM, 0, 0, 0})
	result(t, do(t, r, func(e Entry) error {
		return e.CmdSock(syscalls.SOCKET_URING_OP_SETSOCKOPT, server.fd, unix.SOL_SOCKET, unix.SO_KEEPALIVE, []byte{1, 0, 0, 0})
	}), 0)
	if on, err := unix.GetsockoptInt(server.fd, unix.SOL_SOCKET, unix.SO_KEEPALIVE); on != 1 || err != nil {
		t.Errorf("SO_KEEPALIVE %d, %v", on, err)
	}
	failed(t, do(t, r, func(e Entry) error { return e.CmdSock(99, server.fd, 0, 0, nil) }), unix.EOPNOTSUPP)
	failed(t, do(t, r, func(e Entry) error { return e.CmdDiscard(rd.fd, 0, 4096) }), unix.EOPNOTSUPP)
	var at Address
	c := do(t, r, func(e Entry) error { return e.CmdGetsockname(server.fd, &at, false) })
	switch k := running(t); {
	case k.Release.Major == 6 && k.Release.Minor < 19:
		failed(t, c, unix.EOPNOTSUPP)
	case c.Err() != nil || at.AddrPort() != local(t, server):
		t.Errorf("%v: %v", c, at.AddrPort())
	}
}

func tryUringCmd128(t *testing.T, r *Ring) {
	big := newRing(t, Options{Entries: 8, Flags: syscalls.IORING_SETUP_SQE128})
	client, server := tcp(t)
	client.write("12345")
	e, err := big.Get128()
	must(t, err)
	must(t, e.UringCmd128(server.fd, uint32(syscalls.SOCKET_URING_OP_SIOCINQ), make([]byte, 80), nil, 0))
	_, err = big.Submit()
	must(t, err)
	result(t, next(t, big), 5)
}
