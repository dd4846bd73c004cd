//go:build linux

package cpuid

import (
	"encoding/binary"
	"fmt"
	"io"
	"os"
	"text/tabwriter"

	"golang.org/x/sys/unix"

	"github.com/ring3-go/ring3/asm"
)

// Each reads one register. Those of _EL1 need the kernel's help: see [Readable].

func readMIDR() (value uint64)
func readMPIDR() (value uint64)
func readREVIDR() (value uint64)
func readPFR0() (value uint64)
func readPFR1() (value uint64)
func readZFR0() (value uint64)
func readISAR0() (value uint64)
func readISAR1() (value uint64)
func readISAR2() (value uint64)
func readMMFR0() (value uint64)
func readMMFR1() (value uint64)
func readMMFR2() (value uint64)
func readDFR0() (value uint64)
func readCTR() (value uint64)
func readDCZID() (value uint64)

// entries has where each of them begins, in the order of registers.
var entries [15]uintptr

// A register is one that says something about the processor.
type register struct {
	name     string // the manual's
	function string
	read     func() uint64
}

func registers() []register {
	return []register{
		{"MIDR_EL1", "readMIDR", readMIDR},
		{"MPIDR_EL1", "readMPIDR", readMPIDR},
		{"REVIDR_EL1", "readREVIDR", readREVIDR},
		{"ID_AA64PFR0_EL1", "readPFR0", readPFR0},
		{"ID_AA64PFR1_EL1", "readPFR1", readPFR1},
		{"ID_AA64ZFR0_EL1", "readZFR0", readZFR0},
		{"ID_AA64ISAR0_EL1", "readISAR0", readISAR0},
		{"ID_AA64ISAR1_EL1", "readISAR1", readISAR1},
		{"ID_AA64ISAR2_EL1", "readISAR2", readISAR2},
		{"ID_AA64MMFR0_EL1", "readMMFR0", readMMFR0},
		{"ID_AA64MMFR1_EL1", "readMMFR1", readMMFR1},
		{"ID_AA64MMFR2_EL1", "readMMFR2", readMMFR2},
		{"ID_AA64DFR0_EL1", "readDFR0", readDFR0},
		{"CTR_EL0", "readCTR", readCTR},
		{"DCZID_EL0", "readDCZID", readDCZID},
	}
}

func functions() []asm.Function {
	var list []asm.Function
	for i, r := range registers() {
		list = append(list, asm.Function{Name: r.function, Entry: entries[i], Call: func() { r.read() }})
	}
	return list
}

// Readable reports whether the kernel carries out reads of ID registers for programs (HWCAP_CPUID, since
// Linux 4.11). Where it does not, a read ends the program.
func Readable() (bool, error) {
	hwcap, _, err := hwcaps()
	const cpuid = 1 << 11
	return hwcap&cpuid != 0, err
}

// hwcaps returns two words of the auxiliary vector, in which the kernel has told this process since its start
// what it may use (uapi/asm/hwcap.h).
func hwcaps() (hwcap, hwcap2 uint64, err error) {
	auxv, err := os.ReadFile("/proc/self/auxv")
	if err != nil {
		return 0, 0, err
	}
	const (
		atHWCAP  = 16
		atHWCAP2 = 26
	)
	for ; len(auxv) >= 16; auxv = auxv[16:] {
		switch value := binary.NativeEndian.Uint64(auxv[8:]); binary.NativeEndian.Uint64(auxv) {
		case atHWCAP:
			hwcap = value
		case atHWCAP2:
			hwcap2 = value
		}
	}
	return hwcap, hwcap2, nil
}

// Registers returns the ID registers by their names, as the kernel shows them to programs. Its error matches
// [errors.ErrUnsupported] where the kernel shows none.
func Registers() (map[string]uint64, error) {
	if ok, err := Readable(); err != nil || !ok {
		if err == nil {
			err = unix.ENOTSUP
		}
		return nil, fmt.Errorf("read ID registers: %w", err)
	}
	values := make(map[string]uint64)
	for _, r := range registers() {
		values[r.name] = r.read()
	}
	return values, nil
}

// An Identity is what MIDR_EL1 says.
type Identity struct {
	Implementer, Variant, Part, Revision int
}

// Identify takes MIDR_EL1 apart.
func Identify(midr uint64) Identity {
	return Identity{int(midr >> 24 & 0xff), int(midr >> 20 & 0xf), int(midr >> 4 & 0xfff), int(midr & 0xf)}
}

// Lines returns the smallest line of the first-level instruction and data caches, from CTR_EL0, and how much DC
// ZVA clears, from DCZID_EL0, all in bytes. The rest of the geometry is in registers that programs may not read
// (CCSIDR_EL1), and that the kernel distrusts itself: sizes are in the device tree, and in /sys.
func Lines() (instruction, data, zero int) {
	ctr, dczid := readCTR(), readDCZID()
	const word = 4
	instruction, data = word<<(ctr&0xf), word<<(ctr>>16&0xf)
	if dczid&(1<<4) == 0 { // not forbidden
		zero = word << (dczid & 0xf)
	}
	return instruction, data, zero
}

// show prints all but the features.
func show(w io.Writer) error {
	values, err := Registers()
	if err != nil {
		return err
	}
	id := Identify(values["MIDR_EL1"])
	fmt.Fprintf(w, "implementer %#02x, part %#03x, variant %#x, revision %d\n", id.Implementer, id.Part, id.Variant, id.Revision)
	instruction, data, zero := Lines()
	fmt.Fprintf(w, "cache lines: %d bytes of instructions, %d of data; DC ZVA clears %d\n", instruction, data, zero)
	hwcap, hwcap2, err := hwcaps()
	if err != nil {
		return err
	}
	fmt.Fprintf(w, "auxiliary vector: HWCAP %#x, HWCAP2 %#x\n\n", hwcap, hwcap2)
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "register\tas the kernel shows it")
	for _, r := range registers() {
		fmt.Fprintf(table, "%s\t%#016x\n", r.name, values[r.name])
	}
	return table.Flush()
}
