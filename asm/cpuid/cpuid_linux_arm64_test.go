package cpuid

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"testing"

	"golang.org/x/sys/cpu"
)

// registersOf skips the test where the kernel does not carry reads out.
func registersOf(t testing.TB) map[string]uint64 {
	t.Helper()
	values, err := Registers()
	if errors.Is(err, errors.ErrUnsupported) {
		t.Skipf("tried: %v", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	return values
}

// ownInfo is cpuinfo where it is about this processor: an emulator of processes shows that of the host.
func ownInfo(t *testing.T, cpu int) map[string]string {
	t.Helper()
	info := cpuinfo(t, cpu)
	if _, ok := info["CPU implementer"]; !ok {
		t.Skip("tried: /proc/cpuinfo is that of another kind of processor")
	}
	return info
}

// The kernel makes /proc/cpuinfo from the registers as it shows them to programs, so both directions hold.
func TestFeaturesAreThoseOfTheKernel(t *testing.T) {
	registersOf(t)
	listed := words(ownInfo(t, cpus(t)[0])["Features"])
	for _, f := range Features() {
		if f.Has != listed[f.Name] {
			t.Errorf("%s (%s): %v; the kernel says %v", f.Name, f.Where, f.Has, listed[f.Name])
		}
	}
}

// The auxiliary vector, through another implementation.
func TestFeaturesAreThoseOfAnotherImplementation(t *testing.T) {
	registersOf(t)
	want := map[string]bool{
		"fp": cpu.ARM64.HasFP, "asimd": cpu.ARM64.HasASIMD, "aes": cpu.ARM64.HasAES, "pmull": cpu.ARM64.HasPMULL,
		"sha1": cpu.ARM64.HasSHA1, "sha2": cpu.ARM64.HasSHA2, "crc32": cpu.ARM64.HasCRC32, "atomics": cpu.ARM64.HasATOMICS,
		"sve": cpu.ARM64.HasSVE,
	}
	for _, f := range Features() {
		if has, ok := want[f.Name]; ok && f.Has != has {
			t.Errorf("%s (%s): %v; golang.org/x/sys/cpu says %v", f.Name, f.Where, f.Has, has)
		}
	}
}

func TestIdentityIsThatOfTheKernel(t *testing.T) {
	registersOf(t)
	n := cpus(t)[0]
	on(t, n, func() {
		id := Identify(registersOf(t)["MIDR_EL1"])
		info := ownInfo(t, n)
		for what, got := range map[string]int{
			"CPU implementer": id.Implementer, "CPU variant": id.Variant, "CPU part": id.Part, "CPU revision": id.Revision,
		} {
			if want, err := strconv.ParseInt(info[what], 0, 32); err != nil || int(want) != got {
				t.Errorf("%s: %#x; the kernel says %q", what, got, info[what])
			}
		}
	})
}

func TestLinesAreThoseOfTheKernel(t *testing.T) {
	instruction, data, zero := Lines()
	for _, n := range []int{instruction, data, zero} {
		if n != 0 && (n < 4 || n > 4096 || n&(n-1) != 0) {
			t.Errorf("lines of %d and %d bytes, clearing %d", instruction, data, zero)
		}
	}
	name := fmt.Sprintf("/sys/devices/system/cpu/cpu%d/cache/index0/coherency_line_size", cpus(t)[0])
	if _, err := os.Stat(name); err != nil {
		t.Skipf("tried: %v", err)
	}
	if want := number(t, name); data > want {
		t.Errorf("the smallest line of data has %d bytes; that of the first cache in /sys %d", data, want)
	}
}

// A program may see of a register only what the kernel shows it (cpu-feature-registers.rst): debugging is
// not among that.
func TestWhatProgramsNeedNotKnowIsHidden(t *testing.T) {
	const tracing = 0xf << 8 // PMUVer
	if v := registersOf(t)["ID_AA64DFR0_EL1"]; v&tracing != 0 {
		t.Errorf("ID_AA64DFR0_EL1 is %#x: PMUVer is shown", v)
	}
}

func BenchmarkReadISAR0(b *testing.B) {
	registersOf(b)
	b.ReportAllocs()
	for b.Loop() {
		readISAR0()
	}
}

func BenchmarkReadCTR(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		readCTR()
	}
}
