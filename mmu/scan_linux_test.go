package mmu

import (
	"errors"
	"fmt"
	"slices"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/ring3-go/ring3/internal/features"
	"github.com/ring3-go/ring3/internal/features/featuretest"
)

// scanned collects.
func scanned(t *testing.T, pid int, o ScanOptions) (regions []Region) {
	t.Helper()
	for r, err := range Scan(pid, o) {
		if err != nil {
			t.Fatalf("%+v: %v", o, err)
		}
		regions = append(regions, r)
	}
	return regions
}

// scanField makes a range of pages of all kinds, of which the child of a fork has a copy that nobody changes.
func scanField(t *testing.T) []byte {
	t.Helper()
	b := pages(t, 400)
	unix.Madvise(b, unix.MADV_NOHUGEPAGE)
	for i := range 200 {
		if i%7 < 3 {
			b[i*pageSize] = 1
		}
	}
	if err := munmap(address(b)+uintptr(300*pageSize), uintptr(10*pageSize)); err != nil {
		t.Fatal(err)
	}
	f := memfd(t, int64(20*pageSize))
	_, _, errno := unix.Syscall6(unix.SYS_MMAP, address(b)+uintptr(250*pageSize), uintptr(20*pageSize), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED|unix.MAP_FIXED, f.Fd(), 0)
	if errno != 0 {
		t.Fatal(errno)
	}
	for i := 252; i < 258; i++ {
		b[i*pageSize] = 1
	}
	for i := 320; i < 330; i++ {
		sink = b[i*pageSize] // the page of zeros
	}
	return b
}

// TestFallbackFindsTheSame compares PAGEMAP_SCAN with the pagemap, over a process that stands still.
func TestFallbackFindsTheSame(t *testing.T) {
	b := scanField(t)
	child := forkWaiting(t)
	where := ScanOptions{Start: address(b), End: address(b) + uintptr(len(b)), Return: CategoryPresent}
	if err := needScan(); err != nil {
		featuretest.Skip(t, features.PagemapScan, err)
	}
	// Guard regions are compared by themselves, for a kernel that knows them.
	const all = fromPagemap &^ CategoryGuard
	combinations := 0
	for _, wide := range []bool{false, true} {
		for _, one := range []Category{0, CategoryPresent, CategoryFile, CategorySoftDirty, CategorySwapped, CategoryPresent | CategoryFile} {
			for _, not := range []Category{0, CategoryFile, CategoryPresent, CategorySoftDirty} {
				for _, limit := range []int{0, 1, 5, 100} {
					o := ScanOptions{All: one, Not: not, Return: all, Pages: limit}
					if !wide {
						o.Start, o.End = where.Start+uintptr(pageSize), where.End-uintptr(pageSize)
					}
					if one&not != 0 {
						continue
					}
					if one == CategoryPresent|CategoryFile {
						o.All, o.AnyOf = 0, one
					}
					kernel, fallback := scannedTwice(t, child, o)
					if !slices.Equal(kernel, fallback) {
						t.Errorf("%+v:\nkernel   %s\nfallback %s", o, show(kernel), show(fallback))
					}
					combinations++
				}
			}
		}
	}
	t.Logf("%d scans compared", combinations)
}

// scannedTwice scans both ways. The process stands still, but reclaim may take pages of its program from it meanwhile: the
// kernel's way comes before and after, and the two have to agree.
func scannedTwice(t *testing.T, pid int, o ScanOptions) (kernel, fallback []Region) {
	t.Helper()
	for range 10 {
		o.Fallback = false
		kernel = scanned(t, pid, o)
		o.Fallback = true
		fallback = scanned(t, pid, o)
		o.Fallback = false
		if slices.Equal(kernel, scanned(t, pid, o)) {
			break
		}
	}
	return kernel, fallback
}

func show(regions []Region) (s string) {
	for _, r := range regions[:min(len(regions), 20)] {
		s += fmt.Sprintf("%x-%x %v; ", r.Start, r.End, r.Categories)
	}
	return s
}

// needScan tries PAGEMAP_SCAN.
func needScan() error {
	m, err := OpenPagemap(0)
	if err != nil {
		return err
	}
	defer m.Close()
	s := scan{m: m, o: ScanOptions{Return: CategoryPresent}, end: uintptr(pageSize), yield: func(Region, error) bool { return true }, left: 1}
	return s.byKernel()
}

