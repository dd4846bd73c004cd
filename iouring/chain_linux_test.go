package iouring

import (
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/ring3-go/ring3/syscalls"
)

// A link is one entry of a chain.
type link struct {
	flags syscalls.IoUringSQEFlags
	fill  func(Entry) error
	res   int // expected; absent is no completion
}

const absent = 1 << 30

// TestChains runs entries that depend on each other.
func TestChains(t *testing.T) {
	bad := func(e Entry) error { return e.Read(-1, nil, 0) }
	const (
		next = syscalls.IOSQE_IO_LINK
		hard = syscalls.IOSQE_IO_HARDLINK
		skip = syscalls.IOSQE_CQE_SKIP_SUCCESS
	)
	ebadf, cancelled := -int(unix.EBADF), -int(unix.ECANCELED)
	for name, chain := range map[string][]link{
		"all succeed":               {{next, Entry.Nop, 0}, {next, Entry.Nop, 0}, {0, Entry.Nop, 0}},
		"the second fails":          {{next, Entry.Nop, 0}, {next, bad, ebadf}, {next, Entry.Nop, cancelled}, {0, Entry.Nop, cancelled}},
		"hard":                      {{hard, bad, ebadf}, {hard, bad, ebadf}, {0, Entry.Nop, 0}},
		"hard, then soft":           {{hard, bad, ebadf}, {next, bad, ebadf}, {0, Entry.Nop, cancelled}},
		"two chains":                {{next, bad, ebadf}, {0, Entry.Nop, cancelled}, {next, Entry.Nop, 0}, {0, Entry.Nop, 0}},
		"skipped":                   {{skip, Entry.Nop, absent}, {0, Entry.Nop, 0}},
		"skipped in a chain":        {{next | skip, Entry.Nop, absent}, {0, Entry.Nop, 0}},
		"all skipped":               {{next | skip, Entry.Nop, absent}, {skip, Entry.Nop, absent}},
		"skipped, fails":            {{skip, bad, ebadf}, {0, Entry.Nop, 0}},
		"skipped in a chain, fails": {{next | skip, bad, ebadf}, {next, Entry.Nop, cancelled}, {skip, Entry.Nop, cancelled}},
		"skip for one that is not on the list": {{skip, func(e Entry) error {
			return e.Openat(unix.AT_FDCWD, "/nowhere/at all", 0, 0)
		}, -int(unix.ENOENT)}},
		"skip of a silent one that fails": {{skip, func(e Entry) error { return e.Close(-1) }, ebadf}},
	} {
		t.Run(name, func(t *testing.T) {
			eachKind(t, func(t *testing.T, r *Ring) { runChain(t, r, chain) })
		})
	}
}

func runChain(t *testing.T, r *Ring, chain []link) {
	expected := make(map[Token]int)
	for _, l := range chain {
		e := get(t, r)
		must(t, e.SetFlags(l.flags))
		must(t, l.fill(e))
		if l.res != absent {
			expected[e.Token()] = l.res
		}
	}
	_, err := r.Submit()
	must(t, err)
	for len(expected) > 0 {
		c := next(t, r)
		res, ok := expected[c.Token]
		if !ok || int(c.Res) != res {
			t.Fatalf("%v; expected %v", c, expected)
		}
		delete(expected, c.Token)
	}
	// The completions that are not delivered have to come, or their slots would never be free.
	for deadline := time.Now().Add(longest); r.Live() > 0; {
		if _, err := r.SubmitAndWait(0, 0); err != nil || time.Now().After(deadline) {
			t.Fatalf("%d operations live, %v", r.Live(), err)
		}
		none(t, r)
	}
}

// TestSkipMayBeSetBeforeOrAfter sets the flag in each order with a chain's, which changes who leaves the
// completion out.
func TestSkipMayBeSetBeforeOrAfter(t *testing.T) {
	r := newRing(t, Options{})
	for range 3 {
		e := get(t, r)
		must(t, e.Nop())
		must(t, e.SetFlags(syscalls.IOSQE_CQE_SKIP_SUCCESS)) // by the kernel
		must(t, e.SetFlags(syscalls.IOSQE_IO_LINK))          // by the ring
		last := get(t, r)
		must(t, last.SetFlags(syscalls.IOSQE_CQE_SKIP_SUCCESS))
		must(t, last.Nop())
		_, err := r.Submit()
		must(t, err)
	}
	none(t, r)
	if r.Live() != 0 {
		t.Errorf("%d operations live", r.Live())
	}
}

// TestADrainWaitsForAllBefore submits a drained entry behind a read that waits.
func TestADrainWaitsForAllBefore(t *testing.T) {
	r := newRing(t, Options{})
	rd, w := pipe(t)
	read := start(t, r, func(e Entry) error { return e.Read(rd.fd, make([]byte, 1), -1) })
	drained := start(t, r, func(e Entry) error {
		must(t, e.SetFlags(syscalls.IOSQE_IO_DRAIN))
		return e.Nop()
	})
	after := start(t, r, Entry.Nop)
	none(t, r)
	w.write("x")
	if c := next(t, r); c.Token != read {
		t.Fatalf("%v; want %v", c, read)
	}
	all := nextOf(t, r, 2) // in an order that kernels differ about
	if len(all[drained]) != 1 || len(all[after]) != 1 {
		t.Fatal(all)
	}
}

