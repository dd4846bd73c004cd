//go:build linux

package regs

import "fmt"

// What this processor's functions do; the lesson prints it and the tests hold it.
const (
	// frameBytes is what lies between the stack pointer in Where and its arguments: R30, 16 bytes of
	// variables, 8 to a multiple of 16, and the caller's word for its own R30.
	frameBytes = 8 + 16 + 8 + 8
	// marked are the registers that Survivors fills: R1 to R17 and R19 to R26.
	marked = 0x3fffe | 0xff<<19
	// keptByGo are those of them that Go's assembly has to keep, keptByC those of C.
	keptByGo = 0
	keptByC  = 0xff << 19
)

var registerNames = func() (names []string) {
	for i := range 31 {
		names = append(names, fmt.Sprintf("R%d", i))
	}
	return names
}()
