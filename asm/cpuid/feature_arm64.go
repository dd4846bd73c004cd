//go:build linux

package cpuid

import "fmt"

// A field is where one feature stands: four bits of a register, in which a greater number has what a smaller has.
type field struct {
	register string
	shift    int
	least    int
	name     string
}

// signed are the fields where all ones mean that there is none, and 0 that there is.
const signed = 0

// fields has the features under the names of /proc/cpuinfo (arch/arm64/kernel/cpufeature.c).
var fields = []field{
	{"ID_AA64PFR0_EL1", 16, signed, "fp"},
	{"ID_AA64PFR0_EL1", 16, 1, "fphp"},
	{"ID_AA64PFR0_EL1", 20, signed, "asimd"},
	{"ID_AA64PFR0_EL1", 20, 1, "asimdhp"},
	{"ID_AA64PFR0_EL1", 32, 1, "sve"},
	{"ID_AA64PFR0_EL1", 48, 1, "dit"},
	{"ID_AA64PFR1_EL1", 0, 1, "bti"},
	{"ID_AA64PFR1_EL1", 4, 2, "ssbs"},
	{"ID_AA64PFR1_EL1", 8, 2, "mte"},
	{"ID_AA64PFR1_EL1", 8, 3, "mte3"},
	{"ID_AA64ISAR0_EL1", 4, 1, "aes"},
	{"ID_AA64ISAR0_EL1", 4, 2, "pmull"},
	{"ID_AA64ISAR0_EL1", 8, 1, "sha1"},
	{"ID_AA64ISAR0_EL1", 12, 1, "sha2"},
	{"ID_AA64ISAR0_EL1", 12, 2, "sha512"},
	{"ID_AA64ISAR0_EL1", 16, 1, "crc32"},
	{"ID_AA64ISAR0_EL1", 20, 2, "atomics"},
	{"ID_AA64ISAR0_EL1", 28, 1, "asimdrdm"},
	{"ID_AA64ISAR0_EL1", 32, 1, "sha3"},
	{"ID_AA64ISAR0_EL1", 36, 1, "sm3"},
	{"ID_AA64ISAR0_EL1", 40, 1, "sm4"},
	{"ID_AA64ISAR0_EL1", 44, 1, "asimddp"},
	{"ID_AA64ISAR0_EL1", 48, 1, "asimdfhm"},
	{"ID_AA64ISAR0_EL1", 52, 1, "flagm"},
	{"ID_AA64ISAR0_EL1", 52, 2, "flagm2"},
	{"ID_AA64ISAR0_EL1", 60, 1, "rng"},
	{"ID_AA64ISAR1_EL1", 0, 1, "dcpop"},
	{"ID_AA64ISAR1_EL1", 0, 2, "dcpodp"},
	{"ID_AA64ISAR1_EL1", 12, 1, "jscvt"},
	{"ID_AA64ISAR1_EL1", 16, 1, "fcma"},
	{"ID_AA64ISAR1_EL1", 20, 1, "lrcpc"},
	{"ID_AA64ISAR1_EL1", 20, 2, "ilrcpc"},
	{"ID_AA64ISAR1_EL1", 32, 1, "frint"},
	{"ID_AA64ISAR1_EL1", 36, 1, "sb"},
	{"ID_AA64ISAR1_EL1", 44, 1, "bf16"},
	{"ID_AA64ISAR1_EL1", 48, 1, "dgh"},
	{"ID_AA64ISAR1_EL1", 52, 1, "i8mm"},
	{"ID_AA64ISAR2_EL1", 0, 2, "wfxt"},
	{"ID_AA64ISAR2_EL1", 4, 1, "rpres"},
	{"ID_AA64MMFR0_EL1", 60, 1, "ecv"},
	{"ID_AA64MMFR1_EL1", 44, 1, "afp"},
	{"ID_AA64MMFR2_EL1", 32, 1, "uscat"},
	{"ID_AA64ZFR0_EL1", 0, 1, "sve2"},
	{"ID_AA64ZFR0_EL1", 4, 1, "sveaes"},
	{"ID_AA64ZFR0_EL1", 4, 2, "svepmull"},
	{"ID_AA64ZFR0_EL1", 16, 1, "svebitperm"},
	{"ID_AA64ZFR0_EL1", 20, 1, "svebf16"},
	{"ID_AA64ZFR0_EL1", 32, 1, "svesha3"},
	{"ID_AA64ZFR0_EL1", 40, 1, "svesm4"},
	{"ID_AA64ZFR0_EL1", 44, 1, "svei8mm"},
	{"ID_AA64ZFR0_EL1", 52, 1, "svef32mm"},
	{"ID_AA64ZFR0_EL1", 56, 1, "svef64mm"},
}

func features() []Feature {
	values, err := Registers()
	list := make([]Feature, len(fields))
	for i, f := range fields {
		list[i] = Feature{
			Name:  f.name,
			Where: fmt.Sprintf("%s %d to %d", f.register, f.shift, f.shift+3),
			Has:   err == nil && f.in(values[f.register]),
		}
	}
	return list
}

// in reports whether the feature is there where the register has this value.
func (f field) in(value uint64) bool {
	number := int(value >> f.shift & 0xf)
	if f.register == "ID_AA64PFR0_EL1" && number == 0xf && f.shift <= 20 { // floating point and vectors
		return false
	}
	return number >= f.least
}
