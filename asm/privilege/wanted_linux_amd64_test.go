package privilege

import (
	"os"
	"regexp"
	"testing"

	"golang.org/x/sys/unix"
)

// wantedOutcomes are from the manuals: which exception; and from arch/x86/kernel/traps.c: which signal.
func wantedOutcomes(t *testing.T) map[string][]wanted {
	t.Helper()
	const kernel = 0x80 // SI_KERNEL
	protection := []wanted{{signal: unix.SIGSEGV, code: kernel, trap: 13}}
	undefined := []wanted{{signal: unix.SIGILL, code: 2, trap: 6, here: true}} // ILL_ILLOPN
	carriedOut := []wanted{{}}
	all := map[string][]wanted{
		"readCS": carriedOut, "popf": carriedOut, "rdtsc": carriedOut,
		// With UMIP or without: the kernel sees to it that nobody notices.
		"sgdt": carriedOut, "sidt": carriedOut, "smsw": carriedOut, "str": carriedOut,
		// Intel says the one and AMD the other.
		"sysexit": append(undefined, protection...),
		// The administrator can let everybody read counters.
		"rdpmc":        append(carriedOut, protection...),
		"stac":         undefined,
		"ud2":          undefined,
		"intPageFault": {{signal: unix.SIGSEGV, code: kernel, trap: 13, err: gateError(t)}},
		"int3":         {{signal: unix.SIGTRAP, code: kernel, trap: 3, on: true}},
	}
	for _, name := range []string{"hlt", "cli", "in", "outb", "readCR0", "writeCR3", "writeDR7", "lgdt", "lidt", "rdmsr",
		"wrmsr", "invlpg", "wbinvd", "swapgs", "sysret", "rdtscForbidden"} {
		all[name] = protection
	}
	return all
}

// gateError is the error code of an interrupt whose gate does not let level 3 in: the gate's place, and a bit
// that says in which table. QEMU's translator counts gates of 16 bytes there.
func gateError(t *testing.T) uint64 {
	t.Helper()
	const gate, inIDT = 14, 2
	if regexp.MustCompile(`(?m)^model name\s*: QEMU TCG`).Match(cpuinfo(t)) {
		return gate*16 + inIDT
	}
	return gate*8 + inIDT
}

func cpuinfo(t *testing.T) []byte {
	t.Helper()
	info, err := os.ReadFile("/proc/cpuinfo")
	if err != nil {
		t.Fatal(err)
	}
	return info
}

func TestTheLevelIsThreeAndInterruptsStayOn(t *testing.T) {
	if o := attempt(t, named(t, "readCS")); o.Value[0]&3 != 3 {
		t.Errorf("CS is %#x", o.Value[0])
	}
	const interrupts = 0x200
	if o := attempt(t, named(t, "popf")); o.Value[0]&interrupts == 0 || o.Value[1]&interrupts == 0 {
		t.Errorf("flags %#x before, %#x after: the interrupt flag is clear", o.Value[0], o.Value[1])
	}
}

// Where the processor has UMIP the kernel answers with addresses of its choice (arch/x86/kernel/umip.c).
func TestTablesAreMadeUpUnderUMIP(t *testing.T) {
	if !regexp.MustCompile(`(?m)^flags\s*:.*\bumip\b`).Match(cpuinfo(t)) {
		t.Skip("tried: no umip among the flags of /proc/cpuinfo")
	}
	want := map[string]uint64{"sgdt": 0xffff_ffff_fffe_0000, "sidt": 0xffff_ffff_ffff_0000}
	for name, base := range want {
		if o := attempt(t, named(t, name)); o.Value != [2]uint64{0, base} {
			t.Errorf("%s: %#x; want limit 0 and base %#x", name, o.Value, base)
		}
	}
}
