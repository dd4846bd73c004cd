package step

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// Words of struct user_regs_struct (arch/x86/include/asm/user_64.h).
const (
	wordR15 = iota
	wordR14
	wordR13
	wordR12
	wordBP
	wordBX
	wordR11
	wordR10
	wordR9
	wordR8
	wordAX
	wordCX
	wordDX
	wordSI
	wordDI
	wordOrigAX
	wordIP
	wordCS
	wordFlags
	wordSP
	wordSS
	wordFSBase
	wordGSBase
	wordDS
	wordES
	wordFS
	wordGS
	generalWords
)

// breakpoint is INT3; the program counter stands behind it when it traps.
var breakpoint = []byte{0xcc}

const (
	trapSize = 1
	// stepFlags are TF, which makes the processor trap, and RF, which it sets when a fault interrupts an
	// instruction.
	stepFlags = 1<<8 | 1<<16
)

// registerNames are in the order of the encoding, which has CX before BX.
var registerNames = []registerName{
	{"AX", wordAX, 0}, {"CX", wordCX, 0}, {"DX", wordDX, 0}, {"BX", wordBX, 0},
	{"SP", wordSP, 0}, {"BP", wordBP, 0}, {"SI", wordSI, 0}, {"DI", wordDI, 0},
	{"R8", wordR8, 0}, {"R9", wordR9, 0}, {"R10", wordR10, 0}, {"R11", wordR11, 0},
	{"R12", wordR12, 0}, {"R13", wordR13, 0}, {"R14", wordR14, 0}, {"R15", wordR15, 0},
	{"FLAGS", wordFlags, stepFlags}, {"FSBASE", wordFSBase, 0}, {"GSBASE", wordGSBase, 0},
}

func (r *registers) pc() uint64      { return r.general[wordIP] }
func (r *registers) sp() uint64      { return r.general[wordSP] }
func (r *registers) setPC(pc uint64) { r.general[wordIP] = pc }

// vectors is how many vector registers there are without AVX-512, which is left out.
const vectors = 16

// vectorName is X0 or, where the processor has the upper half, Y0.
func vectorName(i, bits int) string {
	if bits > 128 {
		return fmt.Sprintf("Y%d", i)
	}
	return fmt.Sprintf("X%d", i)
}

// The area that XSAVE writes, in its standard form: the 512 bytes of FXSAVE, a header that begins with the
// set of components in use, and the upper halves of the AVX registers (Intel SDM volume 1, 13.4).
const (
	noteXstate  = 0x202 // NT_X86_XSTATE
	fxsaveX0    = 160
	fxsaveSize  = 512
	avxOffset   = 576
	avxSize     = 16 * 16
	avxBit      = 1 << 2
	xstateBytes = 16 << 10 // more than any processor has
)

func (t *tracee) readVectors() {
	var area [xstateBytes]byte
	t.regs.bits = 128
	n, err := getRegset(t.tid, noteXstate, area[:])
	if err != nil { // no XSAVE
		if n, err = getRegset(t.tid, unix.NT_PRFPREG, area[:fxsaveSize]); err != nil || n < fxsaveSize {
			t.regs.bits = 0
			return
		}
	}
	for i := range vectors {
		t.regs.vector[i] = words(area[fxsaveX0+16*i:], 2)
	}
	if n < avxOffset+avxSize {
		return
	}
	t.regs.bits = 256
	if inUse := words(area[fxsaveSize:], 1)[0]; inUse&avxBit == 0 {
		return // upper halves are zero, and not in memory
	}
	for i := range vectors {
		high := words(area[avxOffset+16*i:], 2)
		t.regs.vector[i][2], t.regs.vector[i][3] = high[0], high[1]
	}
}

// returnAddress is where a function returns to, told at its entry: CALL has pushed the address.
func (t *tracee) returnAddress() (uint64, error) {
	sp := t.regs.sp()
	b := t.peek(sp, make([]byte, 8))
	if len(b) < 8 {
		return 0, fmt.Errorf("no return address can be read at %#x", sp)
	}
	return words(b, 1)[0], nil
}

// returned reports whether a function that was entered with the stack pointer at sp has returned: RET has
// taken the address off.
func (r *registers) returned(sp uint64) bool { return r.sp() > sp }
