//go:build linux

package cpuid

import (
	"encoding/binary"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"github.com/ring3-go/ring3/asm"
)

// CPUID returns what the processor answers to a leaf and its part. What a leaf above [MaxLeaf] gives depends
// on who made the processor.
func CPUID(leaf, subleaf uint32) (eax, ebx, ecx, edx uint32)

// XGETBV reads an extended control register: 0 is XCR0, the parts of the register state that the kernel has
// switched on (1 SSE, 2 AVX, 5 to 7 AVX-512, 9 protection keys, 17 and 18 AMX). Call it where [UsesXSAVE] is true;
// elsewhere it is an undefined instruction, and ends the program.
func XGETBV(index uint32) (value uint64)

var cpuidEntry, xgetbvEntry uintptr

func functions() []asm.Function {
	list := []asm.Function{{Name: "CPUID", Entry: cpuidEntry, Call: func() { CPUID(0, 0) }}}
	if UsesXSAVE() {
		list = append(list, asm.Function{Name: "XGETBV", Entry: xgetbvEntry, Call: func() { XGETBV(0) }})
	}
	return list
}

// extended is where AMD's own leaves begin, which Intel has taken over, and hypervisor those that hypervisors
// make up.
const (
	extended   = 0x8000_0000
	hypervisor = 0x4000_0000
)

// MaxLeaf returns the highest leaf of the range that leaf lies in.
func MaxLeaf(leaf uint32) uint32 {
	highest, _, _, _ := CPUID(leaf&0xf000_0000, 0)
	return highest
}

// ask is CPUID for a leaf that the processor may not have: all zero then.
func ask(leaf, subleaf uint32) (eax, ebx, ecx, edx uint32) {
	if highest := MaxLeaf(leaf); highest < leaf || highest&0xf000_0000 != leaf&0xf000_0000 {
		return 0, 0, 0, 0
	}
	return CPUID(leaf, subleaf)
}

// text puts registers together that have letters in them, and drops what pads them.
func text(registers ...uint32) string {
	var b []byte
	for _, r := range registers {
		b = binary.LittleEndian.AppendUint32(b, r)
	}
	return strings.Trim(string(b), " \x00")
}

// Vendor returns who made the processor, in twelve letters: "GenuineIntel", "AuthenticAMD".
func Vendor() string {
	_, b, c, d := CPUID(0, 0)
	return text(b, d, c) // in this order, since 1993
}

// Brand returns the name that the processor was sold under, or nothing.
func Brand() string {
	var registers []uint32
	for leaf := uint32(extended + 2); leaf <= extended+4; leaf++ {
		a, b, c, d := ask(leaf, 0)
		registers = append(registers, a, b, c, d)
	}
	return text(registers...)
}

// Signature returns which design the processor is. Both numbers have an extension for what does not fit into
// four bits.
func Signature() (family, model, stepping int) {
	a, _, _, _ := CPUID(1, 0)
	family, model, stepping = int(a>>8&0xf), int(a>>4&0xf), int(a&0xf)
	if family == 6 || family == 15 {
		model += int(a>>16&0xf) << 4
	}
	if family == 15 {
		family += int(a >> 20 & 0xff)
	}
	return family, model, stepping
}

// Hypervisor returns how the hypervisor calls itself, and whether there is one that says so. Processors
// keep the bit 0; a hypervisor sets it, and has leaves of its own.
func Hypervisor() (name string, ok bool) {
	_, _, c, _ := CPUID(1, 0)
	if c>>31 == 0 {
		return "", false
	}
	_, b, c, d := CPUID(hypervisor, 0)
	return text(b, c, d), true
}

// UsesXSAVE reports whether the kernel has switched XSAVE on, and with it XGETBV.
func UsesXSAVE() bool {
	_, _, c, _ := CPUID(1, 0)
	return c>>27&1 == 1
}

// AddressBits returns the width of physical and of virtual addresses.
func AddressBits() (physical, virtual int) {
	a, _, _, _ := ask(extended+8, 0)
	return int(a & 0xff), int(a >> 8 & 0xff)
}

// InvariantTSC reports whether the time-stamp counter runs at one rate whatever the clock of the core does.
func InvariantTSC() bool {
	_, _, _, d := ask(extended+7, 0)
	return d>>8&1 == 1
}

// A Domain is a set of processors that share something, as leaf 11 has it.
type Domain struct {
	Type  string // "thread": the threads of a core; "core": the cores of what is above, and so on
	Shift int    // processors whose IDs are equal from this bit on are in one
	Count int    // processors in the one that was asked
}

// Topology returns the x2APIC ID of the processor that runs it, and the domains that it is in, from the
// smallest; none where the processor has no leaf 11.
func Topology() (id uint32, domains []Domain) {
	leaf := uint32(0x1f) // since dies and tiles
	if _, b, _, _ := ask(leaf, 0); b == 0 {
		leaf = 0xb
	}
	names := []string{1: "thread", 2: "core", 3: "module", 4: "tile", 5: "die", 6: "die group"}
	for sub := range uint32(8) { // no leaf has more
		a, b, c, d := ask(leaf, sub)
		kind := int(c >> 8 & 0xff)
		if kind == 0 {
			break
		}
		id = d
		name := fmt.Sprintf("domain %d", kind)
		if kind < len(names) {
			name = names[kind]
		}
		domains = append(domains, Domain{name, int(a & 0x1f), int(b & 0xffff)})
	}
	return id, domains
}

// show prints all but the features.
func show(w io.Writer) error {
	family, model, stepping := Signature()
	physical, virtual := AddressBits()
	fmt.Fprintf(w, "%s, %s, family %d, model %d, stepping %d\n", Brand(), Vendor(), family, model, stepping)
	fmt.Fprintf(w, "leaves up to %#x, %#x\n", MaxLeaf(0), MaxLeaf(extended))
	fmt.Fprintf(w, "addresses of %d bits, physical of %d\n", virtual, physical)
	if name, ok := Hypervisor(); ok {
		fmt.Fprintf(w, "under hypervisor %q, leaves up to %#x\n", name, MaxLeaf(hypervisor))
	}
	if UsesXSAVE() {
		fmt.Fprintf(w, "register state switched on by the kernel (XCR0): %#x\n", XGETBV(0))
	}
	fmt.Fprintf(w, "time-stamp counter invariant: %v\n", InvariantTSC())

	id, domains := Topology()
	fmt.Fprintf(w, "\ntopology: x2APIC ID %d\n", id)
	for _, d := range domains {
		fmt.Fprintf(w, "  %-6s  of %d processors, ID from bit %d\n", d.Type, d.Count, d.Shift)
	}

	fmt.Fprintln(w)
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "cache\tKiB\tways\tsets\tline\tshared by IDs")
	for _, c := range Caches() {
		fmt.Fprintf(table, "L%d %s\t%d\t%d\t%d\t%d\t%d\n", c.Level, c.Type, c.Size>>10, c.Ways, c.Sets, c.Line, c.SharedBy)
	}
	if err := table.Flush(); err != nil {
		return err
	}
	fmt.Fprintln(w)
	fmt.Fprintln(table, "TLB\tpages\tentries\tways")
	for _, t := range TLBs() {
		ways := fmt.Sprint(t.Ways)
		if t.Ways == t.Entries {
			ways = "all"
		}
		fmt.Fprintf(table, "L%d %s\t%s\t%d\t%s\n", t.Level, t.Type, t.Pages, t.Entries, ways)
	}
	return table.Flush()
}