// TestAnAsynchronousEntryGoesToAWorker looks for the worker's thread.
func TestAnAsynchronousEntryGoesToAWorker(t *testing.T) {
	eachKind(t, func(t *testing.T, r *Ring) {
		f := file(t, "x")
		result(t, do(t, r, func(e Entry) error {
			must(t, e.SetFlags(syscalls.IOSQE_ASYNC))
			return e.Read(f.fd, make([]byte, 1), 0)
		}), 1)
		if threads(t, "iou-wrk") == 0 {
			t.Error("no worker")
		}
	})
}

// TestALinkedCopy reads a file and writes what was read, in one submission.
func TestALinkedCopy(t *testing.T) {
	eachKind(t, func(t *testing.T, r *Ring) {
		from, to := file(t, "what is to be copied"), file(t, "")
		b := make([]byte, 20)
		e := get(t, r)
		must(t, e.SetFlags(syscalls.IOSQE_IO_LINK))
		must(t, e.Read(from.fd, b, 0))
		must(t, get(t, r).Write(to.fd, b, 0))
		nextOf(t, r, 2)
		if s := to.contents(); s != "what is to be copied" {
			t.Errorf("%q", s)
		}
	})
}

// TestAShortTransferIsNoSuccess leaves successes out. The kernel says that what was moved only in part has failed: it
// cancels the rest of a chain.
func TestAShortTransferIsNoSuccess(t *testing.T) {
	f, b := file(t, "0123456789"), make([]byte, 20)
	halves := [][]byte{b[:5], b[5:]}
	five, w := pipe(t)
	w.write("01234")
	fd, err := unix.Open("/dev/null", unix.O_WRONLY|unix.O_CLOEXEC, 0)
	null, most := newEnd(t, fd, err), untouched(t, maxBytes)
	// Each is given a way on which five bytes come and no more, and another on which five can go.
	for _, op := range []struct {
		name string
		fill func(e Entry, from, to *end) error
		n    int // 0: a success, without a completion
	}{
		{"read", func(e Entry, from, to *end) error { return e.Read(f.fd, b, 0) }, 10},
		{"read all", func(e Entry, from, to *end) error { return e.Read(f.fd, b[:10], 0) }, 0},
		{"readv", func(e Entry, from, to *end) error { return e.Readv(f.fd, halves, 0, 0) }, 10},
		{"readv at the end", func(e Entry, from, to *end) error { return e.Readv(f.fd, halves, 10, 0) }, -1},
		{"recv", func(e Entry, from, to *end) error { return e.Recv(from.fd, b, 0) }, 0},
		{"recv WAITALL", func(e Entry, from, to *end) error { return e.Recv(from.fd, b, unix.MSG_WAITALL) }, 5},
		{"recv WAITALL, all", func(e Entry, from, to *end) error { return e.Recv(from.fd, b[:5], unix.MSG_WAITALL) }, 0},
		{"recvmsg WAITALL", func(e Entry, from, to *end) error {
			return e.Recvmsg(from.fd, &Msg{Buffers: halves}, unix.MSG_WAITALL)
		}, 5},
		{"send", func(e Entry, from, to *end) error { return e.Send(from.fd, b, unix.MSG_WAITALL) }, 0},
		{"send too much", func(e Entry, from, to *end) error {
			must(t, unix.SetsockoptInt(from.fd, unix.SOL_SOCKET, unix.SO_SNDBUF, 4096))
			return e.Send(from.fd, make([]byte, 1<<20), unix.MSG_DONTWAIT|unix.MSG_WAITALL)
		}, -1},
		{"send too much, in part", func(e Entry, from, to *end) error {
			must(t, unix.SetsockoptInt(from.fd, unix.SOL_SOCKET, unix.SO_SNDBUF, 4096))
			return e.Send(from.fd, make([]byte, 1<<20), unix.MSG_DONTWAIT)
		}, 0},
		{"splice", func(e Entry, from, to *end) error { return e.Splice(from.fd, -1, to.fd, -1, 20, 0) }, 5},
		{"splice all", func(e Entry, from, to *end) error { return e.Splice(from.fd, -1, to.fd, -1, 5, 0) }, 0},
		{"tee", func(e Entry, from, to *end) error { return e.Tee(five.fd, to.fd, 20, 0) }, 5},
		{"write too much", func(e Entry, from, to *end) error {
			must(t, unix.SetNonblock(to.fd, true))
			return e.Write(to.fd, make([]byte, 1<<20), -1)
		}, -1},
		{"write as much as the kernel does", func(e Entry, from, to *end) error { return e.Write(null.fd, most, 0) }, 0},
	} {
		t.Run(op.name, func(t *testing.T) {
			eachKind(t, func(t *testing.T, r *Ring) {
				from, peer := socketpair(t, unix.SOCK_STREAM)
				peer.write("01234")
				must(t, unix.Shutdown(peer.fd, unix.SHUT_WR))
				_, to := pipe(t)
				e := get(t, r)
				must(t, op.fill(e, from, to))
				must(t, e.SetFlags(syscalls.IOSQE_CQE_SKIP_SUCCESS|syscalls.IOSQE_IO_LINK))
				last := start(t, r, Entry.Nop)
				c := next(t, r)
				if op.n == 0 {
					if c.Token != last || c.Err() != nil {
						t.Errorf("%v; want the last of the chain alone", c)
					}
					none(t, r)
					return
				}
				rest := next(t, r)
				if c.Token != e.Token() {
					c, rest = rest, c
				}
				if c.Token != e.Token() || c.Err() != nil || op.n > 0 && int(c.Res) != op.n {
					t.Errorf("%v; want %d", c, op.n)
				}
				failed(t, rest, unix.ECANCELED)
			})
		})
	}
}

