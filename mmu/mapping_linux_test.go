package mmu

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/ring3-go/ring3/internal/features"
	"github.com/ring3-go/ring3/internal/features/featuretest"
)

// keep closes a mapping when the test ends.
func keep(t testing.TB, m *Mapping, err error) *Mapping {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := m.Close(); err != nil && !errors.Is(err, ErrClosed) {
			t.Error(err)
		}
	})
	return m
}

func anonymous(t testing.TB, n int, o MapOptions) *Mapping {
	t.Helper()
	m, err := NewAnonymous(n, o)
	return keep(t, m, err)
}

// vmaOf is what the kernel says of the mapping.
func vmaOf(t testing.TB, m *Mapping) VMA {
	t.Helper()
	vmas, err := Maps(0)
	v := Find(vmas, m.Addr())
	if v == nil {
		t.Fatalf("nothing at %#x: %v", m.Addr(), err)
	}
	return *v
}

// TestOffsetsNeedNotBePages maps parts of a file that begin and end anywhere, and compares with the file.
func TestOffsetsNeedNotBePages(t *testing.T) {
	content := make([]byte, 3*pageSize+77)
	noise(content)
	path := filepath.Join(t.TempDir(), "f")
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for _, offset := range []int{0, 1, 100, pageSize - 1, pageSize, pageSize + 1, 2*pageSize + 500} {
		length := len(content) - offset
		m, err := MapFile(f, int64(offset), length, MapOptions{Perms: Readable | Writable | Shared})
		keep(t, m, err)
		got, err := io.ReadAll(io.NewSectionReader(m, 0, int64(m.Len())))
		if err != nil || !bytes.Equal(got, content[offset:]) {
			t.Fatalf("from %d: %d bytes, %v", offset, len(got), err)
		}
		if _, err := m.WriteAt([]byte("x"), int64(length-1)); err != nil {
			t.Fatal(err)
		}
		if err := m.Sync(int64(length-1), 1); err != nil {
			t.Fatal(err)
		}
		content[len(content)-1] = 'x'
		if onDisk, err := os.ReadFile(path); err != nil || !bytes.Equal(onDisk, content) {
			t.Fatalf("from %d: the file differs, %v", offset, err)
		}
		if err := m.View(func(b []byte) error {
			if !bytes.Equal(b, content[offset:]) {
				t.Errorf("from %d: the view differs", offset)
			}
			return nil
		}); err != nil {
			t.Error(err)
		}
	}
	m, err := MapFile(f, 5, 10, MapOptions{}) // private
	keep(t, m, err)
	m.WriteAt([]byte("0123456789"), 0)
	if onDisk, _ := os.ReadFile(path); !bytes.Equal(onDisk, content) {
		t.Error("a private mapping changed the file")
	}
}

func TestReadAtIsAReaderAt(t *testing.T) {
	m := anonymous(t, 100, MapOptions{})
	p := make([]byte, 60)
	for _, c := range []struct {
		off  int64
		n    int
		want error
	}{{0, 60, nil}, {40, 60, nil}, {41, 59, io.EOF}, {100, 0, io.EOF}, {101, 0, io.EOF}, {-1, 0, os.ErrInvalid}} {
		if n, err := m.ReadAt(p, c.off); n != c.n || !errors.Is(err, c.want) {
			t.Errorf("ReadAt %d: %d, %v; want %d, %v", c.off, n, err, c.n, c.want)
		}
		want := c.want
		if want == io.EOF {
			want = io.ErrShortWrite
		}
		if n, err := m.WriteAt(p, c.off); n != c.n || !errors.Is(err, want) {
			t.Errorf("WriteAt %d: %d, %v; want %d, %v", c.off, n, err, c.n, want)
		}
	}
}

