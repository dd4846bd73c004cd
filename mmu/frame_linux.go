package mmu

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
)

// FrameFlags are what the kernel says of a physical frame: a bit for each KPF_ constant of
// include/uapi/linux/kernel-page-flags.h and, from 32 on, include/linux/kernel-page-flags.h. Their meaning is
// in Documentation/admin-guide/mm/pagemap.rst.
type FrameFlags uint64

// Flags that programs ask for; [FrameFlags.Names] knows all.
const (
	FrameAnon       FrameFlags = 1 << 12
	FrameHead       FrameFlags = 1 << 15 // of a compound page
	FrameTail       FrameFlags = 1 << 16
	FrameHugetlb    FrameFlags = 1 << 17
	FrameHWPoison   FrameFlags = 1 << 19
	FrameNoPage     FrameFlags = 1 << 20 // no memory there
	FrameKSM        FrameFlags = 1 << 21
	FrameTHP        FrameFlags = 1 << 22
	FrameZeroPage   FrameFlags = 1 << 24 // the page of zeros that all share; huge with FrameTHP
	FramePageTables FrameFlags = 1 << 26
)

// frameNames are in the order of bits.
var frameNames = [64]string{
	"locked", "error", "referenced", "uptodate", "dirty", "lru", "active", "slab",
	"writeback", "reclaim", "buddy", "mmap", "anon", "swapcache", "swapbacked", "compound_head",
	"compound_tail", "huge", "unevictable", "hwpoison", "nopage", "ksm", "thp", "offline",
	"zero_page", "idle", "pgtable", 32: "reserved", "mlocked", "mappedtodisk", "private", "private_2",
	"owner_private", "arch", "uncached", "softdirty", "arch_2", "arch_3",
}

// Names returns the names of the flags that are set, in the order of bits and as the kernel's page-types tool
// spells them; bits without a name as "bit N".
func (f FrameFlags) Names() []string {
	names := []string{}
	for bit, name := range frameNames {
		if f&(1<<bit) == 0 {
			continue
		}
		if name == "" {
			name = fmt.Sprintf("bit %d", bit)
		}
		names = append(names, name)
	}
	return names
}

// String is the names, with "|" between.
func (f FrameFlags) String() string { return strings.Join(f.Names(), "|") }

// Frames reads what the kernel knows of physical frames: /proc/kpageflags and /proc/kpagecount, which only root
// may open. Safe for concurrent use.
type Frames struct{ flags, count *os.File }

// OpenFrames opens both files. The error matches [os.ErrPermission], or [errors.ErrUnsupported] for a kernel built
// without CONFIG_PROC_PAGE_MONITOR. Close it when done.
func OpenFrames() (*Frames, error) {
	flags, err := os.Open("/proc/kpageflags")
	if errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("%w: %w", err, errors.ErrUnsupported)
	}
	if err != nil {
		return nil, err
	}
	count, err := os.Open("/proc/kpagecount")
	if err != nil {
		flags.Close()
		return nil, err
	}
	return &Frames{flags, count}, nil
}

// Close closes both descriptors; twice does no harm.
func (f *Frames) Close() error {
	err := errors.Join(f.flags.Close(), f.count.Close())
	if errors.Is(err, os.ErrClosed) {
		return nil
	}
	return err
}

// ErrHidden says that a frame's number is not known.
var ErrHidden = errors.New("frame hidden: needs CAP_SYS_ADMIN")

// Flags returns those of a frame.
func (f *Frames) Flags(frame Frame) (FrameFlags, error) {
	v, err := readFrame(f.flags, frame)
	return FrameFlags(v), err
}

// MapCount returns how often a frame is mapped, by all processes together. For a part of a large page newer
// kernels (6.16) may return the average.
func (f *Frames) MapCount(frame Frame) (uint64, error) { return readFrame(f.count, frame) }

func readFrame(file *os.File, frame Frame) (uint64, error) {
	n, known := frame.Number()
	if !known {
		return 0, ErrHidden
	}
	var buf [8]byte
	switch _, err := file.ReadAt(buf[:], int64(n*8)); err {
	case nil:
		return binary.NativeEndian.Uint64(buf[:]), nil
	case io.EOF:
		return 0, fmt.Errorf("%s: no frame %v", file.Name(), frame)
	default:
		return 0, fmt.Errorf("frame %v: %w", frame, err)
	}
}
