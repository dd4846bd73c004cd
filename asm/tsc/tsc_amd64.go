//go:build linux

package tsc

import (
	"fmt"
	"io"

	"github.com/ring3-go/ring3/asm"
)

// NowP reads the counter once all instructions before it are done, and with it what the kernel has put beside
// it: the number of the CPU in the low 12 bits, its node above. Call it where [HasNowP] is true; elsewhere
// it is an undefined instruction, and ends the program.
func NowP() (ticks uint64, aux uint32)

var nowPEntry uintptr

func cpuid(leaf uint32) (eax, ebx, ecx, edx uint32)

// What stands before the second reading.
const (
	fenceName = "reading behind LFENCE"
	drainName = "reading behind MFENCE and LFENCE"
)

const (
	extended   = 0x8000_0000
	hypervisor = 0x4000_0000
)

// ask is cpuid for a leaf that the processor may not have: all zero then.
func ask(leaf uint32) (eax, ebx, ecx, edx uint32) {
	if highest, _, _, _ := cpuid(leaf & 0xf000_0000); highest < leaf || highest>>28 != leaf>>28 {
		return 0, 0, 0, 0
	}
	return cpuid(leaf)
}

// HasNowP reports whether the processor has RDTSCP.
func HasNowP() bool {
	_, _, _, d := ask(extended + 1)
	return d>>27&1 == 1
}

// Invariant reports whether the processor promises that the counter runs at one rate, whatever the clock of
// the core does, and in every sleep state. Kernels trust no other.
func Invariant() bool {
	_, _, _, d := ask(extended + 7)
	return d>>8&1 == 1
}

// Frequency returns the rate in ticks a second as the processor or its hypervisor states it, or 0 where neither
// does. Most processors do not; the kernel then measures it at boot, as [Calibrate] does.
func Frequency() (hz uint64, from string) {
	// Leaf 21: counter and crystal as a ratio, and the crystal's rate, which Intel's older ones leave out.
	if denominator, numerator, crystal, _ := ask(0x15); denominator != 0 && crystal != 0 {
		return uint64(crystal) * uint64(numerator) / uint64(denominator), "CPUID 15"
	}
	_, _, c, _ := ask(1)
	if c>>31 == 1 {
		if khz, _, _, _ := ask(hypervisor + 0x10); khz != 0 {
			return uint64(khz) * 1000, "CPUID 40000010, of the hypervisor"
		}
	}
	return 0, ""
}

func more() []asm.Function {
	if !HasNowP() {
		return nil
	}
	return []asm.Function{{Name: "NowP", Entry: nowPEntry, Call: func() { NowP() }}}
}

// describe prints what is known without measuring.
func describe(w io.Writer) {
	fmt.Fprintf(w, "time-stamp counter, invariant: %v, RDTSCP: %v\n", Invariant(), HasNowP())
	if hz, from := Frequency(); hz != 0 {
		fmt.Fprintf(w, "stated by %s: %.3f MHz\n", from, float64(hz)/1e6)
	} else {
		fmt.Fprintln(w, "neither the processor nor a hypervisor states its rate")
	}
	if HasNowP() {
		_, aux := NowP()
		fmt.Fprintf(w, "read on CPU %d of node %d, says RDTSCP\n", aux&0xfff, aux>>12)
	}
}
