//go:build linux

package main

import (
	"encoding/binary"
	"fmt"
	"os"
	"strconv"

	"github.com/ring3-go/ring3/mmu"
)

// guardedCopy compares a copy that survives faults with one that does not; neither meets any.
func guardedCopy() Benchmark {
	const n, size = 2_000_000, 4096
	var memory *mmu.Mapping
	loop := func(do func(dst, src []byte, n int)) func(int) {
		return func(n int) {
			memory.View(func(b []byte) error {
				do(b[:size], b[len(b)/2:][:size], n)
				return nil
			})
		}
	}
	return Benchmark{
		Group: "memory", Name: "guarded-copy", Unit: Nanoseconds, Per: "copy",
		What: "copies of 4 KiB, " + strconv.Itoa(n) + " in a row, all in the cache",
		Ours: inProcess("mmu Guarded.Copy", n, func(n int) {
			from, to := memory.Addr()+uintptr(memory.Len()/2), memory.Addr()
			for range n {
				mmu.Guarded{}.Copy(to, from, size)
			}
		}),
		References: []Reference{{inProcess("copy", n, loop(func(dst, src []byte, n int) {
			for range n {
				copy(dst, src)
			}
		})), 1.10}},
		Prepare: func(*Env) (undo func(), err error) {
			memory, err = mmu.NewAnonymous(16<<10, mmu.MapOptions{Populate: true})
			return func() { memory.Close() }, err
		},
	}
}

// sparseSize has one page touched in each sparseStep. PAGEMAP_SCAN passes over what has no page table, 2 MiB at a
// time, and looks at each entry of a table that is there: with a page in each 2 MiB it would have nothing to pass
// over, and takes a third of the time of the pagemap.
const (
	sparseSize = 1 << 30
	sparseStep = 16 << 20
)

// pagemapScan compares the ways to find which pages of a large mapping are there.
func pagemapScan() Benchmark {
	const n = 10
	var memory *mmu.Mapping
	var pagemap *mmu.Pagemap
	var entries *os.File
	return Benchmark{
		Group: "memory", Name: "pagemap-scan", Unit: Nanoseconds, Per: "scan",
		What: "which pages of 1 GiB are there: one in each 16 MiB",
		Ours: inProcess("mmu Scan", n, func(n int) {
			o := mmu.ScanOptions{
				Start: memory.Addr(), End: memory.Addr() + sparseSize, All: mmu.CategoryPresent, Return: mmu.CategoryPresent,
			}
			for range n {
				found := 0
				for r, err := range pagemap.Scan(o) {
					if err != nil {
						panic(err)
					}
					found += int(r.Size()) / os.Getpagesize()
				}
				checkFound(found)
			}
		}),
		References: []Reference{{inProcess("pagemap reads", n, func(n int) {
			for range n {
				checkFound(presentByPagemap(entries, memory.Addr()))
			}
		}), 0.10}},
		Prepare: func(*Env) (undo func(), err error) {
			if memory, err = sparseMapping(); err != nil {
				return nil, err
			}
			if pagemap, err = mmu.OpenPagemap(0); err != nil {
				return nil, err
			}
			if entries, err = os.Open("/proc/self/pagemap"); err != nil {
				return nil, err
			}
			return func() {
				memory.Close()
				pagemap.Close()
				entries.Close()
			}, nil
		},
	}
}

func sparseMapping() (*mmu.Mapping, error) {
	m, err := mmu.NewAnonymous(sparseSize, mmu.MapOptions{NoReserve: true})
	if err != nil {
		return nil, err
	}
	if err := m.Advise(0, sparseSize, mmu.AdviseNoHuge); err != nil {
		return nil, err
	}
	for at := int64(0); at < sparseSize; at += sparseStep {
		if _, err := m.WriteAt([]byte{1}, at); err != nil {
			return nil, err
		}
	}
	return m, nil
}

// presentByPagemap reads an entry for each page, many at a time.
func presentByPagemap(f *os.File, addr uintptr) (found int) {
	buf := make([]byte, 64<<10)
	page := uintptr(os.Getpagesize())
	for at := uintptr(0); at < sparseSize/page*8; at += uintptr(len(buf)) {
		if _, err := f.ReadAt(buf, int64(addr/page*8+at)); err != nil {
			panic(err)
		}
		for i := 0; i < len(buf); i += 8 {
			found += int(binary.NativeEndian.Uint64(buf[i:]) >> 63)
		}
	}
	return found
}

// checkFound ends a measurement that finds something else than what is there.
func checkFound(found int) {
	if found != sparseSize/sparseStep {
		panic(fmt.Sprintf("%d pages; there are %d", found, sparseSize/sparseStep))
	}
}
