package iouring

import (
	"bytes"
	"net/netip"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/ring3-go/ring3/syscalls"
)

func bufRing(t testing.TB, r *Ring, o BufRingOptions) *BufRing {
	t.Helper()
	g, err := r.NewBufRing(o)
	must(t, err)
	return g
}

func TestMultishotRecvFillsBuffersUntilThereAreNone(t *testing.T) {
	eachKind(t, func(t *testing.T, r *Ring) {
		client, server := tcp(t)
		g := bufRing(t, r, BufRingOptions{Group: 1, Buffers: 4, Size: 8})
		tok := start(t, r, func(e Entry) error { return e.RecvMultishot(server.fd, 0, 1) })
		client.write(strings.Repeat("x", 40)) // five buffers' worth
		var held []Completion
		for {
			c := next(t, r)
			if c.Token != tok {
				t.Fatal(c)
			}
			if c.Err() == unix.ENOBUFS {
				if c.More() {
					t.Fatal("it goes on without a buffer")
				}
				break
			}
			b, err := g.Bytes(c)
			must(t, err)
			if string(b) != "xxxxxxxx" {
				t.Fatalf("%q", b)
			}
			held = append(held, c)
		}
		if len(held) != 4 || g.Held() != 4 {
			t.Fatalf("%d buffers, %d held", len(held), g.Held())
		}
		want(t, g.ReleaseID(9), unix.EINVAL)
		for _, c := range held {
			must(t, g.Release(c))
			want(t, g.Release(c), unix.EINVAL) // once
		}
		start(t, r, func(e Entry) error { return e.RecvMultishot(server.fd, 0, 1) })
		c := next(t, r) // the rest had waited in the socket
		result(t, c, 8)
		want(t, g.Release(c), unix.EINVAL) // Bytes comes first
		_, err := g.Bytes(c)
		must(t, err)
		must(t, g.Release(c))
		client.close()
		c = next(t, r)
		if c.Res != 0 || c.More() {
			t.Fatal(c)
		}
		must(t, g.Close())
	})
}

func TestBufferRingsByTheKernelsAccount(t *testing.T) {
	r := newRing(t, Options{})
	_, server := tcp(t)
	for _, kernel := range []bool{false, true} {
		o := BufRingOptions{Group: 2, Buffers: 8, Size: 16, KernelMemory: kernel}
		g, err := r.NewBufRing(o)
		if kernel && err != nil {
			missing(t, 6, 4, err)
		}
		must(t, err)
		_, err = r.NewBufRing(o)
		want(t, err, unix.EEXIST)
		tok := start(t, r, func(e Entry) error { return e.RecvMultishot(server.fd, 0, 2) })
		want(t, g.Close(), unix.EBUSY)
		cancel(t, r, tok)
		if n, err := g.Available(); err != nil {
			if k := running(t); k.Release.Major > 6 || k.Release.Minor >= 8 {
				t.Error(err)
			}
		} else if n != 8 {
			t.Errorf("the kernel has %d of 8 buffers", n)
		}
		must(t, g.Close())
		must(t, g.Close())
		want(t, g.ReleaseID(0), ErrClosed)
		_, err = g.Bytes(Completion{Flags: syscalls.IORING_CQE_F_BUFFER})
		if err == nil {
			t.Error("data of a closed group")
		}
	}
	for _, o := range []BufRingOptions{{}, {Buffers: 3, Size: 1}, {Buffers: 1 << 16, Size: 1}, {Buffers: 1}} {
		_, err := r.NewBufRing(o)
		want(t, err, unix.EINVAL)
	}
}

func TestIncrementalBuffersAreUsedUpPieceByPiece(t *testing.T) {
	eachKind(t, func(t *testing.T, r *Ring) {
		client, server := tcp(t)
		g, err := r.NewBufRing(BufRingOptions{Group: 1, Buffers: 2, Size: 10, Incremental: true})
		if err != nil {
			missing(t, 6, 12, err)
		}
		start(t, r, func(e Entry) error { return e.RecvMultishot(server.fd, 0, 1) })
		var got, sent bytes.Buffer
		for i := range 30 {
			piece := string(rune('a'+i%26)) + string(rune('A'+i%26)) + "-"
			sent.WriteString(piece)
			client.write(piece)
			for got.Len() < sent.Len() {
				c := next(t, r)
				must(t, c.Err())
				b, err := g.Bytes(c)
				must(t, err)
				got.Write(b)
				must(t, g.Release(c))
				if !c.More() {
					start(t, r, func(e Entry) error { return e.RecvMultishot(server.fd, 0, 1) })
				}
			}
		}
		if got.String() != sent.String() {
			t.Fatalf("%q; want %q", got.String(), sent.String())
		}
	})
}

func TestBundlesFillSeveralBuffers(t *testing.T) {
	eachKind(t, func(t *testing.T, r *Ring) {
		if r.Features()&syscalls.IORING_FEAT_RECVSEND_BUNDLE == 0 {
			missing(t, 6, 10, &NotSupportedError{Feature: "bundles", Since: "6.10"})
		}
		client, server := tcp(t)
		g := bufRing(t, r, BufRingOptions{Group: 1, Buffers: 8, Size: 4})
		data := "0123456789abcdefghijklmnopqrstuvwxyz"
		client.write(data)
		got := ""
		for len(got) < len(data) {
			c := do(t, r, func(e Entry) error { return e.RecvBundle(server.fd, 0, 1, false) })
			must(t, c.Err())
			var ids []uint16
			n := 0
			for id, b := range g.Bundle(c) {
				got += string(b)
				n += len(b)
				ids = append(ids, id)
			}
			result(t, c, n)
			for _, id := range ids {
				must(t, g.ReleaseID(id))
			}
		}
		if got != data {
			t.Fatalf("%q", got)
		}
		if g.Held() != 0 {
			t.Errorf("%d buffers held", g.Held())
		}
	})
}

