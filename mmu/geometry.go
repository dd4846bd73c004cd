package mmu

import (
	"errors"
	"fmt"
)

// A Geometry says how an address is split into indices of page tables. The zero value is none; there are
// [AMD64], [ARM64] and, for the running kernel, [HostGeometry].
type Geometry struct {
	// Arch is "amd64" or "arm64".
	Arch string
	// PageShift is the logarithm of the page size: the page offset has so many bits.
	PageShift int
	// Bits is how many bits of a user address the tables translate. Processors take higher ones for a sign
	// (amd64), a tag or the choice of tables (arm64).
	Bits int
	// Levels are the tables, from the root to that which holds pages.
	Levels []Level
}

// A Level is one of the tables on the way from an address to a page.
type Level struct {
	// Name is that of the processor's manual: PML5, PML4, PDPT, PD and PT on amd64, L-1 to L3 on arm64.
	Name string
	// Linux is the kernel's name: pgd, p4d, pud, pmd, pte.
	Linux string
	// Shift is the lowest bit of the address that belongs to the index, and so the logarithm of what one entry
	// covers; Bits is how many there are.
	Shift, Bits int
}

// Covers is how many bytes one entry of the level maps: the size of a huge page where it can map one.
func (l Level) Covers() uint64 { return 1 << l.Shift }

// Entries is how many entries a table of the level has.
func (l Level) Entries() int { return 1 << l.Bits }

// AMD64 returns the tables of amd64 with 4 levels (48 bits, of which user space has 47) or 5 (57 bits, Linux
// 4.14, LA57). See Intel SDM volume 3, 5.5.
func AMD64(levels int) (Geometry, error) {
	if levels != 4 && levels != 5 {
		return Geometry{}, fmt.Errorf("amd64 with %d levels of page tables: want 4 or 5", levels)
	}
	names := []string{"PML5", "PML4", "PDPT", "PD", "PT"}[5-levels:]
	return newGeometry("amd64", 12, 12+9*levels, names), nil
}

// ARM64 returns the tables of arm64 for pages of 4, 16 or 64 KiB and an address space of so many bits: those
// that Linux can be built with, 36 to 52. See Arm ARM D8.2.
func ARM64(pageSize, bits int) (Geometry, error) {
	shift, ok := map[int]int{4 << 10: 12, 16 << 10: 14, 64 << 10: 16}[pageSize]
	if !ok {
		return Geometry{}, fmt.Errorf("arm64 with pages of %d bytes: want 4, 16 or 64 KiB", pageSize)
	}
	if bits < 36 || bits > 52 {
		return Geometry{}, fmt.Errorf("arm64 with addresses of %d bits: want 36 to 52", bits)
	}
	perLevel := shift - 3
	levels := (bits - shift + perLevel - 1) / perLevel
	return newGeometry("arm64", shift, bits, []string{"L-1", "L0", "L1", "L2", "L3"}[5-levels:]), nil
}

// newGeometry makes levels from the last up; the root has what bits are left. An entry has 8 bytes and a
// table fills a page, so an index has three bits less than the offset in a page.
func newGeometry(arch string, pageShift, bits int, names []string) Geometry {
	g := Geometry{Arch: arch, PageShift: pageShift, Bits: bits, Levels: make([]Level, len(names))}
	linux := linuxNames(len(names))
	shift := pageShift
	for i := len(names) - 1; i >= 0; i-- {
		n := min(pageShift-3, bits-shift)
		g.Levels[i] = Level{Name: names[i], Linux: linux[i], Shift: shift, Bits: n}
		shift += n
	}
	return g
}

// linuxNames are the kernel's: the root is always the pgd and the last the pte, and what folds away is missing
// after the root.
func linuxNames(levels int) []string {
	switch levels {
	case 2:
		return []string{"pgd", "pte"}
	case 3:
		return []string{"pgd", "pmd", "pte"}
	case 4:
		return []string{"pgd", "pud", "pmd", "pte"}
	}
	return []string{"pgd", "p4d", "pud", "pmd", "pte"}
}

// PageSize is that of a page that the last level maps, in bytes.
func (g Geometry) PageSize() uint64 { return 1 << g.PageShift }

// HugeSizes are the sizes in bytes of the larger pages that an entry of a level above the last can map, from
// small to large.
func (g Geometry) HugeSizes() []uint64 {
	largest := 30 // 1 GiB, on amd64 and with pages of 4 KiB
	switch g.PageShift {
	case 14:
		largest = 25 // 32 MiB; with 52 bits also 64 GiB, which Linux does not use
	case 16:
		largest = 29 // 512 MiB; with 52 bits also 4 TiB
	}
	var sizes []uint64
	for i := len(g.Levels) - 2; i >= 0 && g.Levels[i].Shift <= largest; i-- {
		sizes = append(sizes, g.Levels[i].Covers())
	}
	return sizes
}

// Canonical reports whether the tables can translate addr at all: on amd64 the bits above equal the highest
// one that counts; on arm64 they are all 0 (user) or all 1 (kernel), the top byte, which holds a tag, aside.
func (g Geometry) Canonical(addr uint64) bool {
	if g.Arch == "arm64" {
		high := addr << 8 >> 8 >> g.Bits
		return high == 0 || high == 1<<(56-g.Bits)-1
	}
	high := int64(addr) >> (g.Bits - 1)
	return high == 0 || high == -1
}

// Split returns the index in each level's table, from the root, and the offset in the page.
func (g Geometry) Split(addr uint64) (indices []int, offset uint64) {
	indices = make([]int, len(g.Levels))
	for i, l := range g.Levels {
		indices[i] = int(addr >> l.Shift & (1<<l.Bits - 1))
	}
	return indices, addr & (g.PageSize() - 1)
}

// Join is the inverse of [Geometry.Split]: the address whose indices these are. On amd64 it is canonical; on
// arm64 it lies in user space.
func (g Geometry) Join(indices []int, offset uint64) (uint64, error) {
	if len(indices) != len(g.Levels) {
		return 0, fmt.Errorf("%d indices for %d levels", len(indices), len(g.Levels))
	}
	if offset >= g.PageSize() {
		return 0, errors.New("offset beyond the page")
	}
	addr := offset
	for i, l := range g.Levels {
		if indices[i] < 0 || indices[i] >= l.Entries() {
			return 0, fmt.Errorf("index %d: a table of %s has %d entries", indices[i], l.Name, l.Entries())
		}
		addr |= uint64(indices[i]) << l.Shift
	}
	if g.Arch == "amd64" {
		addr = uint64(int64(addr) << (64 - g.Bits) >> (64 - g.Bits))
	}
	return addr, nil
}
