package iouring

import (
	"os"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/ring3-go/ring3/syscalls"
)

func TestRegisteredBuffersAreReplaced(t *testing.T) {
	r := newRing(t, Options{})
	f := file(t, "0123456789")
	want(t, r.RegisterBuffers(nil), unix.EINVAL)
	want(t, r.UnregisterBuffers(), unix.ENXIO)
	must(t, r.RegisterSparseBuffers(2))
	want(t, r.RegisterSparseBuffers(2), unix.EBUSY)
	b, c := make([]byte, 10), make([]byte, 10)
	failed(t, do(t, r, func(e Entry) error { return e.ReadFixed(f.fd, b, 0, 1) }), unix.EFAULT)
	must(t, r.UpdateBuffers(1, [][]byte{b}, []uint32{41}))
	result(t, do(t, r, func(e Entry) error { return e.ReadFixed(f.fd, b, 0, 1) }), 10)
	must(t, r.UpdateBuffers(1, [][]byte{c}, nil))
	if m := next(t, r); m.Token != Message(41) { // nobody uses the old one
		t.Errorf("%v; want the tag", m)
	}
	failed(t, do(t, r, func(e Entry) error { return e.ReadFixed(f.fd, b, 0, 1) }), unix.EFAULT)
	result(t, do(t, r, func(e Entry) error { return e.ReadFixed(f.fd, c, 0, 1) }), 10)
	want(t, r.UpdateBuffers(2, [][]byte{b}, nil), unix.EINVAL)
	want(t, r.UpdateBuffers(0, [][]byte{b}, []uint32{1, 2}), unix.EINVAL)
	must(t, r.UnregisterBuffers())
}

func TestBuffersAreCloned(t *testing.T) {
	a, b := newRing(t, Options{}), newRing(t, Options{})
	f := file(t, "0123456789")
	x, y := make([]byte, 5), make([]byte, 5)
	must(t, a.RegisterBuffers([][]byte{x, y}))
	if err := b.CloneBuffers(a, 0, 0, 0); err != nil {
		missing(t, 6, 12, err)
	}
	result(t, do(t, b, func(e Entry) error { return e.ReadFixed(f.fd, y, 5, 1) }), 5)
	if string(y) != "56789" {
		t.Errorf("%q", y)
	}
	if err := b.CloneBuffers(a, 1, 4, 1); err != nil {
		missing(t, 6, 13, err)
	}
	result(t, do(t, b, func(e Entry) error { return e.ReadFixed(f.fd, y, 0, 4) }), 5)
	want(t, b.CloneBuffers(a, 2, 0, 1), unix.EINVAL)
}

func TestRegisteredFilesAreReplaced(t *testing.T) {
	r := newRing(t, Options{})
	rd, w := pipe(t)
	want(t, r.RegisterFiles(nil), unix.EINVAL)
	want(t, r.RegisterFiles([]int{-5}), unix.EINVAL)
	must(t, r.RegisterFiles([]int{w.fd, -1, -1}))
	want(t, r.RegisterFiles([]int{w.fd}), unix.EBUSY)
	by := func(slot int) func(e Entry) error {
		return func(e Entry) error {
			must(t, e.SetFlags(syscalls.IOSQE_FIXED_FILE))
			return e.Write(slot, []byte("x"), -1)
		}
	}
	result(t, do(t, r, by(0)), 1)
	failed(t, do(t, r, by(1)), unix.EBADF)
	must(t, r.UpdateFiles(0, []int{-1, w.fd, syscalls.IORING_REGISTER_FILES_SKIP}))
	failed(t, do(t, r, by(0)), unix.EBADF)
	result(t, do(t, r, by(1)), 1)
	w.close() // the table has a reference of its own
	result(t, do(t, r, by(1)), 1)
	if s := rd.read(); s != "xxx" {
		t.Errorf("%q", s)
	}
	must(t, r.UnregisterFiles())
	if s := rd.read(); s != "" { // and gives it up: the end
		t.Errorf("%q", s)
	}
	want(t, r.UnregisterFiles(), unix.ENXIO)
}

func TestTheKernelChoosesFromTheRange(t *testing.T) {
	r := newRing(t, Options{})
	must(t, r.RegisterSparseFiles(8))
	must(t, r.RegisterFileRange(5, 2))
	path := t.TempDir() + "/f"
	must(t, os.WriteFile(path, nil, 0o600))
	open := func(e Entry) error {
		return e.OpenatDirect(unix.AT_FDCWD, path, unix.O_RDONLY, 0, syscalls.IORING_FILE_INDEX_ALLOC)
	}
	result(t, do(t, r, open), 5)
	result(t, do(t, r, open), 6)
	failed(t, do(t, r, open), unix.ENFILE)
}

func TestAWakerEndsAWait(t *testing.T) {
	eachKind(t, func(t *testing.T, r *Ring) {
		w, err := NewWaker()
		must(t, err)
		defer func() { must(t, w.Close()); must(t, w.Close()) }()
		for range 50 {
			tok := start(t, r, w.Arm)
			for range 3 {
				go w.Wake()
			}
			c := next(t, r)
			if c.Token != tok || c.Res != 8 {
				t.Fatal(c)
			}
			w.Awake()
		}
		tok := start(t, r, w.Arm)
		n, err := r.SubmitAndWait(1, 50*time.Millisecond) // Wake of the last round may be late
		must(t, err)
		if n == 0 {
			cancel(t, r, tok)
		} else {
			next(t, r)
		}
		must(t, w.Close())
		want(t, get(t, r).Nop(), nil)
		w.Awake()
		want(t, w.Wake(), ErrClosed)
		next(t, r)
	})
}

func TestAnArenaGivesEachBufferOnce(t *testing.T) {
	r := newRing(t, Options{})
	a, err := r.NewArena(5000, 3)
	must(t, err)
	var all [][]byte
	for range 3 {
		b, err := a.Get()
		must(t, err)
		if len(b) < 5000 || len(b)%os.Getpagesize() != 0 {
			t.Errorf("%d bytes", len(b))
		}
		all = append(all, b)
	}
	_, err = a.Get()
	want(t, err, ErrFull)
	must(t, r.RegisterBuffers(all))
	f := file(t, "off the heap")
	result(t, do(t, r, func(e Entry) error { return e.ReadFixed(f.fd, all[2][:12], 0, 2) }), 12)
	if string(all[2][:12]) != "off the heap" {
		t.Errorf("%q", all[2][:12])
	}
	want(t, a.Put(make([]byte, 5)), unix.EINVAL)
	want(t, a.Put(all[1][1:]), unix.EINVAL)
	must(t, a.Put(all[1]))
	want(t, a.Put(all[1]), unix.EINVAL)
	_, err = r.NewArena(0, 1)
	want(t, err, unix.EINVAL)
	must(t, r.Close())
	_, err = a.Get()
	want(t, err, ErrClosed)
	want(t, a.Put(all[0]), ErrClosed)
}
