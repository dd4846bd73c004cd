package reactor

import (
	"os"

	"golang.org/x/sys/unix"

	"github.com/ring3-go/ring3/iouring"
)

// A ringListener accepts connections, one operation for all.
type ringListener struct {
	d      *ringDriver
	l      *Listener
	accept iouring.Token // 0: none in flight
	on     bool
	stops  bool // accept is being cancelled
}

func (d *ringDriver) listen(l *Listener) error {
	l.ring = &ringListener{d: d, l: l}
	return d.accept(l, true)
}

func (d *ringDriver) accept(l *Listener, on bool) error {
	rl := l.ring
	rl.on = on
	if on {
		return rl.arm()
	}
	return rl.stop()
}

func (rl *ringListener) arm() error {
	if rl.accept != 0 || !rl.on {
		return nil
	}
	e, err := rl.d.get()
	if err == nil {
		err = e.MultishotAccept(rl.l.fd, socketFlags)
	}
	if err == nil {
		rl.accept = rl.d.expect(e, nil, rl, opOther)
	}
	return err
}

func (rl *ringListener) stop() error {
	if rl.accept == 0 || rl.stops {
		return nil
	}
	rl.stops = true
	return rl.d.cancel(rl.accept)
}

func (rl *ringListener) completed(c *iouring.Completion) {
	res, l := c.Res, rl.l
	if !c.More() {
		rl.accept, rl.stops = 0, false
	}
	switch {
	case res >= 0:
	case again(unix.Errno(-res)):
	case !l.acceptFailed(os.NewSyscallError("accept4", unix.Errno(-res))):
		return
	}
	// Before the connection is told of, because that may panic.
	if err := rl.arm(); err != nil {
		l.acceptFailed(err)
	}
	if res >= 0 {
		rl.d.loop.current = l
		l.accepted(int(res))
	}
}

// settle has told what the ring has accepted, with all else that has come by then: an operation that begins may take
// whole queues at once, and one that is cancelled may have.
func (d *ringDriver) settle(l *Listener) {
	rl := l.ring
	if rl == nil {
		return
	}
	rl.on = false
	if rl.stop() != nil {
		return
	}
	for rl.accept != 0 && !l.closed {
		if _, err := d.step(-1); err != nil {
			return
		}
	}
}

func (d *ringDriver) unlisten(l *Listener) {
	if l.ring != nil {
		d.drop(l.ring.accept)
		l.ring.accept, l.ring.on = 0, false
	}
	d.closeLater(l.fd, 0)
}
