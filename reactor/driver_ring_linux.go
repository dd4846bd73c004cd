package reactor

import (
	"errors"
	"fmt"
	"time"

	"golang.org/x/sys/unix"

	"github.com/ring3-go/ring3/iouring"
	"github.com/ring3-go/ring3/syscalls"
)

// ringDriver is completion: what is wanted is submitted, and what was done is told. One entry accepts connections and one
// for each connection receives, again and again; what the kernel receives goes to buffers of which the ring has one
// supply. What a batch of events causes, all its sends above all, goes to the kernel in one call, which brings the next
// batch.
//
// Nothing of the kernel's outlives its operation: descriptors are closed when the entries that name them have been
// submitted, and memory is the ring's until an operation has ended.
type ringDriver struct {
	loop    *Loop
	ring    *iouring.Ring
	waker   *iouring.Waker
	buffers *iouring.BufRing // for streams
	packets *iouring.BufRing // for datagrams; nil until there is a socket
	files   int              // how many to register
	places  places
	ops     []ringOp // by slot of the ring
	entries int      // of the submission queue

	one     [1]iouring.Completion
	lent    lent        // a buffer that a handler has
	ready   []teller    // have something to tell that was kept, in the order in which they came
	starved []teller    // met an empty supply of buffers
	closing []leaving   // when what has been queued is submitted
	pieces  [][]byte    // for a send
	message iouring.Msg // likewise
}

// A ringOp is what stands in a slot: compared by token before it is told, because a cancellation that failed has one
// whose slot is another's.
type ringOp struct {
	token iouring.Token
	conn  *ringConn // Most are of connections, and a call that is known is cheaper than one through an interface.
	other completer
	kind  opKind
}

type opKind uint8

const (
	opOther opKind = iota
	opReceive
	opSend
	opConnect
	opHangUp
)

// A completer is told what became of an operation that is not a connection's.
type completer interface{ completed(c *iouring.Completion) }

// A teller has something to do that does not wait for the kernel.
type teller interface{ tell() }

// lent is a buffer that a handler has, or had when it panicked.
type lent struct {
	from  *iouring.BufRing // nil: none
	flags syscalls.IoUringCQEFlags
}

// A leaving is a descriptor to close, and its place among the registered files plus one.
type leaving struct{ fd, place int }

// closePause is for how long the end of an operation is waited for that was cancelled.
const closePause = 100 * time.Millisecond

// ringSizes are how much a driver has of what may run out.
type ringSizes struct{ entries, completions, buffers, files int }

// usualSizes: a full submission queue is submitted, and one of 64 entries without telling Go's scheduler (decision 25 says
// when that is right), which would find a thread for others and wake the runtime's monitor again and again.
var usualSizes = ringSizes{entries: 64, completions: 4096, buffers: 512, files: 16384}

const (
	streamGroup = 0
	packetGroup = 1
	// streamBuffer is what a buffer for streams holds. Were it an even number of pages, the beginnings of all would be in
	// the same few sets of the processor's caches, and small messages are all beginning.
	streamBuffer  = 8<<10 + 192
	packetBuffers = 32
)

func (s ringSizes) options() iouring.Options {
	return iouring.Options{Entries: s.entries, CQEntries: s.completions, SingleIssuer: true}
}

// newRingDriver makes the ring, which is disabled until start: its thread is that which runs the loop.
func newRingDriver(l *Loop, sizes ringSizes) (d *ringDriver, err error) {
	o := sizes.options()
	o.Flags = syscalls.IORING_SETUP_R_DISABLED
	d = &ringDriver{loop: l, pieces: make([][]byte, 0, maxPieces), files: sizes.files}
	if d.ring, err = iouring.New(o); err != nil {
		return nil, err
	}
	d.entries, _ = d.ring.Entries()
	d.buffers, err = d.ring.NewBufRing(iouring.BufRingOptions{
		Group: streamGroup, Buffers: sizes.buffers, Size: min(streamBuffer, l.opts.ReadBuffer),
	})
	if err == nil {
		d.waker, err = iouring.NewWaker()
	}
	if err != nil {
		return nil, errors.Join(err, d.ring.Close())
	}
	return d, nil
}

