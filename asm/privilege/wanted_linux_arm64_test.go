package privilege

import (
	"os"
	"regexp"
	"strconv"
	"testing"

	"golang.org/x/sys/unix"
)

// wantedOutcomes are from the manual: what is undefined at level 0; and from arch/arm64/kernel/traps.c: which signal.
func wantedOutcomes(t *testing.T) map[string][]wanted {
	t.Helper()
	undefined := []wanted{{signal: unix.SIGILL, code: 1, here: true}} // ILL_ILLOPC
	carriedOut := []wanted{{}}
	all := map[string][]wanted{
		"readMIDR": carriedOut, "readISAR0": carriedOut, "wfi": carriedOut,
		"dcCIVAC": carriedOut, "icIVAU": carriedOut, "readCNTVCT": carriedOut,
		// From Linux 6.12 the counter can be forbidden, with the code that amd64 has; before, prctl refuses.
		"cntvctForbidden": append(carriedOut, wanted{signal: unix.SIGSEGV, code: 0x80}),
		"brk":             {{signal: unix.SIGTRAP, code: 1, here: true}}, // TRAP_BRKPT
	}
	for _, name := range []string{"currentEL", "readSCTLR", "writeTTBR0", "writeVBAR", "readDAIF", "daifSet", "hvc", "smc",
		"eret", "dcIVAC", "dcISW", "icIALLU", "tlbi", "readPMCCNTR", "udf"} {
		all[name] = undefined
	}
	return all
}

func TestIdentityIsThatOfProcCpuinfo(t *testing.T) {
	if o := attempt(t, named(t, "readMIDR")); o.Value[0]>>24 != implementer(t) {
		t.Errorf("MIDR_EL1 is %#x; /proc/cpuinfo says implementer %#x", o.Value[0], implementer(t))
	}
}

// implementer is the top byte of MIDR_EL1 as the kernel prints it.
func implementer(t *testing.T) uint64 {
	t.Helper()
	info, err := os.ReadFile("/proc/cpuinfo")
	if err != nil {
		t.Fatal(err)
	}
	m := regexp.MustCompile(`(?m)^CPU implementer\s*: (0x[0-9a-f]+)`).FindSubmatch(info)
	if m == nil {
		t.Fatalf("no implementer in %s", info)
	}
	n, err := strconv.ParseUint(string(m[1]), 0, 8)
	if err != nil {
		t.Fatal(err)
	}
	return n
}
