package iouring

import (
	"encoding/binary"
	"testing"

	"github.com/ring3-go/ring3/syscalls"
)

// TestABatchIsGivenOnceWhereTheQueueRewinds looks at what the kernel is asked to take from a queue that begins at its
// first place each time. The flag came after the kernels at hand, so nothing is submitted.
func TestABatchIsGivenOnceWhereTheQueueRewinds(t *testing.T) {
	r := newRing(t, Options{Entries: 8})
	r.params.Flags |= syscalls.IORING_SETUP_SQ_REWIND
	r.rewind() // newRing may have used it
	for _, n := range []uint32{3, 8, 1} {
		var batch []Token
		for i := range n {
			e := get(t, r)
			if want := (r.tail - 1) & r.sqMask; want != i {
				t.Fatalf("entry %d of the batch has place %d", i, want)
			}
			batch = append(batch, e.Token())
		}
		if got := r.Room(); got != 8-int(n) {
			t.Errorf("room for %d beside %d of 8", got, n)
		}
		if first, second := r.publish(), r.publish(); first != n || second != 0 {
			t.Errorf("a batch of %d is given as %d, then %d", n, first, second)
		}
		for _, tok := range batch {
			r.release(tok.Slot(), r.get(tok))
		}
	}
}

// TestCloseTakesDataForNoToken leaves an entry of 128 bytes in the queue whose data looks like the token of an operation
// in flight. Its place is where others have their token.
func TestCloseTakesDataForNoToken(t *testing.T) {
	r := newRing(t, Options{Entries: 8, CloseTimeout: longest})
	rd, w := pipe(t)
	b := make([]byte, 1)
	tok := start(t, r, func(e Entry) error { return e.Read(rd.fd, b, -1) })
	r.params.Flags |= syscalls.IORING_SETUP_SQE_MIXED // which came after the kernels at hand: nothing is submitted
	e, err := r.Get128()
	must(t, err)
	data := make([]byte, 80)
	binary.NativeEndian.PutUint64(data[16+32:], uint64(tok))
	must(t, e.UringCmd128(0, 0, data, nil, 0))
	r.shut()
	if r.get(tok) == nil {
		t.Fatal("the operation in flight has no memory any more")
	}
	must(t, r.Close())
	_, err = r.Get128()
	want(t, err, ErrClosed)
	w.write("x")
	if b[0] != 0 {
		t.Error("written to after Close")
	}
}

// TestAnEntryIsStaleForGood keeps an entry until positions have come half round.
func TestAnEntryIsStaleForGood(t *testing.T) {
	r := newRing(t, Options{Entries: 8})
	rd, _ := pipe(t)
	e := get(t, r)
	must(t, e.Read(rd.fd, make([]byte, 1), -1))
	if _, err := r.Submit(); err != nil {
		t.Fatal(err)
	}
	e.pos = r.published + 1<<30 // as if it were 3 * 2^30 entries old
	want(t, e.SetFlags(syscalls.IOSQE_ASYNC), ErrStale)
}
