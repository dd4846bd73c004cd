package iouring

import (
	"errors"
	"math/rand/v2"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/ring3-go/ring3/syscalls"
)

// A chaos is a ring that does everything at once, and what is known of its operations.
type chaos struct {
	t      *testing.T
	r      *Ring
	random *rand.Rand
	flying map[Token]bool // whether it completes in any case
	recent []Token
	pipe   [2]*end
	a, b   *end
	group  *BufRing
	drains bool
	noCopy bool // sends without a copy
	ended  int
}

// TestNothingIsLostInChaos mixes operations of all kinds, chains that are cut, drains, cancellations, operations that are
// dropped and resizes, in a queue of completions that is far too small. Each operation ends once, and none is left.
func TestNothingIsLostInChaos(t *testing.T) {
	if old := running(t).Release; old.Major < 6 || old.Major == 6 && old.Minor < 12 {
		// 6.1 goes round in its task work for ever, and the process cannot be killed: in a ring without deferred work,
		// with a multishot receive from a socket that something is sent to without a copy, and no place for completions.
		t.Skip("6.1 locks up in it; 6.12 does not")
	}
	for _, k := range kinds {
		t.Run(k.name, func(t *testing.T) {
			hammer(t)
			ended, rings := 0, 0
			for until := time.Now().Add(soak(t)); time.Now().Before(until) && !t.Failed(); rings++ {
				c := newChaos(t, k.options, uint64(rings))
				for range 300 {
					c.step()
				}
				c.close() // or what was sent without a copy is kept until its peer reads
				if rings%2 == 0 {
					c.settle()
				}
				must(t, c.r.Close())
				ended += c.ended
			}
			t.Logf("%d rings, %d operations ended", rings, ended)
		})
	}
}

func newChaos(t *testing.T, o Options, seed uint64) *chaos {
	o.Entries, o.CQEntries = 32, 32
	c := &chaos{t: t, r: newRing(t, o), random: rand.New(rand.NewPCG(seed, 11)), flying: make(map[Token]bool), drains: seed%4 > 1}
	c.noCopy = !c.drains // in 6.18 a send without a copy does not start behind a drain, nor does the drain
	c.pipe[0], c.pipe[1] = pipe(t)
	c.a, c.b = tcp(t)
	c.group = bufRing(t, c.r, BufRingOptions{Group: 1, Buffers: 4, Size: 64})
	must(t, c.r.RegisterSparseFiles(4))
	return c
}

func (c *chaos) close() {
	for _, e := range []*end{c.pipe[0], c.pipe[1], c.a, c.b} {
		e.close()
	}
}

func (c *chaos) step() {
	for range c.random.IntN(12) {
		c.begin()
	}
	if c.random.IntN(20) == 0 && c.r.Flags()&syscalls.IORING_SETUP_DEFER_TASKRUN != 0 {
		_, err := c.r.Submit()
		must(c.t, err)
		n := 32 << c.random.IntN(2)
		err = c.r.Resize(32, n)
		if err != nil && !errors.Is(err, unix.EOVERFLOW) && !errors.Is(err, unix.EINVAL) && !errors.Is(err, unix.EBUSY) {
			c.t.Fatal(err)
		}
	}
	if _, err := c.r.SubmitAndWait(c.random.IntN(3), time.Duration(c.random.IntN(300))*time.Microsecond); err != nil && !errors.Is(err, unix.EBUSY) {
		c.t.Fatal(err)
	}
	if c.random.IntN(3) > 0 { // else they pile up
		c.reap()
	}
}

func (c *chaos) reap() {
	for done := range c.r.Completions() {
		if done.Token.IsMessage() {
			continue
		}
		if _, known := c.flying[done.Token]; !known {
			c.t.Fatalf("%v of an operation that has ended, or never was", done)
		}
		if id, ok := done.Buffer(); ok && done.Res >= 0 {
			if _, err := c.group.Bytes(done); err != nil {
				c.t.Fatal(done, err)
			}
			must(c.t, c.group.ReleaseID(id))
		}
		if done.More() != c.r.InFlight(done.Token) {
			c.t.Fatalf("%v, and in flight: %v", done, c.r.InFlight(done.Token))
		}
		if !done.More() {
			delete(c.flying, done.Token)
			c.ended++
		}
	}
}

