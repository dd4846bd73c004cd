package mmu

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

// A Page is what the page tables say of one page of a process.
type Page struct {
	// Addr is where the page begins.
	Addr uintptr
	// Present says that a frame is mapped. Swapped says that the contents are elsewhere: in swap space, or on
	// the way to another frame. Neither means that nothing is there: never touched, or in a file only.
	Present, Swapped bool
	// File says that the page is a file's, or shared anonymous memory; not so where somebody wrote to a private
	// mapping of a file. Some kernels (6.12) say it of a huge page of zeros too.
	File bool
	// Exclusive says that nobody else maps the frame (Linux 4.2).
	Exclusive bool
	// SoftDirty says that the page was written to since [ClearSoftDirty], or always where that never was. Only
	// on kernels with CONFIG_MEM_SOFT_DIRTY, which arm64 does not have.
	SoftDirty bool
	// WriteProtected says that userfaultfd protects the page (Linux 5.14).
	WriteProtected bool
	// Guard says that the page is part of a guard region (Linux 6.15).
	Guard bool
	// Frame is the number of the physical frame where the page is Present.
	Frame Frame
	// Swap is where in swap space the page is where it is Swapped.
	Swap Swap
}

// A Frame is the number of a physical page. Without CAP_SYS_ADMIN in the first user namespace the kernel hides
// it (Linux 4.0), so it may be unknown; it is never taken for 0.
type Frame struct{ number uint64 }

// Number returns the number, and whether it is known.
func (f Frame) Number() (n uint64, known bool) { return f.number, f.number != 0 }

// String is the number in hexadecimal, or "hidden".
func (f Frame) String() string {
	if f.number == 0 {
		return "hidden"
	}
	return "0x" + strconv.FormatUint(f.number, 16)
}

// A Swap is a place in swap space. Without CAP_SYS_ADMIN the kernel hides it as it does a [Frame].
type Swap struct{ entry uint64 }

// Place returns the number of the swap area, the page in it, and whether they are known. Numbers above those
// of areas are the kernel's own: of pages on the move, damaged, on a device.
func (s Swap) Place() (area int, offset uint64, known bool) {
	return int(s.entry & 31), s.entry >> 5, s.entry != 0
}

// String is "area:offset", or "hidden".
func (s Swap) String() string {
	area, offset, known := s.Place()
	if !known {
		return "hidden"
	}
	return fmt.Sprintf("%d:%#x", area, offset)
}

// Bits of a pagemap entry, from Documentation/admin-guide/mm/pagemap.rst.
const (
	pmSoftDirty = 1 << 55
	pmExclusive = 1 << 56
	pmProtected = 1 << 57
	pmGuard     = 1 << 58
	pmFile      = 1 << 61
	pmSwap      = 1 << 62
	pmPresent   = 1 << 63
	pmFrame     = 1<<55 - 1
)

func decodePage(addr uintptr, entry uint64) Page {
	p := Page{
		Addr:           addr,
		Present:        entry&pmPresent != 0,
		Swapped:        entry&pmSwap != 0,
		File:           entry&pmFile != 0,
		Exclusive:      entry&pmExclusive != 0,
		SoftDirty:      entry&pmSoftDirty != 0,
		WriteProtected: entry&pmProtected != 0,
		Guard:          entry&pmGuard != 0,
	}
	switch {
	case p.Present:
		p.Frame = Frame{entry & pmFrame}
	case p.Guard:
		p.Swapped = false // a mark of the kernel's in the place of a page
	case p.Swapped:
		p.Swap = Swap{entry & pmFrame}
	}
	return p
}

// A Pagemap reads the page tables of one process. It stays with that process: where the process has ended, or
// executed another program, it returns [ErrEnded]. Safe for concurrent use.
type Pagemap struct {
	f    *os.File
	page uintptr
	pid  int
}

// OpenPagemap opens the page tables of a process; pid 0 is the caller. Privilege and errors are those of
// [Maps]; where frames are hidden that is decided here. Close it when done.
func OpenPagemap(pid int) (*Pagemap, error) {
	f, err := os.Open(procFile(pid, "pagemap"))
	if err != nil {
		return nil, err
	}
	return &Pagemap{f: f, page: uintptr(os.Getpagesize()), pid: pid}, nil
}

// Close closes the descriptor; twice does no harm.
func (m *Pagemap) Close() error {
	if err := m.f.Close(); err != nil && !errors.Is(err, os.ErrClosed) {
		return err
	}
	return nil
}

// Translate returns the page that addr lies in. An address that no mapping covers, or that is none of user space,
// gives a Page that is neither Present nor Swapped.
func (m *Pagemap) Translate(addr uintptr) (Page, error) {
	var one [1]Page
	_, err := m.Pages(addr, one[:])
	return one[0], err
}

// Pages fills pages with what stands from addr on, one page after the other, and returns how many there are:
// fewer at the end of the address space. With an error it returns those before it.
func (m *Pagemap) Pages(addr uintptr, pages []Page) (int, error) {
	var entries [512]uint64
	addr -= addr % m.page
	for done := 0; done < len(pages); {
		part := entries[:min(len(entries), len(pages)-done)]
		at := addr + uintptr(done)*m.page
		n, err := m.entries(at, part)
		for i, entry := range part[:n] {
			pages[done+i] = decodePage(at+uintptr(i)*m.page, entry)
		}
		done += n
		if err != nil || n < len(part) {
			if done == 0 && err == nil && len(pages) > 0 {
				pages[0] = Page{Addr: addr} // not an address of user space
			}
			return done, err
		}
	}
	return len(pages), nil
}

// entries reads raw ones, fewer at the end of the address space.
func (m *Pagemap) entries(addr uintptr, entries []uint64) (int, error) {
	buf := make([]byte, 8*len(entries))
	n, err := m.f.ReadAt(buf, int64(addr/m.page*8))
	if err != nil && err != io.EOF {
		return 0, m.wrap(err)
	}
	for i := range n / 8 {
		entries[i] = binary.NativeEndian.Uint64(buf[8*i:])
	}
	if n == 0 && len(entries) > 0 {
		if k, _ := m.f.ReadAt(buf[:8], 0); k == 0 { // the first page is always there
			return 0, m.wrap(ErrEnded)
		}
	}
	return n / 8, nil
}

func (m *Pagemap) wrap(err error) error {
	if errors.Is(err, unix.ESRCH) {
		err = fmt.Errorf("%w: %w", ErrEnded, err)
	}
	return fmt.Errorf("%s: %w", procFile(m.pid, "pagemap"), err)
}

// Translate returns the page of a process that addr lies in; see [Pagemap.Translate].
func Translate(pid int, addr uintptr) (Page, error) {
	m, err := OpenPagemap(pid)
	if err != nil {
		return Page{}, err
	}
	defer m.Close()
	return m.Translate(addr)
}
