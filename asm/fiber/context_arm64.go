//go:build linux

package fiber

import (
	"encoding/binary"
	"fmt"
	"unsafe"
)

const (
	contextSize = 176
	blockSize   = int(unsafe.Sizeof(block{}))
)

// slots is the context as fiber_arm64.s has it. FPCR 0 is what every process starts with: no exceptions,
// rounding to nearest (Arm ARM, C5.2.8).
func slots() []slot {
	list := []slot{
		{0, "R19", "the fiber's block", func(c prepared) uint64 { return c.block }},
		{8, "R20", "the body", func(c prepared) uint64 { return c.body }},
	}
	for r := 21; r <= 27; r++ {
		list = append(list, slot{(r - 19) * 8, fmt.Sprintf("R%d", r), "nothing yet", zero})
	}
	list = append(list,
		slot{72, "R29", "no frame above", zero},
		slot{80, "R30", "where to go on", func(c prepared) uint64 { return uint64(c.pc) }},
		slot{88, "FPCR", "no exceptions, round to nearest", zero})
	for r := 8; r <= 15; r++ {
		list = append(list, slot{96 + (r-8)*8, fmt.Sprintf("F%d", r), "nothing yet", zero})
	}
	return append(list, slot{160, "unused", "nothing", zero}, slot{168, "caller's R29", "nothing yet", zero})
}

// checksStack reports whether the function at pc begins as the assembler begins those that are not NOSPLIT: it
// loads the word at 16(g), g.stackguard0, to R16.
func checksStack(pc uintptr) bool {
	return binary.LittleEndian.Uint32(loadText(pc, 4)) == 0xf9400b90
}
