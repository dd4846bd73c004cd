package step

import "syscall"

// exclusive is for processors that have a load-exclusive. This one locks the memory within an instruction.
func (*tracee) exclusive(uint64, decoded) []Instruction { return nil }

func (t *tracee) runSequence([]Instruction) (syscall.Signal, error) { return t.singleStep() }