// TestTruncatedFileIsAnError reads a mapping of a file that has become shorter.
func TestTruncatedFileIsAnError(t *testing.T) {
	f := memfd(t, int64(4*pageSize))
	m, err := MapFile(f, 10, 4*pageSize-10, MapOptions{Perms: Readable | Shared})
	keep(t, m, err)
	if err := f.Truncate(int64(pageSize)); err != nil {
		t.Fatal(err)
	}
	n, err := m.ReadAt(make([]byte, 3*pageSize), 0)
	var fault *Fault
	if n != pageSize-10 || !errors.As(err, &fault) || fault.Signal != unix.SIGBUS || fault.Code != CodeBeyondFile {
		t.Errorf("%d, %v; want %d and SIGBUS", n, err, pageSize-10)
	}
	if _, err := m.WriteAt([]byte{1}, 0); !errors.Is(err, ErrFault) {
		t.Errorf("write to a read-only mapping: %v", err)
	}
}

func TestClosedMappingSaysSo(t *testing.T) {
	m, err := NewMemfd("closed", pageSize, MapOptions{})
	if err != nil {
		t.Fatal(err)
	}
	addr := m.Addr()
	if err := m.Close(); err != nil {
		t.Fatal(err)
	}
	_, readErr := m.ReadAt(make([]byte, 1), 0)
	_, writeErr := m.WriteAt(make([]byte, 1), 0)
	for i, err := range []error{
		readErr, writeErr, m.Close(), m.Protect(0, 1, 0), m.Advise(0, 1, AdviseDontNeed), m.Populate(0, 1, true), m.Lock(0, 1),
		m.Unlock(0, 1), m.Sync(0, 1), m.Seal(), m.SealFile(unix.F_SEAL_GROW), m.Remap(1), m.View(func([]byte) error { return nil }),
	} {
		if !errors.Is(err, ErrClosed) || !errors.Is(err, os.ErrClosed) {
			t.Errorf("%d: %v", i, err)
		}
	}
	if m.Addr() != 0 {
		t.Errorf("address %#x", m.Addr())
	}
	if _, err := m.File().Stat(); !errors.Is(err, os.ErrClosed) {
		t.Errorf("the memfd: %v", err)
	}
	if vmas, _ := Layout(0); Find(vmas, addr) != nil && Find(vmas, addr).Path == "/memfd:closed (deleted)" {
		t.Error("still mapped")
	}
}

// TestCloseAndRemapUnderReaders moves and closes mappings while others read and write.
func TestCloseAndRemapUnderReaders(t *testing.T) {
	for end := time.Now().Add(soak(t)); time.Now().Before(end); {
		m, err := NewAnonymous(8*pageSize, MapOptions{})
		if err != nil {
			t.Fatal(err)
		}
		var work sync.WaitGroup
		started := make(chan struct{}, 2)
		for range 2 {
			work.Go(func() {
				p := make([]byte, 4*pageSize)
				for i := 0; ; i++ {
					_, err := m.ReadAt(p, 100)
					_, err2 := m.WriteAt(p[:100], 0)
					if i == 0 {
						started <- struct{}{}
					}
					if errors.Is(err, ErrClosed) || errors.Is(err2, ErrClosed) {
						return
					}
					if err = errors.Join(err, err2); err != nil && err != io.EOF && !errors.Is(err, io.EOF) {
						t.Error(err)
						return
					}
				}
			})
		}
		<-started
		<-started
		for _, n := range []int{16, 2, 300, 8} {
			if err := m.Remap(n * pageSize); err != nil {
				t.Error(err)
			}
		}
		if err := m.Close(); err != nil {
			t.Error(err)
		}
		work.Wait()
	}
}

func TestRemapKeepsContents(t *testing.T) {
	f := memfd(t, int64(10*pageSize))
	content := make([]byte, 10*pageSize)
	noise(content)
	f.WriteAt(content, 0)
	m, err := MapFile(f, 7, pageSize, MapOptions{Perms: Readable | Shared})
	keep(t, m, err)
	for _, n := range []int{5 * pageSize, 9*pageSize + 1, 10, 3 * pageSize} {
		if err := m.Remap(n); err != nil {
			t.Fatal(err)
		}
		got := make([]byte, n)
		if _, err := m.ReadAt(got, 0); err != nil || m.Len() != n || !bytes.Equal(got, content[7:7+n]) {
			t.Fatalf("%d bytes: %v", n, err)
		}
	}
	if err := m.Remap(0); !errors.Is(err, os.ErrInvalid) {
		t.Errorf("to nothing: %v", err)
	}
}

