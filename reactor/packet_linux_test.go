package reactor

import (
	"bytes"
	"errors"
	"net"
	"net/netip"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// packets sends every datagram back.
type packets struct {
	data   func(p *PacketConn, b []byte, from netip.AddrPort)
	closed chan error
}

func (h *packets) Packet(p *PacketConn, b []byte, from netip.AddrPort) {
	if h.data != nil {
		h.data(p, b, from)
		return
	}
	p.WriteTo(b, from)
}

func (h *packets) Closed(_ *PacketConn, err error) {
	if h.closed != nil {
		h.closed <- err
	}
}

func TestPacketsComeBackToTheirSender(t *testing.T) { eachDriver(t, testPacketsComeBackToTheirSender) }

func testPacketsComeBackToTheirSender(t *testing.T, driver Driver) {
	l := start(t, Options{Driver: driver})
	for _, tt := range [][2]string{{"udp", "127.0.0.1:0"}, {"udp4", "127.0.0.1:0"}, {"udp6", "[::1]:0"}, {"udp", "[::]:0"}} {
		h := &packets{closed: make(chan error, 1)}
		p, err := l.ListenPacket(tt[0], tt[1], h)
		if errors.Is(err, unix.EAFNOSUPPORT) || errors.Is(err, unix.EADDRNOTAVAIL) {
			t.Logf("tried %v: %v", tt, err)
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		to := net.UDPAddrFromAddrPort(p.Addr())
		if to.IP.IsUnspecified() {
			to.IP = net.IPv4(127, 0, 0, 1) // IPv4 over a socket of IPv6
		}
		c, err := net.DialUDP("udp", nil, to)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		c.SetDeadline(time.Now().Add(patience))
		for _, size := range []int{0, 1, 1000, 65000} {
			sent := bytes.Repeat([]byte{byte(size)}, size)
			if _, err := c.Write(sent); err != nil {
				t.Fatal(err)
			}
			got := make([]byte, 65536)
			n, err := c.Read(got)
			if err != nil || !bytes.Equal(got[:n], sent) {
				t.Fatalf("%v: %d bytes, %v; want %d", tt, n, err, size)
			}
		}
		if err := errors.Join(p.Close(), p.Close()); err != nil {
			t.Error(err)
		}
		if err := <-h.closed; err != nil {
			t.Errorf("closed with %v", err)
		}
		on(t, l, func() {
			if err := p.WriteTo(nil, p.Addr()); !errors.Is(err, ErrClosed) {
				t.Errorf("WriteTo: %v", err)
			}
		})
	}
}

func TestPacketsThatNobodyTakesHurtNobody(t *testing.T) {
	eachDriver(t, testPacketsThatNobodyTakesHurtNobody)
}

func testPacketsThatNobodyTakesHurtNobody(t *testing.T, driver Driver) {
	l := start(t, Options{Driver: driver})
	got := make(chan string, 10)
	h := &packets{data: func(_ *PacketConn, b []byte, _ netip.AddrPort) { got <- string(b) }, closed: make(chan error, 1)}
	p, err := l.ListenPacket("udp4", "127.0.0.1:0", h)
	if err != nil {
		t.Fatal(err)
	}
	nobody := netip.MustParseAddrPort(unusedPort(t)) // of TCP; nobody has it of UDP either
	on(t, l, func() {
		if err := p.WriteTo([]byte("x"), nobody); err != nil && !errors.Is(err, unix.ECONNREFUSED) {
			t.Error(err)
		}
		if err := p.WriteTo(make([]byte, 70_000), nobody); !errors.Is(err, unix.EMSGSIZE) {
			t.Errorf("70,000 bytes: %v", err)
		}
		if err := p.WriteTo([]byte("x"), netip.MustParseAddrPort("[::1]:9")); err == nil {
			t.Error("an IPv6 address on a socket of IPv4: no error")
		}
		if err := p.WriteTo([]byte("x"), netip.AddrPort{}); err == nil {
			t.Error("no address: no error")
		}
	})
	on(t, l, p.Pause)
	c, err := net.Dial("udp", p.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	say(t, c, "later")
	on(t, l, func() {})
	on(t, l, func() {
		if len(got) != 0 {
			t.Error("delivered while paused")
		}
		p.Resume()
	})
	if s := <-got; s != "later" {
		t.Errorf("%q", s)
	}
	on(t, l, func() { h.data = func(*PacketConn, []byte, netip.AddrPort) { panic("a mistake") } })
	say(t, c, "boom")
	if err := <-h.closed; !errors.As(err, new(*PanicError)) {
		t.Errorf("closed with %v", err)
	}
}

// The loop itself may pause a socket that it has just made.
func TestPauseBeforeTheFirstPacket(t *testing.T) { eachDriver(t, testPauseBeforeTheFirstPacket) }

func testPauseBeforeTheFirstPacket(t *testing.T, driver Driver) {
	reports := make(chan error, 10)
	l := start(t, Options{Driver: driver, Report: func(err error) { reports <- err }})
	got := make(chan string, 1)
	h := &packets{data: func(_ *PacketConn, b []byte, _ netip.AddrPort) { got <- string(b) }}
	var p *PacketConn
	on(t, l, func() {
		var err error
		if p, err = l.ListenPacket("udp4", "127.0.0.1:0", h); err != nil {
			t.Error(err)
			return
		}
		p.Pause()
	})
	c, err := net.Dial("udp", p.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	say(t, c, "later")
	on(t, l, func() {})
	on(t, l, func() {
		if len(got)+len(reports) != 0 {
			t.Errorf("%d packets, %d reports while paused", len(got), len(reports))
		}
		p.Resume()
	})
	if s := <-got; s != "later" {
		t.Errorf("%q", s)
	}
}

// What came while a handler stopped to read is told when it reads again, in order and all of it, however much that is.
func TestPacketsWaitForWhoPaused(t *testing.T) { eachDriver(t, testPacketsWaitForWhoPaused) }

func testPacketsWaitForWhoPaused(t *testing.T, driver Driver) {
	const total = 100 // more than a driver has buffers, and less than the socket has room for
	l := start(t, Options{Driver: driver})
	got := make(chan int, total+1)
	paused := make(chan struct{}, total)
	h := &packets{data: func(p *PacketConn, b []byte, _ netip.AddrPort) {
		got <- len(b)
		if len(b)%7 == 0 {
			p.Pause()
			paused <- struct{}{}
		}
	}}
	p, err := l.ListenPacket("udp4", "127.0.0.1:0", h)
	if err != nil {
		t.Fatal(err)
	}
	c, err := net.Dial("udp", p.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	held := make(chan struct{})
	l.Post(func() { <-held })
	for n := range total {
		if _, err := c.Write(make([]byte, n)); err != nil {
			t.Fatal(err)
		}
	}
	close(held)
	for n := range total {
		if size := <-got; size != n {
			t.Fatalf("datagram of %d bytes; want %d", size, n)
		}
		if n%7 == 0 {
			<-paused
			on(t, l, func() {})
			if len(got) > 0 {
				t.Fatal("delivered while paused")
			}
			on(t, l, p.Resume)
		}
	}
}

// A socket that is paused keeps what is on its way from nobody else, though all of the driver's supply may be on its way.
func TestPausedPacketsLeaveOthersTheirs(t *testing.T) {
	eachDriver(t, testPausedPacketsLeaveOthersTheirs)
}

func testPausedPacketsLeaveOthersTheirs(t *testing.T, driver Driver) {
	const flood = 100
	l := start(t, Options{Driver: driver})
	got := make(chan byte, flood)
	counts := func(_ *PacketConn, b []byte, _ netip.AddrPort) { got <- b[0] }
	paused, err := l.ListenPacket("udp", "127.0.0.1:0", &packets{data: counts})
	if err != nil {
		t.Fatal(err)
	}
	other, err := l.ListenPacket("udp", "127.0.0.1:0", &packets{})
	if err != nil {
		t.Fatal(err)
	}
	r := newRecorder(t)
	r.data = func(*Conn, []byte) { paused.Pause() }
	c := dial(t, serve(t, l, func(*Conn) Handler { return r }))
	r.expect("open")
	to, err := net.DialUDP("udp", nil, net.UDPAddrFromAddrPort(paused.Addr()))
	if err != nil {
		t.Fatal(err)
	}
	defer to.Close()
	held := make(chan struct{})
	l.Post(func() { <-held }) // the stream's data comes first, and all the rest in the same batch
	say(t, c, "pause")
	for i := range flood {
		say(t, to, string(rune(i)))
	}
	close(held)
	r.expect("data pause")

	asker, err := net.DialUDP("udp", nil, net.UDPAddrFromAddrPort(other.Addr()))
	if err != nil {
		t.Fatal(err)
	}
	defer asker.Close()
	asker.SetDeadline(time.Now().Add(patience))
	for range 3 {
		say(t, asker, "still there?")
		hear(t, asker, "still there?")
	}
	on(t, l, paused.Resume)
	for i := range flood {
		select {
		case b := <-got:
			if int(b) != i {
				t.Fatalf("datagram %d came as number %d", b, i)
			}
		case <-time.After(patience):
			t.Fatalf("datagram %d did not come", i)
		}
	}
}
