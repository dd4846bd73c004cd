package mmu

import (
	"errors"

	"golang.org/x/sys/unix"

	"github.com/ring3-go/ring3/syscalls"
)

// errNoScan says that the kernel has no PAGEMAP_SCAN.
var errNoScan = errors.New("no PAGEMAP_SCAN")

// byKernel scans with PAGEMAP_SCAN, some regions at a time. Category has the kernel's values.
func (s *scan) byKernel() error {
	regions := make([]syscalls.PageRegion, 512)
	for s.start < s.end {
		arg := syscalls.PmScanArg{
			Start:             uint64(s.start),
			End:               uint64(s.end),
			CategoryInverted:  syscalls.PageCategories(s.o.Not),
			CategoryMask:      syscalls.PageCategories(s.o.All | s.o.Not),
			CategoryAnyofMask: syscalls.PageCategories(s.o.AnyOf),
			ReturnMask:        syscalls.PageCategories(s.o.Return),
		}
		n, err := s.scanSome(&arg, regions)
		switch {
		case errors.Is(err, unix.ENOTTY):
			return errNoScan
		case errors.Is(err, unix.EINTR):
			continue
		case errors.Is(err, unix.EINVAL) && s.categories()&CategoryGuard != 0:
			return errNoScan // before Linux 6.15, which brought that bit of the pagemap too
		case err != nil:
			return s.m.wrap(err)
		}
		for _, r := range regions[:n] {
			if !s.add(Region{uintptr(r.Start), uintptr(r.End), Category(r.Categories)}) {
				return nil
			}
		}
		if arg.WalkEnd <= uint64(s.start) {
			break // the address space has gone, or the kernel would say the same for ever
		}
		s.start = uintptr(arg.WalkEnd)
	}
	if s.last == (Region{}) { // nothing: is the process still there?
		_, err := s.m.entries(0, make([]uint64, 1))
		return err
	}
	return nil
}

// scanSome keeps the descriptor open meanwhile, whoever closes the Pagemap.
func (s *scan) scanSome(arg *syscalls.PmScanArg, regions []syscalls.PageRegion) (n int, err error) {
	conn, err := s.m.f.SyscallConn()
	if err != nil {
		return 0, err
	}
	controlErr := conn.Control(func(fd uintptr) {
		n, err = syscalls.PagemapScan(int(fd), arg, regions)
	})
	return n, errors.Join(controlErr, err)
}

// categories are all that the options name.
func (s *scan) categories() Category { return s.o.All | s.o.AnyOf | s.o.Not | s.o.Return }