// TestPagesDoAsTold looks in smaps for each option and call.
func TestPagesDoAsTold(t *testing.T) {
	m := anonymous(t, 16*pageSize, MapOptions{Populate: true})
	if v := vmaOf(t, m); v.Detail.Rss < uint64(16*pageSize) {
		t.Errorf("populated: %+v", v.Detail)
	}
	resident := func(m *Mapping) (n int) {
		t.Helper()
		pm, err := OpenPagemap(0)
		if err != nil {
			t.Fatal(err)
		}
		defer pm.Close()
		ps := make([]Page, (m.Len()+pageSize-1)/pageSize)
		if _, err := pm.Pages(m.Addr(), ps); err != nil {
			t.Fatal(err)
		}
		for _, p := range ps {
			if p.Present {
				n++
			}
		}
		return n
	}
	// Of the pages that this touches, the first and the last lie only in part inside.
	if err := m.Advise(100, 4*pageSize, AdviseDontNeed); err != nil || resident(m) != 13 {
		t.Errorf("%d resident, %v; want 13", resident(m), err)
	}
	if err := m.Populate(int64(pageSize)+5, 1, true); err != nil || resident(m) != 14 {
		t.Errorf("%d resident, %v; want 14", resident(m), err)
	}
	if err := m.Advise(0, m.Len(), AdviseDontNeed); err != nil || resident(m) != 0 {
		t.Errorf("%d resident, %v; want 0", resident(m), err)
	}
	if err := m.Advise(0, 1, 12345); !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("advice that there is none: %v", err)
	}
	if err := m.Protect(5, 1, 0); err != nil {
		t.Error(err)
	}
	if n, err := m.ReadAt(make([]byte, 10), 0); n != 0 || !errors.Is(err, ErrFault) {
		t.Errorf("protected: %d, %v", n, err)
	}
	for _, r := range [][2]int{{-1, 1}, {0, -1}, {0, m.Len() + 1}, {m.Len() + 1, 0}, {1, m.Len()}} {
		if err := m.Protect(int64(r[0]), r[1], 0); !errors.Is(err, os.ErrInvalid) {
			t.Errorf("%d bytes from %d: %v", r[1], r[0], err)
		}
	}
	locked, err := NewAnonymous(2*pageSize, MapOptions{Lock: true})
	if errors.Is(err, unix.ENOMEM) || errors.Is(err, os.ErrPermission) {
		t.Logf("tried mlock: %v", err)
		return
	}
	keep(t, locked, err)
	if d := vmaOf(t, locked).Detail; d.Locked != uint64(2*pageSize) {
		t.Errorf("locked: %+v", d)
	}
	if err := locked.Unlock(0, locked.Len()); err != nil || vmaOf(t, locked).Detail.Locked != 0 {
		t.Errorf("unlocked: %+v, %v", vmaOf(t, locked).Detail, err)
	}
}

// TestDiscardStaysInside gives advice that destroys on a mapping whose first page holds bytes of somebody else.
func TestDiscardStaysInside(t *testing.T) {
	f := memfd(t, int64(3*pageSize))
	content := bytes.Repeat([]byte("x"), 3*pageSize)
	f.WriteAt(content, 0)
	m, err := MapFile(f, 10, 2*pageSize, MapOptions{Perms: Readable | Writable | Shared})
	keep(t, m, err)
	if err := m.Advise(0, m.Len(), AdviseRemove); err != nil {
		t.Fatal(err)
	}
	clear(content[pageSize : 2*pageSize])
	got := make([]byte, len(content))
	if f.ReadAt(got, 0); !bytes.Equal(got, content) {
		t.Error("more or less than the one whole page was removed")
	}
}

func TestHugePages(t *testing.T) {
	g, err := HostGeometry()
	if err != nil {
		t.Fatal(err)
	}
	for _, size := range g.HugeSizes() {
		m, err := NewAnonymous(int(size)-5, MapOptions{PageSize: size})
		if err != nil {
			t.Logf("tried huge pages of %d: %v", size, err)
			continue
		}
		keep(t, m, err)
		if err := m.Populate(0, 1, true); err != nil {
			t.Error(err)
		}
		v := vmaOf(t, m)
		if h := v.Huge(); h.Kind != "hugetlb" || h.PageSize != size || h.Bytes != size || v.Kind() != KindHugetlb || v.Size() != size {
			t.Errorf("%+v, %v", h, v)
		}
	}
	for _, size := range []uint64{3 << 20, 1, 1 << 50} {
		if m, err := NewAnonymous(100, MapOptions{PageSize: size}); err == nil {
			t.Errorf("pages of %d bytes", size)
			m.Close()
		}
	}
}

