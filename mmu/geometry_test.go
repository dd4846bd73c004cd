package mmu

import (
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// every is all geometries that Linux can be built with.
func every(t testing.TB) (all []Geometry) {
	t.Helper()
	add := func(g Geometry, err error) {
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, g)
	}
	add(AMD64(4))
	add(AMD64(5))
	for page, bits := range map[int][]int{4 << 10: {39, 48, 52}, 16 << 10: {36, 47, 48, 52}, 64 << 10: {42, 48, 52}} {
		for _, b := range bits {
			add(ARM64(page, b))
		}
	}
	return all
}

// TestTablesOfTheManuals holds levels against Intel SDM table 5-15 and Arm ARM D8.2.
func TestTablesOfTheManuals(t *testing.T) {
	for _, c := range []struct {
		g      func() (Geometry, error)
		names  []string
		shifts []int
		root   int // bits of its index
		huge   []uint64
	}{
		{func() (Geometry, error) { return AMD64(4) }, []string{"PML4", "PDPT", "PD", "PT"}, []int{39, 30, 21, 12}, 9, []uint64{2 << 20, 1 << 30}},
		{func() (Geometry, error) { return AMD64(5) }, []string{"PML5", "PML4", "PDPT", "PD", "PT"}, []int{48, 39, 30, 21, 12}, 9, []uint64{2 << 20, 1 << 30}},
		{func() (Geometry, error) { return ARM64(4<<10, 48) }, []string{"L0", "L1", "L2", "L3"}, []int{39, 30, 21, 12}, 9, []uint64{2 << 20, 1 << 30}},
		{func() (Geometry, error) { return ARM64(4<<10, 39) }, []string{"L1", "L2", "L3"}, []int{30, 21, 12}, 9, []uint64{2 << 20, 1 << 30}},
		{func() (Geometry, error) { return ARM64(4<<10, 52) }, []string{"L-1", "L0", "L1", "L2", "L3"}, []int{48, 39, 30, 21, 12}, 4, []uint64{2 << 20, 1 << 30}},
		{func() (Geometry, error) { return ARM64(16<<10, 36) }, []string{"L2", "L3"}, []int{25, 14}, 11, []uint64{32 << 20}},
		{func() (Geometry, error) { return ARM64(16<<10, 47) }, []string{"L1", "L2", "L3"}, []int{36, 25, 14}, 11, []uint64{32 << 20}},
		{func() (Geometry, error) { return ARM64(16<<10, 48) }, []string{"L0", "L1", "L2", "L3"}, []int{47, 36, 25, 14}, 1, []uint64{32 << 20}},
		{func() (Geometry, error) { return ARM64(64<<10, 42) }, []string{"L2", "L3"}, []int{29, 16}, 13, []uint64{512 << 20}},
		{func() (Geometry, error) { return ARM64(64<<10, 48) }, []string{"L1", "L2", "L3"}, []int{42, 29, 16}, 6, []uint64{512 << 20}},
		{func() (Geometry, error) { return ARM64(64<<10, 52) }, []string{"L1", "L2", "L3"}, []int{42, 29, 16}, 10, []uint64{512 << 20}},
	} {
		g, err := c.g()
		if err != nil {
			t.Fatal(err)
		}
		var names []string
		var shifts []int
		for _, l := range g.Levels {
			names, shifts = append(names, l.Name), append(shifts, l.Shift)
		}
		if !slices.Equal(names, c.names) || !slices.Equal(shifts, c.shifts) || g.Levels[0].Bits != c.root || !slices.Equal(g.HugeSizes(), c.huge) {
			t.Errorf("%+v, huge %d; want %+v", g, g.HugeSizes(), c)
		}
	}
}

func TestSplitOfKnownAddresses(t *testing.T) {
	four, _ := AMD64(4)
	five, _ := AMD64(5)
	arm, _ := ARM64(64<<10, 48)
	for _, c := range []struct {
		g       Geometry
		addr    uint64
		indices []int
		offset  uint64
	}{
		{four, 0x7fff_ffff_f123, []int{255, 511, 511, 511}, 0x123},
		{four, 0xffff_ffff_ffff_f000, []int{511, 511, 511, 511}, 0},
		{four, 1<<39 | 2<<30 | 3<<21 | 4<<12 | 5, []int{1, 2, 3, 4}, 5},
		{five, 0x00ff_ffff_ffff_f000, []int{255, 511, 511, 511, 511}, 0},
		{arm, 0xffff_ffff_0042, []int{63, 8191, 8191}, 0x42},
	} {
		indices, offset := c.g.Split(c.addr)
		if !slices.Equal(indices, c.indices) || offset != c.offset {
			t.Errorf("%#x: %d, %#x; want %d, %#x", c.addr, indices, offset, c.indices, c.offset)
		}
	}
}

func TestJoinUndoesSplit(t *testing.T) {
	all := every(t)
	rapid.Check(t, func(t *rapid.T) {
		g := rapid.SampledFrom(all).Draw(t, "g")
		addr := rapid.Uint64().Draw(t, "addr") & (1<<g.Bits - 1)
		if g.Arch == "amd64" {
			addr = uint64(int64(addr) << (64 - g.Bits) >> (64 - g.Bits))
		}
		if !g.Canonical(addr) {
			t.Fatalf("%#x is not canonical", addr)
		}
		sum := g.PageShift
		for _, l := range g.Levels {
			sum += l.Bits
		}
		if sum != g.Bits {
			t.Fatalf("%d bits in levels and page; want %d", sum, g.Bits)
		}
		back, err := g.Join(g.Split(addr))
		if err != nil || back != addr {
			t.Fatalf("%#x, %v; want %#x", back, err, addr)
		}
	})
}

func TestCanonical(t *testing.T) {
	four, _ := AMD64(4)
	five, _ := AMD64(5)
	arm, _ := ARM64(4<<10, 48)
	for _, c := range []struct {
		g    Geometry
		addr uint64
		want bool
	}{
		{four, 0x7fff_ffff_ffff, true}, {four, 0x8000_0000_0000, false}, {four, 0xffff_7fff_ffff_ffff, false}, {four, 0xffff_8000_0000_0000, true},
		{five, 0x8000_0000_0000, true}, {five, 0x0100_0000_0000_0000, false}, {five, 0xff00_0000_0000_0000, true},
		{arm, 0xffff_ffff_ffff, true}, {arm, 0x0001_0000_0000_0000, false}, {arm, 0xffff_0000_0000_0000, true}, {arm, 0x5500_0000_0000_1000, true},
	} {
		if got := c.g.Canonical(c.addr); got != c.want {
			t.Errorf("%s, %d bits: %#x: %v", c.g.Arch, c.g.Bits, c.addr, got)
		}
	}
}

func TestGeometriesThatThereAreNot(t *testing.T) {
	g, _ := AMD64(4)
	_, err3 := AMD64(3)
	_, errPage := ARM64(8<<10, 48)
	_, errBits := ARM64(4<<10, 53)
	_, errFew := g.Join([]int{1}, 0)
	_, errIndex := g.Join([]int{1, 2, 512, 0}, 0)
	_, errOffset := g.Join([]int{1, 2, 3, 4}, 4096)
	for i, err := range []error{err3, errPage, errBits, errFew, errIndex, errOffset} {
		if err == nil {
			t.Errorf("%d: no error", i)
		}
	}
}