func (d *ringDriver) start() error {
	if err := d.ring.EnableRings(); err != nil {
		return err
	}
	d.makePlaces(d.files)
	d.ring.RegisterRingFD() // a thread has 16 places; a ring without one works as well
	return d.awake()
}

// awake waits for wake.
func (d *ringDriver) awake() error {
	e, err := d.get()
	if err != nil {
		return err
	}
	d.expect(e, nil, (*ringWaker)(d), opOther)
	return d.waker.Arm(e)
}

// ringWaker is the driver, told that somebody called wake.
type ringWaker ringDriver

func (w *ringWaker) completed(*iouring.Completion) {
	d := (*ringDriver)(w)
	d.waker.Awake()
	if err := d.awake(); err != nil {
		d.loop.report(fmt.Errorf("reactor: posts will be late: %w", err))
	}
}

func (d *ringDriver) wake() error { return d.waker.Wake() }

// close cancels what is in flight and waits for it: no memory is the kernel's after that.
func (d *ringDriver) close() error {
	// Connections have cancelled their own, each by its token. The ring would cancel all again, and for each the kernel
	// would look at all. What is left is the waker's.
	for before := d.ring.Live() + 1; d.ring.Live() > 1 && d.ring.Live() < before; {
		before = d.ring.Live()
		if _, err := d.ring.SubmitAndWait(1, closePause); err != nil {
			break // as Close will say
		}
		for d.ring.Reap(d.one[:]) > 0 {
		}
	}
	if d.places.size > 0 {
		d.ring.UnregisterFiles() // Close does it too, unless it has to give up
	}
	err := errors.Join(d.waker.Close(), d.ring.Close())
	for _, c := range d.closing {
		unix.Close(c.fd)
	}
	d.closing = nil
	return err
}

// get takes a place in the submission queue, and makes one where there is none.
func (d *ringDriver) get() (iouring.Entry, error) {
	e, err := d.ring.Get()
	if errors.Is(err, iouring.ErrFull) {
		if _, err = d.ring.Submit(); err == nil {
			e, err = d.ring.Get()
		}
	}
	return e, err
}

// expect says what an entry is for. It and dispatch write and read a ringOp field by field: a copy of the whole reads in
// other pieces than were written just before, for which a processor waits until they have left its store buffer.
func (d *ringDriver) expect(e iouring.Entry, conn *ringConn, other completer, kind opKind) iouring.Token {
	tok := e.Token()
	slot := int(tok.Slot())
	for len(d.ops) <= slot {
		d.ops = append(d.ops, ringOp{})
	}
	op := &d.ops[slot]
	op.token, op.conn, op.other, op.kind = tok, conn, other, kind
	return tok
}

// cancel cancels an operation, which completes all the same.
func (d *ringDriver) cancel(tok iouring.Token) error {
	e, err := d.get()
	if err != nil {
		return err
	}
	// Where it has ended meanwhile there is nothing to cancel: that failure comes with a token that is nobody's.
	return errors.Join(e.Cancel(tok, 0), e.SetFlags(syscalls.IOSQE_CQE_SKIP_SUCCESS))
}

// drop cancels an operation that nobody wants to hear of. The ring keeps its memory until it has ended, and undoes what
// it has done.
func (d *ringDriver) drop(tok iouring.Token) {
	if tok == 0 {
		return
	}
	if slot := int(tok.Slot()); d.ops[slot].token == tok {
		d.ops[slot] = ringOp{}
	}
	err := d.ring.Drop(tok)
	if errors.Is(err, iouring.ErrFull) {
		if _, err = d.ring.Submit(); err == nil {
			err = d.ring.Drop(tok)
		}
	}
	if err != nil && !errors.Is(err, iouring.ErrStale) {
		d.loop.report(fmt.Errorf("reactor: %w", err)) // the ring is of no use any more, which wait will say
	}
}

// closeLater closes a descriptor when no entry that names it is left to submit: its number may be another's then.
func (d *ringDriver) closeLater(fd, place int) { d.closing = append(d.closing, leaving{fd, place}) }

