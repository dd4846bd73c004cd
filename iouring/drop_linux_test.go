package iouring

import (
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/ring3-go/ring3/syscalls"
)

func TestADroppedOperationLeavesNothing(t *testing.T) {
	eachKind(t, func(t *testing.T, r *Ring) {
		before := len(openFiles(t))
		// An open that has succeeded before it is cancelled.
		e := get(t, r)
		must(t, e.Openat(unix.AT_FDCWD, "/dev/null", unix.O_RDONLY|unix.O_CLOEXEC, 0))
		must(t, r.Drop(e.Token()))
		// A read that waits.
		rd, w := pipe(t)
		before += 2
		b := make([]byte, 1)
		must(t, r.Drop(start(t, r, func(e Entry) error { return e.Read(rd.fd, b, -1) })))
		// A multishot receive with data in its group's buffers.
		client, server := tcp(t)
		before += 3
		g := bufRing(t, r, BufRingOptions{Group: 1, Buffers: 2, Size: 4})
		tok := start(t, r, func(e Entry) error { return e.RecvMultishot(server.fd, 0, 1) })
		client.write("abcdefgh")
		if _, err := r.SubmitAndWait(2, longest); err != nil { // nothing is taken
			t.Fatal(err)
		}
		must(t, r.Drop(tok))
		for deadline := time.Now().Add(longest); r.Live() > 0; none(t, r) {
			if time.Now().After(deadline) {
				t.Fatalf("%d operations live", r.Live())
			}
		}
		want(t, r.Drop(tok), ErrStale)
		if after := len(openFiles(t)); after != before {
			t.Errorf("%d descriptors before, %d after: %v", before, after, openFiles(t))
		}
		if n, err := g.Available(); err == nil && n != 2 || g.Held() != 0 {
			t.Errorf("the kernel has %d of 2 buffers, the program %d", n, g.Held())
		}
		w.write("x")
		if b[0] != 0 {
			t.Error("written to after it was dropped")
		}
	})
}

func TestADroppedDirectDescriptorIsEmptied(t *testing.T) {
	r := newRing(t, Options{})
	must(t, r.RegisterSparseFiles(1))
	for range 3 { // one slot is enough for all
		e := get(t, r)
		must(t, e.OpenatDirect(unix.AT_FDCWD, "/dev/null", unix.O_RDONLY, 0, syscalls.IORING_FILE_INDEX_ALLOC))
		must(t, r.Drop(e.Token()))
		for r.Live() > 0 {
			none(t, r)
		}
	}
	result(t, do(t, r, func(e Entry) error { return e.OpenatDirect(unix.AT_FDCWD, "/dev/null", unix.O_RDONLY, 0, 0) }), 0)
}

// TestDescriptorsOfDroppedMessagesAreClosed passes descriptors in messages that nobody takes; newRing counts.
func TestDescriptorsOfDroppedMessagesAreClosed(t *testing.T) {
	for _, tt := range []struct {
		name string
		fill func(Entry, int) error
	}{
		{"one", func(e Entry, fd int) error {
			return e.Recvmsg(fd, &Msg{Buffers: [][]byte{make([]byte, 4)}, Control: make([]byte, 100)}, unix.MSG_CMSG_CLOEXEC)
		}},
		{"multishot", func(e Entry, fd int) error { return e.RecvmsgMultishot(fd, 100, unix.MSG_CMSG_CLOEXEC, 1) }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			eachKind(t, func(t *testing.T, r *Ring) {
				g := bufRing(t, r, BufRingOptions{Group: 1, Buffers: 4, Size: 512})
				f := file(t, "passed")
				a, b := socketpair(t, unix.SOCK_DGRAM)
				for range 3 {
					must(t, unix.Sendmsg(a.fd, []byte("x"), unix.UnixRights(f.fd, f.fd), nil, 0))
				}
				before := openFiles(t)
				tok := start(t, r, func(e Entry) error { return tt.fill(e, b.fd) })
				if _, err := r.SubmitAndWait(1, longest); err != nil {
					t.Fatal(err)
				}
				if during := openFiles(t); len(during) < len(before)+2 {
					t.Fatalf("descriptors before: %v; with those that came: %v", before, during)
				}
				must(t, r.Drop(tok))
				for r.Live() > 0 {
					none(t, r)
				}
				if after := openFiles(t); len(after) > len(before) {
					t.Errorf("descriptors before: %v; after: %v", before, after)
				}
				if n := g.Held(); n > 0 {
					t.Errorf("the program has %d buffers", n)
				}
			})
		})
	}
}

// TestPayloadOfADroppedMessageClosesNothing receives one message into a buffer of a group: what looks like control data
// there is the peer's payload.
func TestPayloadOfADroppedMessageClosesNothing(t *testing.T) {
	r := newRing(t, Options{})
	bufRing(t, r, BufRingOptions{Group: 1, Buffers: 1, Size: 512})
	f := file(t, "open")
	rights := unix.UnixRights(f.fd)
	payload := make([]byte, 512)
	out := (*syscalls.IoUringRecvmsgOut)(unsafe.Pointer(&payload[0]))
	out.ControlLen = uint32(len(rights))
	copy(payload[int(unsafe.Sizeof(*out))+unix.SizeofSockaddrAny:], rights)
	a, b := socketpair(t, unix.SOCK_DGRAM)
	for _, control := range [][]byte{nil, make([]byte, 100)} {
		must(t, unix.Sendmsg(a.fd, payload, rights, nil, 0))
		tok := start(t, r, func(e Entry) error {
			must(t, e.SetBufferGroup(1))
			return e.Recvmsg(b.fd, &Msg{Buffers: [][]byte{nil}, Control: control}, unix.MSG_CMSG_CLOEXEC)
		})
		if _, err := r.SubmitAndWait(1, longest); err != nil {
			t.Fatal(err)
		}
		must(t, r.Drop(tok))
		for r.Live() > 0 {
			none(t, r)
		}
		if f.contents() != "open" {
			t.Fatal("closed")
		}
	}
}

// TestADroppedOperationFailsInSilence drops one whose success the kernel would leave out.
func TestADroppedOperationFailsInSilence(t *testing.T) {
	eachKind(t, func(t *testing.T, r *Ring) {
		for _, dropped := range []bool{false, true} {
			e := get(t, r)
			must(t, e.Close(-1))
			must(t, e.SetFlags(syscalls.IOSQE_CQE_SKIP_SUCCESS))
			if dropped {
				must(t, r.Drop(e.Token()))
			}
			last := get(t, r)
			must(t, last.Nop())
			if _, err := r.Submit(); err != nil {
				t.Fatal(err)
			}
			if !dropped {
				failed(t, next(t, r), unix.EBADF)
			}
			if c := next(t, r); c.Token != last.Token() {
				t.Errorf("completion %v of a dropped operation", c)
			}
			for r.Live() > 0 {
				none(t, r)
			}
		}
	})
}
