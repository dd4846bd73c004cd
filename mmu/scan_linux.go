package mmu

import (
	"errors"
	"fmt"
	"iter"
	"math"
	"slices"
	"strings"
)

// A Category is what a page can be; several at a time.
type Category uint64

// The categories, from include/uapi/linux/fs.h (PAGE_IS_…).
const (
	// CategoryWriteTracked is of mappings that userfaultfd watches for stores.
	CategoryWriteTracked Category = 1 << iota
	// CategoryWritten is not protected by userfaultfd, which it was where nobody has written to it since. The kernel
	// counts pages that are not there too, where there is a page table for them.
	CategoryWritten
	CategoryFile    // see [Page.File]
	CategoryPresent // see [Page.Present]
	CategorySwapped // see [Page.Swapped]
	// CategoryZero is the page of zeros that all share, and CategoryHuge is mapped by an entry above the last
	// level.
	CategoryZero
	CategoryHuge
	CategorySoftDirty // see [Page.SoftDirty]
	CategoryGuard     // see [Page.Guard]
)

var categoryNames = []string{"write-tracked", "written", "file", "present", "swapped", "zero", "huge", "soft-dirty", "guard"}

// String is the names, with "|" between.
func (c Category) String() string {
	var names []string
	for i, name := range categoryNames {
		if c&(1<<i) != 0 {
			names = append(names, name)
			c &^= 1 << i
		}
	}
	if c != 0 {
		names = append(names, fmt.Sprintf("%#x", uint64(c)))
	}
	return strings.Join(names, "|")
}

// ScanOptions say what to look for. The zero value asks for nothing; there has to be a Return.
type ScanOptions struct {
	// Start and End are the range, rounded outwards to pages; End 0 is the end of the address space.
	Start, End uintptr
	// A page is found when it has All of these and, where AnyOf is not 0, one of those; Not are those that
	// it must not have.
	All, AnyOf, Not Category
	// Return are the categories to tell of.
	Return Category
	// Pages is how many pages to find at most; 0 for all.
	Pages int
	// Fallback reads the pagemap even where the kernel has PAGEMAP_SCAN.
	Fallback bool
}

// A Region is a run of pages of the same categories.
type Region struct {
	Start, End uintptr
	Categories Category // those of [ScanOptions.Return]
}

// Size is in bytes.
func (r Region) Size() uint64 { return uint64(r.End - r.Start) }

// fromPagemap are the categories that a pagemap tells of, too.
const fromPagemap = CategoryFile | CategoryPresent | CategorySwapped | CategorySoftDirty | CategoryGuard

// Scan finds pages of a process; see [Pagemap.Scan].
func Scan(pid int, o ScanOptions) iter.Seq2[Region, error] {
	return func(yield func(Region, error) bool) {
		m, err := OpenPagemap(pid)
		if err != nil {
			yield(Region{}, err)
			return
		}
		defer m.Close()
		m.Scan(o)(yield)
	}
}

// Scan yields, in the order of addresses, the regions of pages that o asks for. Pages that no mapping covers are in
// none. An error is the last that it yields; what came before holds.
//
// It uses PAGEMAP_SCAN (Linux 6.7), which skips what is empty without looking at each page. On older kernels it
// reads the pagemap, page by page over all mappings, and finds the same; but that does not tell of
// [CategoryWriteTracked], [CategoryWritten], [CategoryZero] and [CategoryHuge], so that a scan which names one of them
// ends with an error that matches [errors.ErrUnsupported]. [CategoryGuard] is Linux 6.15.
func (m *Pagemap) Scan(o ScanOptions) iter.Seq2[Region, error] {
	return func(yield func(Region, error) bool) {
		if err := o.check(); err != nil {
			yield(Region{}, err)
			return
		}
		s := scan{m: m, o: o, yield: yield, left: o.Pages}
		if s.left == 0 {
			s.left = math.MaxInt
		}
		s.start = o.Start - o.Start%m.page
		s.end = o.End
		if over := s.end % m.page; over != 0 && s.end < -m.page {
			s.end += m.page - over
		}
		if s.end == 0 {
			s.end = userEnd(m.page)
		}
		err := errNoScan
		if !o.Fallback {
			err = s.byKernel()
		}
		if errors.Is(err, errNoScan) {
			err = s.byPagemap()
		}
		s.finish(err)
	}
}

