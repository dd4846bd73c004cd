//go:build linux

package cpuid

import "strings"

// A Cache is one level of what stands between a core and memory.
type Cache struct {
	Level    int
	Type     string // "Data", "Instruction" or "Unified", as in /sys/devices/system/cpu/cpu0/cache
	Size     int    // bytes
	Ways     int
	Sets     int
	Line     int // bytes
	SharedBy int // processor IDs set aside for those that share it, of which not all need exist; 0: not told
}

// Caches returns the caches of the processor that runs it: by leaf 4 as Intel has it, by 0x8000001D on newer
// AMD, and by what AMD had before. Nothing where it has none of these.
func Caches() []Cache {
	switch {
	case has("topoext"):
		return cachesBy(extended + 0x1d)
	case Vendor() == "AuthenticAMD":
		return oldCaches()
	}
	return cachesBy(4)
}

// cachesBy reads a leaf that has one cache in each part.
func cachesBy(leaf uint32) []Cache {
	var caches []Cache
	for sub := range uint32(16) { // no processor has more
		a, b, c, _ := ask(leaf, sub)
		kind := int(a & 0x1f)
		if kind == 0 || kind > 3 {
			break
		}
		cache := Cache{
			Level:    int(a >> 5 & 7),
			Type:     []string{1: "Data", 2: "Instruction", 3: "Unified"}[kind],
			Ways:     int(b>>22) + 1,
			Sets:     int(c) + 1,
			Line:     int(b&0xfff) + 1,
			SharedBy: int(a>>14&0xfff) + 1,
		}
		partitions := int(b>>12&0x3ff) + 1
		cache.Size = cache.Ways * partitions * cache.Line * cache.Sets
		caches = append(caches, cache)
	}
	return caches
}

// oldCaches reads what AMD had first: two leaves with a register for each cache.
func oldCaches() []Cache {
	var caches []Cache
	add := func(level int, kind string, size, ways, line uint32) {
		if size == 0 || ways == 0 || line == 0 {
			return
		}
		caches = append(caches, Cache{
			Level: level, Type: kind, Size: int(size), Ways: int(ways), Sets: int(size / line / ways), Line: int(line),
		})
	}
	const kib = 1 << 10
	_, _, data, instruction := ask(extended+5, 0)
	add(1, "Data", data>>24*kib, data>>16&0xff, data&0xff)
	add(1, "Instruction", instruction>>24*kib, instruction>>16&0xff, instruction&0xff)
	_, _, second, third := ask(extended+6, 0)
	add(2, "Unified", second>>16*kib, amdWays(second>>12&0xf), second&0xff)
	add(3, "Unified", third>>18*512*kib, amdWays(third>>12&0xf), third&0xff)
	return caches
}

// A TLB keeps translations of addresses.
type TLB struct {
	Level   int
	Type    string // "Data", "Instruction", "Unified", "Load", "Store"
	Pages   string // sizes of pages: "4K", "2M 4M"
	Entries int
	Ways    int // Entries: any translation in any entry
}

// TLBs returns those of the processor that runs it, or nothing where it does not say in this form: leaf 24 on
// Intel, 0x80000005, 6 and 0x19 on AMD.
func TLBs() []TLB {
	if Vendor() == "GenuineIntel" {
		return intelTLBs()
	}
	return amdTLBs()
}

func intelTLBs() []TLB {
	var tlbs []TLB
	last, _, _, _ := ask(0x18, 0)
	for sub := range min(last, 63) + 1 {
		_, b, c, d := ask(0x18, sub)
		kinds := []string{1: "Data", 2: "Instruction", 3: "Unified", 4: "Load", 5: "Store"}
		kind := int(d & 0x1f)
		if kind == 0 || kind >= len(kinds) {
			continue
		}
		var pages []string
		for bit, size := range []string{"4K", "2M", "4M", "1G"} {
			if b>>bit&1 == 1 {
				pages = append(pages, size)
			}
		}
		ways := int(b >> 16)
		tlbs = append(tlbs, TLB{int(d >> 5 & 7), kinds[kind], strings.Join(pages, " "), ways * int(c), ways})
	}
	return tlbs
}

func amdTLBs() []TLB {
	var tlbs []TLB
	add := func(level int, kind, pages string, entries, ways uint32) {
		if entries != 0 && ways != 0 {
			tlbs = append(tlbs, TLB{level, kind, pages, int(entries), int(min(ways, entries))})
		}
	}
	// The first level has the number of ways in 8 bits, 255 for all.
	large, small, _, _ := ask(extended+5, 0)
	for _, r := range []struct {
		pages string
		reg   uint32
	}{{"4K", small}, {"2M", large}} {
		add(1, "Data", r.pages, r.reg>>16&0xff, r.reg>>24)
		add(1, "Instruction", r.pages, r.reg&0xff, r.reg>>8&0xff)
	}
	// The others have it in a code of 4 bits, and entries in 12.
	huge1, huge2, _, _ := ask(extended+0x19, 0)
	large, small, _, _ = ask(extended+6, 0)
	for _, r := range []struct {
		level int
		pages string
		reg   uint32
	}{{1, "1G", huge1}, {2, "4K", small}, {2, "2M", large}, {2, "1G", huge2}} {
		add(r.level, "Data", r.pages, r.reg>>16&0xfff, amdWays(r.reg>>28))
		add(r.level, "Instruction", r.pages, r.reg&0xfff, amdWays(r.reg>>12&0xf))
	}
	return tlbs
}

// amdWays decodes a number of ways (AMD APM vol. 3, Fn8000_0006); all is more than there are entries.
func amdWays(code uint32) uint32 {
	const all = 1 << 12
	return [16]uint32{1: 1, 2: 2, 3: 3, 4: 4, 5: 6, 6: 8, 8: 16, 9: 0, 10: 32, 11: 48, 12: 64, 13: 96, 14: 128, 15: all}[code]
}
