package step

import (
	"slices"
	"syscall"
)

// sequenceMax bounds the search for the store-exclusive: architecture and common sense keep sequences short.
const sequenceMax = 32

// loadExclusive and storeExclusive tell LDXR, LDAXR, LDXP, LDAXP and STXR, STLXR, STXP, STLXP.
func (d decoded) loadExclusive() bool  { return d.isExclusive() && d.bits(22, 22) == 1 }
func (d decoded) storeExclusive() bool { return d.isExclusive() && d.bits(22, 22) == 0 }

func (d decoded) isExclusive() bool {
	pairs := d.bits(21, 21) == 1
	return d.bits(29, 24) == 0b001000 && d.bits(23, 23) == 0 && (!pairs || d.bits(31, 31) == 1)
}

// exclusive returns the instructions from a load-exclusive to the store-exclusive that it belongs to, or nil
// where the instruction is no load-exclusive or no store follows on a straight way.
func (t *tracee) exclusive(pc uint64, d decoded) []Instruction {
	if !d.loadExclusive() {
		return nil
	}
	var list []Instruction
	for range sequenceMax {
		in := t.instruction(pc)
		list = append(list, in)
		d := decode(pc, in.Bytes)
		if d.storeExclusive() {
			return list
		}
		if d.leaves() {
			return nil
		}
		pc += instructionMin
	}
	return nil
}

// leaves reports whether the instruction never, or not at once, goes on with the next: B, BL, BR, BLR, RET and
// calls of the kernel.
func (d decoded) leaves() bool {
	return d.bits(30, 26) == 0b00101 || d.bits(31, 25) == 0b1101011 || d.bits(31, 24) == 0b11010100
}

// target is where a conditional branch goes to.
func (d decoded) target() (uint64, bool) {
	switch {
	case d.bits(31, 25) == 0b0101010, d.bits(30, 25) == 0b011010: // B.cond; CBZ, CBNZ
		return d.pc + uint64(d.signed(23, 5)*4), true
	case d.bits(30, 25) == 0b011011: // TBZ, TBNZ
		return d.pc + uint64(d.signed(18, 5)*4), true
	}
	return 0, false
}

// runSequence runs to behind the store, or to where a branch leads out.
func (t *tracee) runSequence(list []Instruction) (syscall.Signal, error) {
	first, last := list[0].PC, list[len(list)-1].PC
	ends := []uint64{last + instructionMin}
	for _, in := range list {
		to, ok := decode(in.PC, in.Bytes).target()
		if ok && (to < first || to > last) && !slices.Contains(ends, to) {
			ends = append(ends, to)
		}
	}
	return t.runTo(ends, func() bool { return true })
}
