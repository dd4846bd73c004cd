//go:build linux

package privilege

import (
	"encoding/binary"
	"fmt"

	"golang.org/x/sys/unix"
)

// One function an instruction; where it can be carried out, out is what it found. Most of them do not return:
// call them in a child only.

//go:noescape
func readCS(out *[2]uint64)

//go:noescape
func popf(out *[2]uint64)

//go:noescape
func hlt(out *[2]uint64)

//go:noescape
func cli(out *[2]uint64)

//go:noescape
func in(out *[2]uint64)

//go:noescape
func outb(out *[2]uint64)

//go:noescape
func readCR0(out *[2]uint64)

//go:noescape
func writeCR3(out *[2]uint64)

//go:noescape
func writeDR7(out *[2]uint64)

//go:noescape
func lgdt(out *[2]uint64)

//go:noescape
func lidt(out *[2]uint64)

//go:noescape
func rdmsr(out *[2]uint64)

//go:noescape
func wrmsr(out *[2]uint64)

//go:noescape
func invlpg(out *[2]uint64)

//go:noescape
func wbinvd(out *[2]uint64)

//go:noescape
func swapgs(out *[2]uint64)

//go:noescape
func sysret(out *[2]uint64)

//go:noescape
func sysexit(out *[2]uint64)

//go:noescape
func stac(out *[2]uint64)

//go:noescape
func intPageFault(out *[2]uint64)

//go:noescape
func rdpmc(out *[2]uint64)

//go:noescape
func rdtsc(out *[2]uint64)

//go:noescape
func rdtscForbidden(out *[2]uint64)

//go:noescape
func sgdt(out *[2]uint64)

//go:noescape
func sidt(out *[2]uint64)

//go:noescape
func smsw(out *[2]uint64)

//go:noescape
func str(out *[2]uint64)

//go:noescape
func ud2(out *[2]uint64)

//go:noescape
func int3(out *[2]uint64)

// entries has where each of them begins, in the order of attempts.
var entries [29]uintptr

func attempts() []Attempt {
	table := func(v [2]uint64) string { return fmt.Sprintf("carried out: base %#x, limit %d", v[1], v[0]) }
	number := func(v [2]uint64) string { return fmt.Sprintf("carried out: %#x", v[0]) }
	level := func(v [2]uint64) string { return fmt.Sprintf("carried out: %#x, so ring %d", v[0], v[0]&3) }
	return []Attempt{
		{Name: "readCS", Text: "MOV EAX, CS", Does: "read the level", function: readCS, show: level},
		{Name: "popf", Text: "POPFQ", Does: "clear the interrupt flag", function: popf, show: showFlags},
		{Name: "hlt", Text: "HLT", Does: "stop until an interrupt", function: hlt},
		{Name: "cli", Text: "CLI", Does: "hold off interrupts", function: cli},
		{Name: "in", Text: "IN AL, DX", Does: "read a port", function: in},
		{Name: "outb", Text: "OUT DX, AL", Does: "write to a port", function: outb},
		{Name: "readCR0", Text: "MOV RAX, CR0", Does: "read a control register", function: readCR0},
		{Name: "writeCR3", Text: "MOV CR3, RAX", Does: "change the page tables", function: writeCR3},
		{Name: "writeDR7", Text: "MOV DR7, RAX", Does: "set a hardware breakpoint", function: writeDR7},
		{Name: "lgdt", Text: "LGDT", Does: "set the segment table", function: lgdt},
		{Name: "lidt", Text: "LIDT", Does: "set the interrupt table", function: lidt},
		{Name: "rdmsr", Text: "RDMSR", Does: "read a model register", function: rdmsr},
		{Name: "wrmsr", Text: "WRMSR", Does: "write a model register", function: wrmsr},
		{Name: "invlpg", Text: "INVLPG", Does: "drop a TLB entry", function: invlpg},
		{Name: "wbinvd", Text: "WBINVD", Does: "empty the caches", function: wbinvd},
		{Name: "swapgs", Text: "SWAPGS", Does: "find the kernel's data", function: swapgs},
		{Name: "sysret", Text: "SYSRET", Does: "return to a program", function: sysret},
		{Name: "sysexit", Text: "SYSEXIT", Does: "the same, for SYSENTER", function: sysexit},
		{Name: "stac", Text: "STAC", Does: "open SMAP's gate", function: stac},
		{Name: "intPageFault", Text: "INT 14", Does: "raise a page fault", function: intPageFault},
		{Name: "rdpmc", Text: "RDPMC", Does: "read a perf counter", function: rdpmc, show: number},
		{Name: "rdtsc", Text: "RDTSC", Does: "read the clock", function: rdtsc, show: number},
		{Name: "rdtscForbidden", Text: "RDTSC, forbidden", Does: "after prctl(PR_SET_TSC)", function: rdtscForbidden, show: number},
		{Name: "sgdt", Text: "SGDT", Does: "where is the segment table?", function: sgdt, show: table},
		{Name: "sidt", Text: "SIDT", Does: "where is the interrupt table?", function: sidt, show: table},
		{Name: "smsw", Text: "SMSW", Does: "read part of CR0", function: smsw, show: number},
		{Name: "str", Text: "STR", Does: "which task segment?", function: str, show: number},
		{Name: "ud2", Text: "UD2", Does: "undefined by definition", function: ud2},
		{Name: "int3", Text: "INT3", Does: "a debugger's breakpoint", function: int3},
	}
}

// showFlags compares the flags before and after POPF.
func showFlags(v [2]uint64) string {
	const interrupts = 1 << 9
	if v[1]&interrupts != 0 {
		return "carried out, but the flag stayed set"
	}
	return "carried out, and the flag is clear"
}

// registers takes the program counter, the number of the exception and its error code from a ucontext_t
// (uapi/asm/ucontext.h, uapi/asm/sigcontext.h).
func registers(uc []byte) (pc, trap, code uint64) {
	return binary.NativeEndian.Uint64(uc[0xa8:]), binary.NativeEndian.Uint64(uc[0xc8:]), binary.NativeEndian.Uint64(uc[0xc0:])
}

// trapName says which exception it was.
func trapName(o Outcome) string {
	switch name := map[uint64]string{3: "#BP", 6: "#UD", 13: "#GP", 14: "#PF"}[o.Trap]; {
	case name == "":
		return fmt.Sprintf(" (exception %d)", o.Trap)
	case name == "#GP" && o.Signal == unix.SIGSEGV:
		return fmt.Sprintf(" (#GP, error %#x)", o.Error)
	default:
		return " (" + name + ")"
	}
}
