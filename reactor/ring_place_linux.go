package reactor

import (
	"golang.org/x/sys/unix"

	"github.com/ring3-go/ring3/syscalls"
)

// places are a ring's registered files, where a connection that sends again and again has its socket too: a send that
// names it by its place spares the kernel the reference to a descriptor, which in a process with threads costs 50 ns.
type places struct {
	free []int
	next int // has never been used, nor have those after it
	size int // 0: there are none
}

// placeAfter is how many times a connection sends by its descriptor. To take a place and give it back are two calls.
const placeAfter = 16

// makePlaces registers files that are none yet. Without it the driver works as well.
func (d *ringDriver) makePlaces(n int) {
	// Before 6.13 a file that was registered stayed open as long as any operation that had begun before was in flight.
	// No flag tells of 6.13; the next one is of 6.14.
	if d.ring.Features()&syscalls.IORING_FEAT_RW_ATTR == 0 {
		return
	}
	var limit unix.Rlimit
	if unix.Getrlimit(unix.RLIMIT_NOFILE, &limit) != nil {
		return
	}
	n = int(min(uint64(n), limit.Cur)) // or the kernel refuses
	if n > 0 && d.ring.RegisterSparseFiles(n) == nil {
		d.places.size = n
	}
}

// place gives a connection a place, if there is one.
func (d *ringDriver) place(rc *ringConn) {
	p := &d.places
	at := p.next
	switch {
	case len(p.free) > 0:
		at = p.free[len(p.free)-1]
		p.free = p.free[:len(p.free)-1]
	case p.next < p.size:
		p.next++
	default:
		return
	}
	if d.ring.UpdateFiles(at, []int{rc.c.fd}) != nil {
		p.free = append(p.free, at)
		return
	}
	rc.place = at + 1
}

// unplace empties a place that no entry names which is still to be submitted: another connection gets it. Where that fails
// the ring has the socket open until it is closed.
func (d *ringDriver) unplace(place int) error {
	if place == 0 {
		return nil
	}
	if err := d.ring.UpdateFiles(place-1, []int{-1}); err != nil {
		return err
	}
	d.places.free = append(d.places.free, place-1)
	return nil
}