// untouched returns memory that has no pages, because nobody writes to it.
func untouched(t *testing.T, n int) []byte {
	t.Helper()
	b, err := unix.Mmap(-1, 0, n, unix.PROT_READ, unix.MAP_PRIVATE|unix.MAP_ANONYMOUS|unix.MAP_NORESERVE)
	must(t, err)
	t.Cleanup(func() { unix.Munmap(b) })
	return b
}

// TestWhatCannotBeLeftOut leaves successes out where a completion says more than that something succeeded.
func TestWhatCannotBeLeftOut(t *testing.T) {
	quietly := func(t *testing.T, r *Ring, fill func(Entry) error) Token {
		t.Helper()
		return start(t, r, func(e Entry) error {
			must(t, e.SetFlags(syscalls.IOSQE_CQE_SKIP_SUCCESS))
			return fill(e)
		})
	}
	settled := func(t *testing.T, r *Ring) {
		t.Helper()
		for deadline := time.Now().Add(longest); r.Live() > 0 && time.Now().Before(deadline); {
			none(t, r)
		}
		if r.Live() > 0 {
			t.Errorf("%d operations live", r.Live())
		}
	}
	t.Run("the buffer of a group", func(t *testing.T) {
		eachKind(t, func(t *testing.T, r *Ring) {
			b, err := r.NewBufRing(BufRingOptions{Group: 1, Buffers: 2, Size: 64})
			must(t, err)
			f := file(t, "01234")
			tok := quietly(t, r, func(e Entry) error {
				must(t, e.SetBufferGroup(1))
				return e.Read(f.fd, nil, 0)
			})
			c := next(t, r)
			if text, err := b.Bytes(c); c.Token != tok || string(text) != "01234" || err != nil {
				t.Errorf("%v: %q, %v", c, text, err)
			}
		})
	})
	t.Run("data of a receive that goes on", func(t *testing.T) {
		eachKind(t, func(t *testing.T, r *Ring) {
			b, err := r.NewBufRing(BufRingOptions{Group: 1, Buffers: 2, Size: 64})
			must(t, err)
			us, peer := socketpair(t, unix.SOCK_STREAM)
			tok := quietly(t, r, func(e Entry) error { return e.RecvMultishot(us.fd, 0, 1) })
			peer.write("01234")
			c := next(t, r)
			if text, err := b.Bytes(c); c.Token != tok || !c.More() || string(text) != "01234" || err != nil {
				t.Errorf("%v: %q, %v", c, text, err)
			}
			must(t, b.Release(c))
			peer.close()
			settled(t, r)
		})
	})
	t.Run("connections", func(t *testing.T) {
		eachKind(t, func(t *testing.T, r *Ring) {
			l, at := listener(t)
			tok := quietly(t, r, func(e Entry) error { return e.MultishotAccept(l.fd, unix.SOCK_CLOEXEC) })
			dial(t, at)
			c := next(t, r)
			if c.Token != tok || !c.More() {
				t.Fatalf("%v; want a connection", c)
			}
			newEnd(t, int(c.Res), c.Err())
		})
	})
	t.Run("the notification after a failure", func(t *testing.T) {
		eachKind(t, func(t *testing.T, r *Ring) {
			us, _ := tcp(t)
			must(t, unix.Shutdown(us.fd, unix.SHUT_WR))
			tok := quietly(t, r, func(e Entry) error { return e.SendZC(us.fd, []byte("x"), unix.MSG_NOSIGNAL, 0) })
			c := next(t, r)
			if c.Token != tok || c.Err() != unix.EPIPE {
				t.Fatalf("%v; want EPIPE", c)
			}
			if c.More() {
				if c = next(t, r); c.Token != tok || !c.Notification() {
					t.Errorf("%v; want a notification", c)
				}
			}
			settled(t, r)
		})
	})
	t.Run("but both of a send without a copy", func(t *testing.T) {
		eachKind(t, func(t *testing.T, r *Ring) {
			us, peer := tcp(t)
			quietly(t, r, func(e Entry) error { return e.SendZC(us.fd, []byte("x"), 0, 0) })
			if text := peer.read(); text != "x" {
				t.Errorf("%q", text)
			}
			settled(t, r)
		})
	})
}
