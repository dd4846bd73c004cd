package reactor

import (
	"net/netip"
	"os"
	"slices"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/ring3-go/ring3/iouring"
)

// A ringPacket receives datagrams, one operation for all.
type ringPacket struct {
	d       *ringDriver
	p       *PacketConn
	receive iouring.Token // 0: none in flight
	on      bool
	stops   bool         // receive is being cancelled
	held    []heldPacket // came when it was off; a copy, because the buffers are all sockets'
	queued  bool
}

type heldPacket struct {
	b    []byte
	from netip.AddrPort
}

// packetHead is what the kernel puts before a datagram: how long its parts are, and where it came from.
const packetHead = 16 + unix.SizeofSockaddrAny

func (d *ringDriver) listenPacket(p *PacketConn) (err error) {
	if d.packets == nil {
		d.packets, err = d.ring.NewBufRing(iouring.BufRingOptions{
			Group: packetGroup, Buffers: packetBuffers, Size: packetHead + d.loop.opts.ReadBuffer,
		})
		if err != nil {
			return err
		}
	}
	p.ring = &ringPacket{d: d, p: p}
	return nil
}

func (d *ringDriver) readPackets(p *PacketConn, on bool) error {
	rp := p.ring
	rp.on = on
	switch {
	case !on:
		if rp.receive != 0 && !rp.stops {
			rp.stops = true
			return d.cancel(rp.receive)
		}
		return nil
	case len(rp.held) > 0:
		rp.enqueue(&d.ready)
		return nil
	}
	return rp.arm()
}

func (rp *ringPacket) enqueue(list *[]teller) {
	if !rp.queued {
		rp.queued = true
		*list = append(*list, rp)
	}
}

func (rp *ringPacket) arm() error {
	if rp.receive != 0 || !rp.on {
		return nil
	}
	e, err := rp.d.get()
	if err == nil {
		err = e.RecvmsgMultishot(rp.p.fd, 0, 0, packetGroup)
	}
	if err == nil {
		rp.receive = rp.d.expect(e, nil, rp, opOther)
	}
	return err
}

func (rp *ringPacket) completed(c *iouring.Completion) {
	res, more, d, p := c.Res, c.More(), rp.d, rp.p
	if !more {
		rp.receive, rp.stops = 0, false
	}
	if _, ok := c.Buffer(); ok {
		rp.input(c)
	}
	if p.gone || more {
		return
	}
	switch errno := unix.Errno(-min(res, 0)); {
	case errno == 0, again(errno), lostPacket(errno):
	case errno == unix.ENOBUFS:
		if rp.on && len(rp.held) == 0 {
			rp.enqueue(&d.starved)
		}
		return
	default:
		p.shut(os.NewSyscallError("recvfrom", errno))
		return
	}
	if err := rp.arm(); err != nil {
		p.shut(err)
	}
}

func (rp *ringPacket) input(c *iouring.Completion) {
	d := rp.d
	if m, err := iouring.ParseRecvmsg(d.lend(d.packets, c), 0); err == nil {
		var raw unix.RawSockaddrInet6
		copy(unsafe.Slice((*byte)(unsafe.Pointer(&raw)), unsafe.Sizeof(raw)), m.Address.Raw())
		from := decode(&raw)
		if !rp.on || len(rp.held) > 0 {
			rp.held = append(rp.held, heldPacket{slices.Clone(m.Payload), from})
		} else {
			rp.p.input(m.Payload, from)
		}
	}
	d.takeBack()
}

// tell tells what was held, and goes on.
func (rp *ringPacket) tell() {
	rp.queued = false
	for len(rp.held) > 0 && rp.on && !rp.p.gone {
		next := rp.held[0]
		rp.held = rp.held[1:] // before, because it may panic
		rp.p.input(next.b, next.from)
	}
	if rp.p.gone || len(rp.held) > 0 {
		return
	}
	rp.held = nil
	if err := rp.arm(); err != nil {
		rp.p.shut(err)
	}
}

func (d *ringDriver) closePacket(p *PacketConn) {
	if rp := p.ring; rp != nil {
		d.drop(rp.receive)
		rp.receive, rp.on, rp.held = 0, false, nil
	}
	d.closeLater(p.fd, 0)
}
