//go:build linux && (amd64 || arm64)

package pagefault

import (
	"errors"
	"io"
	"os"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/ring3-go/ring3/internal/features"
)

// reserveHuge puts huge pages into the kernel's pool until the test is over, or skips, and returns their size.
func reserveHuge(t *testing.T, pages int64) int64 {
	t.Helper()
	unit, err := hugetlbLength()
	if err != nil {
		t.Skipf("tried: the kernel has no huge pages to reserve: %v", err)
	}
	s := new(scene)
	t.Cleanup(func() {
		if err := s.end(); err != nil {
			t.Error(err)
		}
	})
	if err := s.setting("/proc/sys/vm/nr_hugepages", func(old int64) int64 { return old + pages }); errors.Is(err, os.ErrPermission) {
		t.Skipf("tried: %v", err)
	} else if err != nil {
		t.Fatal(err)
	}
	m, err := mapRegion(-1, int64(unit)*pages, unix.MAP_PRIVATE|unix.MAP_ANONYMOUS|unix.MAP_HUGETLB)
	if err != nil {
		t.Skipf("tried: the kernel found no room for %d huge pages: %v", pages, err)
	}
	if err := unmapRegion(m); err != nil {
		t.Fatal(err)
	}
	return int64(unit)
}

func TestHugePagesAreServed(t *testing.T) {
	const pages = 4
	unit := reserveHuge(t, pages)
	fail, calls := true, 0
	r := region(t, ServeOptions{Size: pages*unit - 5, HugePages: true, Handler: func(r *Request) error {
		calls++
		if int64(len(r.Page)) != unit || r.Faults != ServeMissing {
			t.Errorf("request %v of %d bytes", r.Faults, len(r.Page))
		}
		for _, at := range []int64{0, unit / 2, unit - 1} {
			r.Page[at] = byte(r.Offset/unit + 1)
		}
		switch {
		case r.Offset == unit:
			r.Zero()
		case r.Offset == 2*unit && fail:
			return io.ErrUnexpectedEOF
		}
		return nil
	}}, features.PopulateRead)
	b := make([]byte, 3)
	read := func(page int64) (string, error) {
		for i, at := range []int64{0, unit / 2, unit - 6} {
			if _, err := r.ReadAt(b[i:i+1], page*unit+at); err != nil {
				return "", err
			}
		}
		return string(b), nil
	}
	for page, want := range map[int64]string{0: "\x01\x01\x00", 1: "\x00\x00\x00", 3: "\x04\x04\x00"} {
		if got, err := read(page); got != want || err != nil {
			t.Errorf("page %d: %q, %v; want %q", page, got, err, want)
		}
	}
	if calls != 3 {
		t.Errorf("%d calls for three pages", calls)
	}
	for range 2 {
		if _, err := read(2); !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("refused page: %v", err)
		}
	}
	fail = false
	if err := r.Drop(2*unit, unit); err != nil { // MADV_DONTNEED of such pages: since 5.18
		t.Fatal(err)
	}
	if got, err := read(2); got != "\x03\x03\x00" || err != nil {
		t.Errorf("after a drop: %q, %v", got, err)
	}
	if err := r.Drop(int64(pageBytes), int64(pageBytes)); !errors.Is(err, os.ErrInvalid) {
		t.Errorf("drop of a part: %v", err)
	}
}

func TestWritesToProtectedHugePagesAreFaults(t *testing.T) {
	unit := reserveHuge(t, 2)
	written := 0
	r := region(t, ServeOptions{Size: unit, HugePages: true, Faults: ServeMissing | ServeWriteProtect, Handler: func(r *Request) error {
		if r.Faults == ServeWriteProtect {
			written++
			return nil
		}
		r.Protect()
		r.Page[unit-1] = 7
		return nil
	}}, features.UserfaultProtect)
	b := []byte{0}
	if _, err := r.ReadAt(b, unit-1); b[0] != 7 || written != 0 || err != nil {
		t.Fatal(b, written, err)
	}
	for range 2 {
		if _, err := r.WriteAt([]byte{9}, 4096); written != 1 || err != nil {
			t.Errorf("%d faults, %v", written, err)
		}
	}
}

func TestHugePagesOfARemoteHandler(t *testing.T) {
	unit := reserveHuge(t, 2)
	r := remoteRegion(t, ServeOptions{Size: 2 * unit, HugePages: true}, "error", features.Userfault)
	m, err := r.Memory()
	if err != nil {
		t.Fatal(err)
	}
	if got, want := uint64(m[unit]), uint64(unit)/uint64(pageBytes)+1; got != want&0xff {
		t.Errorf("page 1 begins with %d; want %d", got, want&0xff)
	}
	if _, err := readNumber(r, 0); err == nil || !errors.As(err, new(*ServeError)) {
		t.Errorf("refused page: %v", err)
	}
}

func TestHugePagesThatAreNotThere(t *testing.T) {
	if _, err := Serve(ServeOptions{Size: 1, HugePages: true, Faults: ServeMinor, Handler: number}); !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("minor faults: %v", err)
	}
	unit, err := hugetlbLength()
	if err != nil {
		t.Skipf("tried: %v", err)
	}
	r, err := Serve(ServeOptions{Size: int64(unit) << 20, HugePages: true, Handler: number})
	if err == nil {
		r.Close()
	}
	if !errors.Is(err, unix.ENOMEM) && !errors.Is(err, errors.ErrUnsupported) && !errors.Is(err, os.ErrPermission) {
		t.Errorf("a million huge pages: %v; want ENOMEM", err)
	}
}