func (o *ScanOptions) check() error {
	const known = CategoryGuard<<1 - 1
	switch {
	case o.Return == 0:
		return errors.New("scan: no categories to return")
	case (o.All|o.AnyOf|o.Not|o.Return)&^known != 0:
		return fmt.Errorf("scan: unknown category in %v", o.All|o.AnyOf|o.Not|o.Return)
	case (o.All|o.AnyOf)&o.Not != 0:
		return fmt.Errorf("scan for what is %v and is not", (o.All|o.AnyOf)&o.Not)
	case o.End != 0 && o.End < o.Start, o.Pages < 0:
		return fmt.Errorf("scan: from %#x to %#x, %d pages", o.Start, o.End, o.Pages)
	}
	return nil
}

// userEnd is beyond all that user space can map, and no more than the kernel accepts as an end: it takes what
// access_ok does, half of all addresses without the last page.
func userEnd(page uintptr) uintptr {
	g, err := HostGeometry()
	if err != nil {
		return 1<<47 - page
	}
	if g.Arch == "amd64" {
		return 1<<(g.Bits-1) - page
	}
	return 1 << g.Bits
}

// finds reports whether a page of these categories is asked for.
func (o *ScanOptions) finds(c Category) bool {
	return c&o.All == o.All && c&o.Not == 0 && (o.AnyOf == 0 || c&o.AnyOf != 0)
}

// A scan is one under way. It joins what comes in parts.
type scan struct {
	m          *Pagemap
	o          ScanOptions
	start, end uintptr
	yield      func(Region, error) bool

	last    Region
	left    int // pages still to be found
	stopped bool
}

// add takes a region, and returns false when no more is wanted.
func (s *scan) add(r Region) bool {
	if pages := int(r.Size() / uint64(s.m.page)); pages >= s.left {
		r.End = r.Start + uintptr(s.left)*s.m.page
		s.left = 0
	} else {
		s.left -= pages
	}
	if s.last.End == r.Start && s.last.Categories == r.Categories && s.last.End != s.last.Start {
		s.last.End = r.End
		return s.left > 0
	}
	if s.last.End != s.last.Start && !s.yield(s.last, nil) {
		s.stopped = true
		return false
	}
	s.last = r
	return s.left > 0
}

func (s *scan) finish(err error) {
	if s.stopped || s.last.End != s.last.Start && !s.yield(s.last, nil) {
		return
	}
	if err != nil {
		s.yield(Region{}, err)
	}
}

// byPagemap looks at each page of each mapping.
func (s *scan) byPagemap() error {
	if rest := s.categories() &^ fromPagemap; rest != 0 {
		return fmt.Errorf("scan for %v: needs PAGEMAP_SCAN, which came with Linux 6.7: %w", rest, errors.ErrUnsupported)
	}
	read := Layout
	if s.o.finds(0) {
		read = Maps // to leave out, as PAGEMAP_SCAN does, what has frames that are not memory
	}
	vmas, err := read(s.m.pid)
	if err != nil && !errors.Is(err, ErrChanged) {
		return err
	}
	for i := range vmas {
		v := &vmas[i]
		if v.Detail != nil && slices.Contains(v.Detail.Flags, "pf") {
			continue
		}
		start, end := max(v.Start, s.start), min(v.End, s.end)
		if start >= end {
			continue
		}
		known := ^Category(0)
		switch v.Kind() {
		case KindAnonymous, KindHeap, KindStack:
			known &^= CategoryFile // kernels say it of a huge page of zeros
		}
		if more, pageErr := s.pages(start, end, known); pageErr != nil || !more {
			return pageErr
		}
	}
	return err
}

// pages adds those from start to end; categories that are not in known are not believed.
func (s *scan) pages(start, end uintptr, known Category) (more bool, err error) {
	var entries [4096]uint64
	for at := start; at < end; {
		part := entries[:min(uintptr(len(entries)), (end-at)/s.m.page)]
		n, err := s.m.entries(at, part)
		if err != nil {
			return false, err
		}
		for i := 0; i < n; {
			c := categories(part[i]) & known
			run := i + 1
			for run < n && categories(part[run])&known == c {
				run++
			}
			from, to := at+uintptr(i)*s.m.page, at+uintptr(run)*s.m.page
			if s.o.finds(c) && !s.add(Region{from, to, c & s.o.Return}) {
				return false, nil
			}
			i = run
		}
		if n < len(part) {
			return true, nil
		}
		at += uintptr(n) * s.m.page
	}
	return true, nil
}

// categories of a pagemap entry.
func categories(entry uint64) (c Category) {
	for _, bit := range []struct {
		in  uint64
		out Category
	}{{pmPresent, CategoryPresent}, {pmSwap, CategorySwapped}, {pmFile, CategoryFile}, {pmSoftDirty, CategorySoftDirty}, {pmGuard, CategoryGuard}} {
		if entry&bit.in != 0 {
			c |= bit.out
		}
	}
	return c
}