// wait submits, waits, and tells.
func (d *ringDriver) wait(timeout time.Duration) (n int, err error) {
	if len(d.ready)+len(d.starved)+len(d.closing) > 0 {
		timeout = 0
	}
	return d.step(timeout)
}

// step is wait, for as long as it is told.
func (d *ringDriver) step(timeout time.Duration) (n int, err error) {
	d.takeBack() // a handler may have panicked
	// Before anything is submitted, because the buffers are back, and nobody should get them first who had some.
	d.tellAll(&d.starved)
	ready, err := d.ring.SubmitAndWait(1, timeout)
	d.loop.asleep.Store(false) // whoever posts from here on is seen before the next sleep
	if err != nil {
		if !errors.Is(err, unix.EAGAIN) && !errors.Is(err, unix.EBUSY) {
			d.broken(err)
			return n, err
		}
		// The kernel is short of memory, or of places for completions. Those that there are make room.
		if ready == 0 {
			time.Sleep(time.Millisecond)
		}
	}
	if len(d.closing) > 0 && d.ring.Room() == d.entries {
		for _, c := range d.closing {
			if d.unplace(c.place) != nil { // a filter of system calls came late: the ring keeps the socket, but the peer is told
				unix.Shutdown(c.fd, unix.SHUT_RDWR)
			}
			unix.Close(c.fd)
		}
		d.closing = d.closing[:0]
	}
	for ; ready > 0 && d.ring.Ready() > 0; ready-- {
		if d.ring.Reap(d.one[:]) == 1 {
			n += d.dispatch(&d.one[0])
		}
	}
	n += d.tellAll(&d.ready)
	return n, nil
}

// dispatch tells who has waited for a completion, and empties the slot where it is the last. It returns 1 where somebody
// was told something.
func (d *ringDriver) dispatch(c *iouring.Completion) int {
	slot := int(c.Token.Slot())
	if slot >= len(d.ops) || d.ops[slot].token != c.Token {
		return 0
	}
	op := &d.ops[slot]
	conn, other, kind := op.conn, op.other, op.kind
	if !c.More() {
		*op = ringOp{}
	}
	switch kind {
	case opReceive:
		d.received(conn, c)
	case opSend:
		return d.sent(conn, c.Res)
	case opConnect:
		d.connectEnded(conn, c.Res)
	case opHangUp:
		d.hungUp(conn, c)
	default:
		if other == nil { // message 0, of whoever knows the ring's descriptor
			return 0
		}
		other.completed(c)
	}
	return 1
}

// tellAll tells those who are in a list now, and no more who come to it meanwhile.
func (d *ringDriver) tellAll(list *[]teller) int {
	n := len(*list)
	for range n {
		if len(*list) == 0 {
			break
		}
		next := (*list)[0]
		(*list)[0] = nil
		*list = (*list)[1:] // before, because it may panic
		next.tell()
	}
	return n
}

// lend returns the bytes of a completion, until takeBack.
func (d *ringDriver) lend(from *iouring.BufRing, c *iouring.Completion) []byte {
	b, err := from.Bytes(*c)
	if err != nil {
		d.loop.report(fmt.Errorf("reactor: %w", err))
		return nil
	}
	d.lent.from, d.lent.flags = from, c.Flags
	return b
}

func (d *ringDriver) takeBack() {
	if d.lent.from != nil {
		d.lent.from.Release(iouring.Completion{Flags: d.lent.flags})
		d.lent.from = nil
	}
}

// broken ends what nobody else ends when the ring is of no use any more.
func (d *ringDriver) broken(err error) {
	for i := range d.ops {
		if f, ok := d.ops[i].other.(*ringFile); ok {
			d.ops[i] = ringOp{}
			f.end(0, err)
		}
	}
}

// again reports whether an operation ended for no reason of its own: it was cancelled, which kernels before 6.15 do
// also to the first one that needs a thread of its own, or a signal came.
func again(errno unix.Errno) bool {
	return errno == unix.ECANCELED || errno == unix.EINTR || errno == unix.EAGAIN
}
