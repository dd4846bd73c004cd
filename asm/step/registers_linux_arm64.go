package step

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// Words of struct user_pt_regs (arch/arm64/include/uapi/asm/ptrace.h): R0 to R30 come first.
const (
	wordLR    = 30
	wordSP    = 31
	wordPC    = 32
	wordFlags = 33

	generalWords = 34
)

// breakpoint is BRK $0; the program counter stays at it when it traps.
var breakpoint = []byte{0x00, 0x00, 0x20, 0xd4}

const (
	trapSize = 0
	// stepFlags is PSTATE.SS, which makes the processor trap.
	stepFlags = 1 << 21
)

// registerNames: the stack pointer is RSP to Go, because SP is a name for what is relative to a frame.
var registerNames = func() (names []registerName) {
	for i := range wordSP {
		names = append(names, registerName{fmt.Sprintf("R%d", i), i, 0})
	}
	return append(names, registerName{"RSP", wordSP, 0}, registerName{"PSTATE", wordFlags, stepFlags})
}()

func (r *registers) pc() uint64      { return r.general[wordPC] }
func (r *registers) sp() uint64      { return r.general[wordSP] }
func (r *registers) setPC(pc uint64) { r.general[wordPC] = pc }

const vectors = 32

func vectorName(i, _ int) string { return fmt.Sprintf("V%d", i) }

func (t *tracee) readVectors() {
	var area [vectors*16 + 16]byte // struct user_fpsimd_state: the registers, FPSR, FPCR, filling
	n, err := getRegset(t.tid, unix.NT_PRFPREG, area[:])
	if err != nil || n < vectors*16 {
		t.regs.bits = 0
		return
	}
	t.regs.bits = 128
	for i := range vectors {
		t.regs.vector[i] = words(area[16*i:], 2)
	}
}

// returnAddress is where a function returns to, told at its entry: BL has put the address into the link
// register.
func (t *tracee) returnAddress() (uint64, error) { return t.regs.general[wordLR], nil }

// returned reports whether a function that was entered with the stack pointer at sp has returned.
func (r *registers) returned(sp uint64) bool { return r.sp() >= sp }
