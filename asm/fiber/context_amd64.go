//go:build linux

package fiber

import (
	"bytes"
	"unsafe"
)

const (
	contextSize = 64
	blockSize   = int(unsafe.Sizeof(block{}))
)

// slots is the context as fiber_amd64.s has it. The control words are those that every process starts with:
// all exceptions masked, rounding to nearest, 64-bit mantissa (Intel SDM, volume 1, 8.1.5 and 10.2.3).
func slots() []slot {
	return []slot{
		{0, "MXCSR, x87CW", "no exceptions, round to nearest", func(prepared) uint64 { return 0x037f_0000_1f80 }},
		{8, "BX", "the fiber's block", func(c prepared) uint64 { return c.block }},
		{16, "BP", "no frame above", zero},
		{24, "R12", "the body", func(c prepared) uint64 { return c.body }},
		{32, "R13", "nothing yet", zero},
		{40, "R14", "nothing yet", zero},
		{48, "R15", "nothing yet", zero},
		{56, "PC", "where to go on", func(c prepared) uint64 { return uint64(c.pc) }},
	}
}

// checksStack reports whether the function at pc begins as the assembler begins those that are not NOSPLIT: it
// gets g from thread-local storage to R14, and compares SP, or R12 = SP less a large frame, with the word at
// 16(R14), g.stackguard0.
func checksStack(pc uintptr) bool {
	code := loadText(pc, 40)
	switch {
	case bytes.HasPrefix(code, []byte{0x64, 0x4c, 0x8b, 0x34, 0x25}): // MOVQ FS:x, R14
		code = code[9:]
	case bytes.HasPrefix(code, []byte{0x49, 0xc7, 0xc6}) && bytes.HasPrefix(code[7:], []byte{0x64, 0x4d, 0x8b, 0x36}):
		code = code[11:] // MOVQ $x, R14; MOVQ FS:(R14), R14
	default:
		return false
	}
	toR12 := bytes.HasPrefix(code, []byte{0x4c, 0x8d, 0x64, 0x24}) || // LEAQ -x(SP), R12
		bytes.HasPrefix(code, []byte{0x4c, 0x8d, 0xa4, 0x24}) ||
		bytes.HasPrefix(code, []byte{0x49, 0x89, 0xe4}) // MOVQ SP, R12; SUBQ $x, R12
	return bytes.HasPrefix(code, []byte{0x49, 0x3b, 0x66, 0x10}) || // CMPQ SP, 16(R14)
		toR12 && bytes.Contains(code[:24], []byte{0x4d, 0x3b, 0x66, 0x10}) // CMPQ R12, 16(R14)
}
