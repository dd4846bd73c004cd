//go:build linux && (amd64 || arm64)

package workload

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"unsafe"

	"golang.org/x/sys/unix"
)

// huge N [show]: maps N bytes, rounded up to whole huge pages and aligned to one,
// asks for huge pages and writes to every base page. With "show", it says on
// standard error how many huge pages it got.
//
// Counts: a minor fault for each huge page, and one for each base page where
// there was no huge page to be had: where they are off, or memory is fragmented.
func prepareHuge(args []string) (body, error) {
	size, err := parseSize(args[0])
	if err != nil {
		return nil, err
	}
	show := len(args) == 2
	if show && args[1] != "show" {
		return nil, fmt.Errorf("%q: want show", args[1])
	}
	unit, err := hugePageSize()
	if err != nil {
		return nil, err
	}
	size = roundUp(size, unit)
	return func(r *run) error {
		p, err := mapAligned(size, unit)
		if err != nil {
			return err
		}
		if err := advise(p, size, unix.MADV_HUGEPAGE); err != nil {
			return os.NewSyscallError("madvise", err)
		}
		page := pageSize()
		r.phase("touch", func() { writePages(p, size, page) })
		if !show {
			return nil
		}
		got, err := anonHugeBytes(uintptr(p))
		if err != nil {
			return err
		}
		fmt.Fprintf(r.stderr, "huge pages: %d of %d\n", got/unit, size/unit)
		return nil
	}, nil
}

// hugePageSize returns what a transparent huge page is on this machine.
func hugePageSize() (uintptr, error) {
	text, err := os.ReadFile("/sys/kernel/mm/transparent_hugepage/hpage_pmd_size")
	if err != nil {
		return 0, fmt.Errorf("asking for the size of a huge page: %w", err)
	}
	n, err := strconv.ParseUint(strings.TrimSpace(string(text)), 10, 64)
	if err != nil || n == 0 || n&(n-1) != 0 {
		return 0, fmt.Errorf("size of a huge page %q: not a power of two", text)
	}
	return uintptr(n), nil
}

// mapAligned maps size bytes at a multiple of unit.
func mapAligned(size, unit uintptr) (unsafe.Pointer, error) {
	p, err := unix.MmapPtr(-1, 0, nil, size+unit, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANONYMOUS)
	if err != nil {
		return nil, os.NewSyscallError("mmap", err)
	}
	return unsafe.Add(p, roundUp(uintptr(p), unit)-uintptr(p)), nil
}

// anonHugeBytes returns how much of the mapping at addr is in huge pages.
func anonHugeBytes(addr uintptr) (uintptr, error) {
	f, err := os.Open("/proc/self/smaps")
	if err != nil {
		return 0, fmt.Errorf("counting huge pages: %w", err)
	}
	defer f.Close()
	return parseAnonHuge(f, addr)
}

// parseAnonHuge reads smaps(5): a line "start-end perms …" opens each mapping,
// lines "Name: value" describe it.
func parseAnonHuge(smaps io.Reader, addr uintptr) (uintptr, error) {
	inside := false
	for sc := bufio.NewScanner(smaps); sc.Scan(); {
		var start, end, kib uintptr
		if n, _ := fmt.Sscanf(sc.Text(), "%x-%x ", &start, &end); n == 2 {
			inside = start <= addr && addr < end
		} else if n, _ := fmt.Sscanf(sc.Text(), "AnonHugePages: %d kB", &kib); n == 1 && inside {
			return kib << 10, nil
		}
	}
	return 0, errors.New("counting huge pages: no AnonHugePages for the mapping")
}
