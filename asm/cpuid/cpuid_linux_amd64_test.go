package cpuid

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/cpu"
)

// The kernel has read the same leaves. What it lists the processor must have; what it has not switched on, or
// does not trust, it leaves out.
func TestFeaturesAreThoseOfTheKernel(t *testing.T) {
	for _, n := range cpus(t) {
		on(t, n, func() {
			flags := words(cpuinfo(t, n)["flags"])
			for _, f := range Features() {
				switch {
				case f.Name == "3dnowprefetch" && Vendor() == "AuthenticAMD":
					// The kernel lists it for every 64-bit AMD, whatever the bit says (arch/x86/kernel/cpu/amd.c).
				case flags[f.Name] && !f.Has:
					t.Errorf("CPU %d: the kernel lists %s, and %s is 0", n, f.Name, f.Where)
				case f.Has && !flags[f.Name]:
					t.Logf("CPU %d: %s (%s) is there, and the kernel does not list it", n, f.Name, f.Where)
				}
			}
		})
	}
}

// Another implementation, which asks its own CPUID: the ones that do not depend on what the kernel saves.
func TestFeaturesAreThoseOfAnotherImplementation(t *testing.T) {
	for name, want := range map[string]bool{
		"pni": cpu.X86.HasSSE3, "ssse3": cpu.X86.HasSSSE3, "sse4_1": cpu.X86.HasSSE41, "sse4_2": cpu.X86.HasSSE42,
		"popcnt": cpu.X86.HasPOPCNT, "aes": cpu.X86.HasAES, "pclmulqdq": cpu.X86.HasPCLMULQDQ, "cx16": cpu.X86.HasCX16,
		"rdrand": cpu.X86.HasRDRAND, "rdseed": cpu.X86.HasRDSEED, "bmi1": cpu.X86.HasBMI1, "bmi2": cpu.X86.HasBMI2,
		"erms": cpu.X86.HasERMS, "adx": cpu.X86.HasADX,
	} {
		if has(name) != want {
			t.Errorf("%s: %v; golang.org/x/sys/cpu says %v", name, !want, want)
		}
	}
	const sseAndAVX = 1<<1 | 1<<2
	usable := has("avx") && UsesXSAVE() && XGETBV(0)&sseAndAVX == sseAndAVX
	if usable != cpu.X86.HasAVX {
		t.Errorf("AVX can be used: %v; golang.org/x/sys/cpu says %v", usable, cpu.X86.HasAVX)
	}
}

func TestNameAndDesignAreThoseOfTheKernel(t *testing.T) {
	n := cpus(t)[0]
	on(t, n, func() {
		info := cpuinfo(t, n)
		family, model, stepping := Signature()
		physical, virtual := AddressBits()
		for what, got := range map[string]string{
			"vendor_id": Vendor(), "model name": Brand(),
			"cpu family": fmt.Sprint(family), "model": fmt.Sprint(model), "stepping": fmt.Sprint(stepping),
			"cpuid level":   fmt.Sprint(MaxLeaf(0)),
			"address sizes": fmt.Sprintf("%d bits physical, %d bits virtual", physical, virtual),
		} {
			// A kernel may use less than there is: memory encryption takes bits of physical addresses, and
			// without CONFIG_X86_5LEVEL 57 bits are 48.
			if what == "address sizes" && info[what] != got {
				t.Logf("%s: %q; the kernel uses %q", what, got, info[what])
				continue
			}
			if strings.Join(strings.Fields(got), " ") != strings.Join(strings.Fields(info[what]), " ") {
				t.Errorf("%s: %q; the kernel says %q", what, got, info[what])
			}
		}
		if _, ok := Hypervisor(); ok != words(info["flags"])["hypervisor"] {
			t.Errorf("hypervisor: %v; the kernel says %v", ok, !ok)
		}
	})
}

