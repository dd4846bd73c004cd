//go:build !linux

package step

const instructionMin = 1

// disassemble knows nothing here.
func (*Instruction) disassemble([]byte, uint64) int { return 0 }