func TestSeals(t *testing.T) {
	m, err := NewMemfd("sealed", 2*pageSize, MapOptions{})
	keep(t, m, err)
	if err := m.SealFile(unix.F_SEAL_SHRINK); err != nil {
		t.Fatal(err)
	}
	if err := m.File().Truncate(0); !errors.Is(err, os.ErrPermission) {
		t.Errorf("truncate of a sealed file: %v", err)
	}
	if err := anonymous(t, 1, MapOptions{}).SealFile(unix.F_SEAL_SHRINK); !errors.Is(err, os.ErrInvalid) {
		t.Errorf("seal of no memfd: %v", err)
	}
	s, err := NewAnonymous(pageSize, MapOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Seal(); err != nil {
		s.Close()
		featuretest.Skip(t, features.Seal, err)
	}
	if err := s.Protect(0, pageSize, Readable); !errors.Is(err, os.ErrPermission) {
		t.Errorf("protect of a sealed mapping: %v", err)
	}
	if err := s.Close(); !errors.Is(err, os.ErrPermission) { // it stays: there is no way to undo this test
		t.Errorf("close of a sealed mapping: %v", err)
	}
	if _, err := s.ReadAt(make([]byte, 1), 0); !errors.Is(err, ErrClosed) {
		t.Errorf("read of a closed one: %v", err)
	}
}

func TestMappingsThatThereCannotBe(t *testing.T) {
	f := memfd(t, 100)
	_, errLength := NewAnonymous(0, MapOptions{})
	_, errOffset := MapFile(f, -1, 10, MapOptions{})
	_, errSize := MapFile(f, 0, 10, MapOptions{PageSize: 2 << 20})
	_, errMemfd := NewMemfd("x", -1, MapOptions{})
	for i, err := range []error{errLength, errOffset, errSize, errMemfd} {
		if !errors.Is(err, os.ErrInvalid) && !errors.Is(err, unix.EINVAL) {
			t.Errorf("%d: %v", i, err)
		}
	}
	if _, err := NewAnonymous(1<<62, MapOptions{}); !errors.Is(err, unix.ENOMEM) {
		t.Errorf("more than there is: %v", err)
	}
	f.Close()
	if _, err := MapFile(f, 0, 10, MapOptions{}); err == nil {
		t.Error("mapped a closed file")
	}
}

// TestWorkingSetIsWhatWasTouched has the test itself as the process: what it touches is at least counted.
func TestWorkingSetIsWhatWasTouched(t *testing.T) {
	const touched = 1000
	m := anonymous(t, 4*touched*pageSize, MapOptions{Populate: true})
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		defer cancel()
		for !t.Failed() { // until the marks are cleared, which takes the page table lock, and once more
			if d := vmaOf(t, m).Detail; d.Referenced < d.Rss/2 {
				break
			}
		}
		if _, err := (Guarded{}).Zero(m.Addr(), touched*pageSize); err != nil {
			t.Error(err)
		}
	}()
	w, err := MeasureWorkingSet(ctx, 0, time.Hour)
	if !errors.Is(err, context.Canceled) {
		t.Fatalf("%+v, %v", w, err)
	}
	t.Logf("%+v", w)
	if w.Referenced < touched*uint64(pageSize) || w.Referenced > w.Resident || w.Elapsed <= 0 {
		t.Errorf("%+v; %d bytes were touched", w, touched*pageSize)
	}
	if w.Referenced > w.Resident-uint64(2*touched*pageSize) {
		t.Errorf("%+v; %d bytes were not touched", w, 3*touched*pageSize)
	}
	if w.WrittenKnown && w.Written < touched*uint64(pageSize) {
		t.Errorf("%+v; %d bytes were written", w, touched*pageSize)
	}
}