// TestScanFindsWhatWasTouched knows what stands where.
func TestScanFindsWhatWasTouched(t *testing.T) {
	b := scanField(t)
	for _, fallback := range []bool{false, true} {
		o := ScanOptions{Start: address(b), End: address(b) + uintptr(len(b)), All: CategoryPresent, Return: CategoryPresent | CategoryFile, Fallback: fallback}
		var want []Region
		add := func(from, to int, c Category) {
			want = append(want, Region{address(b) + uintptr(from*pageSize), address(b) + uintptr(to*pageSize), c})
		}
		for i := 0; i < 200; i += 7 {
			add(i, min(i+3, 200), CategoryPresent)
		}
		add(252, 258, CategoryPresent|CategoryFile)
		add(320, 330, CategoryPresent)
		if got := scanned(t, 0, o); !slices.Equal(got, want) {
			t.Errorf("fallback %v: %s\nwant %s", fallback, show(got), show(want))
		}
		n := 0
		for range Scan(0, o) {
			if n++; n == 2 {
				break
			}
		}
	}
	for _, r := range scanned(t, 0, ScanOptions{Start: address(b), End: address(b) + uintptr(len(b)), Not: CategoryPresent, Return: CategoryPresent, Fallback: true}) {
		if gap := address(b) + uintptr(300*pageSize); r.Start < gap+uintptr(10*pageSize) && r.End > gap {
			t.Errorf("%x-%x is not mapped", r.Start, r.End)
		}
	}
}

// TestScanOfAProcessThatEnds kills it at the first of more regions than the kernel gives at a time.
func TestScanOfAProcessThatEnds(t *testing.T) {
	b := pages(t, 4000)
	unix.Madvise(b, unix.MADV_NOHUGEPAGE)
	for i := 0; i < 4000; i += 2 {
		b[i*pageSize] = 1
	}
	for _, fallback := range []bool{false, true} {
		child := forkWaiting(t)
		o := ScanOptions{Start: address(b), All: CategoryPresent, Return: CategoryPresent, Fallback: fallback}
		found, last := 0, error(nil)
		for _, err := range Scan(child, o) {
			if found == 0 {
				unix.Kill(child, unix.SIGKILL)
				unix.Wait4(child, nil, 0, nil)
			}
			if last = err; err == nil {
				found++
			}
		}
		if found == 0 || !errors.Is(last, ErrEnded) {
			t.Errorf("%d regions, %v; want some and ErrEnded", found, last)
		}
	}
}

// TestScanUpToAnyEnd asks beyond what there can be.
func TestScanUpToAnyEnd(t *testing.T) {
	m, err := OpenPagemap(0)
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	field := scanField(t)
	for _, fallback := range []bool{false, true} {
		for _, end := range []uintptr{0, 1 << 62, 1<<62 + 5, 1<<63 + 1, ^uintptr(0)} {
			o := ScanOptions{Start: address(field), End: end, All: CategoryPresent, Return: CategoryPresent, Pages: 1, Fallback: fallback}
			if r := scanned(t, 0, o); len(r) != 1 || r[0].Start < address(field) {
				t.Errorf("up to %#x: %v", end, r)
			}
			o.Start = ^uintptr(0) - 5
			if o.End != 0 && o.End < o.Start {
				continue
			}
			if r := scanned(t, 0, o); len(r) != 0 {
				t.Errorf("from %#x to %#x: %v", o.Start, o.End, r)
			}
		}
	}
}

func TestScansThatMakeNoSense(t *testing.T) {
	for _, o := range []ScanOptions{
		{}, {Return: 1 << 20}, {Return: CategoryPresent, Start: 2, End: 1}, {Return: CategoryPresent, Pages: -1},
		{Return: CategoryPresent, All: CategoryFile, Not: CategoryFile},
	} {
		for _, err := range Scan(0, o) {
			if err == nil {
				t.Errorf("%+v: no error", o)
			}
		}
	}
	for _, err := range Scan(0, ScanOptions{Return: CategoryHuge, Fallback: true}) {
		if !errors.Is(err, errors.ErrUnsupported) {
			t.Errorf("huge pages by the pagemap: %v", err)
		}
	}
}

func TestGuardRegionsAreFound(t *testing.T) {
	m, err := NewAnonymous(8*pageSize, MapOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	if err := m.Advise(int64(2*pageSize), 3*pageSize, AdviseGuard); err != nil {
		featuretest.Skip(t, features.GuardInstall, err)
	}
	p, err := Translate(0, m.Addr()+uintptr(2*pageSize))
	if err != nil {
		t.Fatal(err)
	}
	if !p.Guard {
		t.Skip("tried the pagemap: this kernel does not tell of guard regions")
	}
	for _, fallback := range []bool{false, true} {
		got := scanned(t, 0, ScanOptions{Start: m.Addr(), End: m.Addr() + uintptr(m.Len()), All: CategoryGuard, Return: CategoryGuard, Fallback: fallback})
		want := Region{m.Addr() + uintptr(2*pageSize), m.Addr() + uintptr(5*pageSize), CategoryGuard}
		if len(got) != 1 || got[0] != want {
			t.Errorf("fallback %v: %s", fallback, show(got))
		}
	}
}