func TestCachesAreThoseOfTheKernel(t *testing.T) {
	n := cpus(t)[0]
	dir := fmt.Sprintf("/sys/devices/system/cpu/cpu%d/cache", n)
	names, err := filepath.Glob(filepath.Join(dir, "index*"))
	if err != nil {
		t.Fatal(err)
	}
	var want []Cache
	for _, name := range names {
		kind, err := os.ReadFile(filepath.Join(name, "type"))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		want = append(want, Cache{
			Level: number(t, name, "level"), Type: strings.TrimSpace(string(kind)), Size: number(t, name, "size"),
			Ways: number(t, name, "ways_of_associativity"), Sets: number(t, name, "number_of_sets"),
			Line: number(t, name, "coherency_line_size"),
		})
	}
	var got []Cache
	on(t, n, func() { got = Caches() })
	if len(got) == 0 || len(want) == 0 {
		t.Skipf("tried: the processor tells of %d caches in this form, and the kernel knows %d", len(got), len(want))
	}
	for i := range got {
		got[i].SharedBy = 0 // the kernel lists processors that exist
	}
	order := func(a, b Cache) int { return strings.Compare(fmt.Sprint(a.Level, a.Type), fmt.Sprint(b.Level, b.Type)) }
	slices.SortFunc(got, order)
	slices.SortFunc(want, order)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("caches (- of the kernel, + of CPUID):\n%s", diff)
	}
}

// On AMD the kernel adds up the second level's entries for small pages.
func TestTLBIsThatOfTheKernel(t *testing.T) {
	n := cpus(t)[0]
	size, ok := cpuinfo(t, n)["TLB size"]
	if !ok {
		t.Skip("tried: no TLB size in /proc/cpuinfo")
	}
	var tlbs []TLB
	on(t, n, func() { tlbs = TLBs() })
	sum := 0
	for _, tlb := range tlbs {
		if tlb.Level == 2 && tlb.Pages == "4K" {
			sum += tlb.Entries
		}
	}
	if want := fmt.Sprintf("%d 4K pages", sum); size != want {
		t.Errorf("%q in %+v; the kernel says %q", want, tlbs, size)
	}
}

// Each processor answers for itself, and those that share a core or a package by their IDs do so for the
// kernel.
func TestTopologyIsThatOfTheKernel(t *testing.T) {
	type place struct {
		id        uint32
		domains   []Domain
		core, pkg string
	}
	places := make(map[int]place)
	for _, n := range cpus(t) {
		on(t, n, func() {
			id, domains := Topology()
			if len(domains) == 0 {
				t.Skip("tried: the processor has no leaf 11")
			}
			if want := cpuinfo(t, n)["initial apicid"]; fmt.Sprint(id) != want {
				t.Errorf("CPU %d: ID %d; the kernel says %s", n, id, want)
			}
			dir := fmt.Sprintf("/sys/devices/system/cpu/cpu%d/topology", n)
			read := func(name string) string {
				b, err := os.ReadFile(filepath.Join(dir, name))
				if err != nil {
					t.Fatal(err)
				}
				return string(b)
			}
			places[n] = place{id, domains, read("thread_siblings_list"), read("core_siblings_list")}
		})
	}
	for a, p := range places {
		for b, q := range places {
			first, last := p.domains[0], p.domains[len(p.domains)-1]
			if core := p.id>>first.Shift == q.id>>first.Shift; core != (p.core == q.core) {
				t.Errorf("CPUs %d and %d share a core by their IDs: %v; the kernel has %q and %q", a, b, core, p.core, q.core)
			}
			if all := p.id>>last.Shift == q.id>>last.Shift; all != (p.pkg == q.pkg) {
				t.Errorf("CPUs %d and %d share a package by their IDs: %v; the kernel has %q and %q", a, b, all, p.pkg, q.pkg)
			}
		}
	}
}

func TestALeafThatIsNotThereIsZero(t *testing.T) {
	for _, leaf := range []uint32{MaxLeaf(0) + 1, MaxLeaf(extended) + 1, 0xc000_0001} {
		if vendor := Vendor(); leaf>>28 == 0xc && (vendor == "CentaurHauls" || vendor == "  Shanghai  ") {
			continue // theirs
		}
		if a, b, c, d := ask(leaf, 0); a|b|c|d != 0 {
			t.Errorf("leaf %#x: %#x %#x %#x %#x", leaf, a, b, c, d)
		}
	}
}

func BenchmarkCPUID(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		CPUID(0, 0)
	}
}

func BenchmarkXGETBV(b *testing.B) {
	if !UsesXSAVE() {
		b.Skip("tried: XSAVE is off")
	}
	b.ReportAllocs()
	for b.Loop() {
		XGETBV(0)
	}
}
