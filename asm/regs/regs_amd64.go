//go:build linux

package regs

// What this processor's functions do; the lesson prints it and the tests hold it.
const (
	// frameBytes is what lies between the stack pointer in Where and its arguments: 16 bytes of variables,
	// BP, and the address to return to.
	frameBytes = 16 + 8 + 8
	// marked are the registers that Survivors fills; 0 has the mask, 4 is SP.
	marked = 0xffff &^ (1<<0 | 1<<4)
	// keptByGo are those that Go's assembly has to keep, keptByC those of C.
	keptByGo = 1 << 5
	keptByC  = 1<<3 | 1<<5 | 1<<12 | 1<<13 | 1<<14 | 1<<15
)

var registerNames = []string{"AX", "CX", "DX", "BX", "SP", "BP", "SI", "DI", "R8", "R9", "R10", "R11", "R12", "R13", "R14", "R15"}