func (c *chaos) any() Token {
	if len(c.recent) == 0 {
		return 0
	}
	return c.recent[c.random.IntN(len(c.recent))]
}

func (c *chaos) begin() {
	e, err := c.r.Get()
	if errors.Is(err, ErrFull) {
		return
	}
	must(c.t, err)
	always := true
	switch c.random.IntN(20) {
	case 0:
		err = e.Nop()
	case 1:
		err = e.Read(c.pipe[0].fd, poisoned(64), -1)
	case 2:
		err = e.Write(c.pipe[1].fd, []byte("data"), -1)
	case 3:
		err = e.Timeout(time.Duration(c.random.IntN(int(time.Millisecond))), 0, 0)
	case 4:
		err = e.PollMultishot(c.pipe[0].fd, unix.POLLIN, 0)
	case 5:
		err = e.RecvMultishot(c.b.fd, 0, 1)
	case 6:
		if !c.noCopy {
			break
		}
		err = e.SendZC(c.a.fd, packet(c.random), 0, 0)
	case 7:
		err = e.Send(c.a.fd, packet(c.random), unix.MSG_DONTWAIT)
	case 8:
		err = e.Cancel(c.any(), 0)
	case 9:
		err = e.OpenatDirect(unix.AT_FDCWD, "/dev/null", unix.O_RDONLY, 0, uint32(c.random.IntN(4)))
	case 10:
		err = e.CloseDirect(uint32(c.random.IntN(4)))
	case 11:
		err = e.Close(-1)
	case 12:
		err = e.MsgRing(c.r.FD(), 7, 0, 0)
	case 13:
		err = e.Statx(unix.AT_FDCWD, "/", 0, unix.STATX_SIZE, new(unix.Statx_t))
	case 14:
		err = e.Recv(c.b.fd, poisoned(4096), 0)
	case 15:
		err = e.PollRemove(c.any())
	case 16:
		err = e.Timeout(time.Hour, 3, 0)
	case 17:
		err = e.TimeoutUpdate(c.any(), time.Microsecond, 0)
	case 18:
		err = e.LinkTimeout(time.Microsecond, 0)
	case 19:
		err = e.Readv(c.pipe[0].fd, [][]byte{poisoned(3), poisoned(5)}, -1, 0)
	}
	must(c.t, err)
	switch c.random.IntN(32) {
	case 0:
		err = e.SetFlags(syscalls.IOSQE_IO_LINK)
	case 1:
		err = e.SetFlags(syscalls.IOSQE_IO_HARDLINK)
	case 2:
		err = e.SetFlags(syscalls.IOSQE_ASYNC)
	case 3, 4, 5:
		always = false
		err = e.SetFlags(syscalls.IOSQE_CQE_SKIP_SUCCESS)
	case 6:
		if c.drains {
			err = e.SetFlags(syscalls.IOSQE_IO_DRAIN)
		}
	}
	must(c.t, err)
	c.flying[e.Token()] = always
	c.recent = append(c.recent, e.Token())
	if len(c.recent) > 40 {
		c.recent = c.recent[1:]
	}
	if c.random.IntN(16) == 0 {
		tok := c.any()
		if err := c.r.Drop(tok); err == nil {
			delete(c.flying, tok)
		} else if !errors.Is(err, ErrStale) && !errors.Is(err, ErrFull) {
			c.t.Fatal(err)
		}
	}
}

// settle has everything end, and looks whether all of it did. An entry that cancels would wait behind a drain.
func (c *chaos) settle() {
	const all = syscalls.IORING_ASYNC_CANCEL_ANY | syscalls.IORING_ASYNC_CANCEL_ALL
	for deadline := time.Now().Add(longest); c.r.Live() > 0; c.reap() {
		if time.Now().After(deadline) {
			c.t.Fatalf("%d operations do not end", c.r.Live())
		}
		if err := c.r.SyncCancel(0, 0, 0, all, 0); err != nil && !errors.Is(err, unix.ENOENT) && !errors.Is(err, unix.ETIME) {
			c.t.Fatal(err)
		}
		if _, err := c.r.SubmitAndWait(1, time.Millisecond); err != nil && !errors.Is(err, unix.EBUSY) {
			c.t.Fatal(err)
		}
	}
	for tok, always := range c.flying {
		if always {
			c.t.Errorf("%v has ended and was not delivered", tok)
		}
	}
}