// TestABundleIsTakenOnce takes one again, which must neither give buffers to the program that the kernel has, nor go on
// for ever.
func TestABundleIsTakenOnce(t *testing.T) {
	for _, incremental := range []bool{false, true} {
		r := newRing(t, Options{})
		g := bufRing(t, r, BufRingOptions{Group: 1, Buffers: 2, Size: 4, Incremental: incremental && r.Features()&syscalls.IORING_FEAT_MIN_TIMEOUT != 0})
		c := Completion{Res: 8, Flags: syscalls.IORING_CQE_F_BUFFER} // as if a bundle had filled both
		for _, times := range []int{2, 0} {
			n := 0
			for range g.Bundle(c) {
				n++
			}
			if n != times {
				t.Errorf("%d buffers; want %d", n, times)
			}
		}
		if held := g.Held(); held != 2 {
			t.Errorf("%d buffers held", held)
		}
	}
}

func TestSendBundleSendsTheGroupsBuffers(t *testing.T) {
	r := newRing(t, Options{})
	if r.Features()&syscalls.IORING_FEAT_RECVSEND_BUNDLE == 0 {
		missing(t, 6, 10, &NotSupportedError{Feature: "bundles", Since: "6.10"})
	}
	client, server := tcp(t)
	g := bufRing(t, r, BufRingOptions{Group: 1, Buffers: 4, Size: 4})
	copy(g.memory, "onlythreetest")
	start(t, r, func(e Entry) error { return e.SendBundle(client.fd, 0, 0, 1) })
	sent := 0
	for more := true; more; {
		c := next(t, r)
		t.Log(c)
		more = c.More()
		if c.Err() != unix.ENOBUFS {
			sent += int(c.Res)
		}
	}
	if s := server.read(); s != "onlythreetest\x00\x00\x00" || sent != len(s) {
		t.Errorf("%q, %d sent", s, sent)
	}
}

func TestMultishotRecvmsgTellsThePeer(t *testing.T) {
	eachKind(t, func(t *testing.T, r *Ring) {
		a, from := udp(t)
		b, at := udp(t)
		must(t, unix.SetsockoptInt(b.fd, unix.SOL_SOCKET, unix.SO_TIMESTAMP, 1))
		g := bufRing(t, r, BufRingOptions{Group: 1, Buffers: 4, Size: 300})
		const control = 64
		tok := start(t, r, func(e Entry) error { return e.RecvmsgMultishot(b.fd, control, 0, 1) })
		for _, s := range []string{"first", strings.Repeat("long", 100), ""} {
			must(t, unix.Sendto(a.fd, []byte(s), 0, &unix.SockaddrInet4{Port: int(at.Port()), Addr: at.Addr().As4()}))
			c := next(t, r)
			if c.Token != tok || c.More() != (s != "") { // an empty one is the end to it
				t.Fatal(c)
			}
			data, err := g.Bytes(c)
			must(t, err)
			m, err := ParseRecvmsg(data, control)
			must(t, err)
			cut := s[:min(len(s), 300-16-unix.SizeofSockaddrAny-control)]
			if string(m.Payload) != cut || m.Address.AddrPort() != from || (m.Flags&unix.MSG_TRUNC != 0) != (len(cut) < len(s)) {
				t.Errorf("%q from %v, flags %x", m.Payload, m.Address.AddrPort(), m.Flags)
			}
			list, err := unix.ParseSocketControlMessage(m.Control)
			if len(list) != 1 || err != nil || list[0].Header.Type != unix.SCM_TIMESTAMP {
				t.Errorf("control data %v, %v", list, err)
			}
			must(t, g.Release(c))
		}
	})
}

func FuzzParseRecvmsg(f *testing.F) {
	f.Add(make([]byte, 300), 64)
	f.Add([]byte{}, 0)
	f.Fuzz(func(t *testing.T, b []byte, control int) {
		m, err := ParseRecvmsg(b, control)
		if err == nil && (len(m.Payload) > len(b) || len(m.Control) > control) {
			t.Errorf("%d bytes, %d of control data, from %d", len(m.Payload), len(m.Control), len(b))
		}
		m.Address.AddrPort()
		_ = m.Address.Unix()
	})
}

func TestMultishotAcceptTakesThemAll(t *testing.T) {
	eachKind(t, func(t *testing.T, r *Ring) {
		l, at := listener(t)
		tok := start(t, r, func(e Entry) error { return e.MultishotAccept(l.fd, unix.SOCK_CLOEXEC) })
		clients := make(map[string]*end)
		for range 20 {
			c := dial(t, at)
			clients[local(t, c).String()] = c
		}
		for range 20 {
			c := next(t, r)
			if c.Token != tok || c.Err() != nil || !c.More() {
				t.Fatal(c)
			}
			server := newEnd(t, int(c.Res), nil)
			peer, err := unix.Getpeername(server.fd)
			must(t, err)
			in := peer.(*unix.SockaddrInet4)
			name := netip.AddrPortFrom(netip.AddrFrom4(in.Addr), uint16(in.Port)).String()
			if clients[name] == nil {
				t.Fatalf("connection of %s, of nobody or twice", name)
			}
			delete(clients, name)
		}
		cancel(t, r, tok)
	})
}
