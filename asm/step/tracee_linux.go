package step

// symbol returns the function that an address of the child belongs to; its base is an address of the child.
func (t *tracee) symbol(pc uint64) symbol {
	s := lookup(pc - t.slide)
	if s.name != "" {
		s.base += t.slide
	}
	return s
}

// instruction reads the one at an address of the child.
func (t *tracee) instruction(pc uint64) Instruction {
	in := Instruction{PC: pc}
	in.Bytes = t.peek(pc, make([]byte, instructionMax))
	n := in.disassemble(in.Bytes, t.slide)
	in.locate(t.slide)
	if n == 0 { // not known
		n = extent(pc-t.slide, len(in.Bytes))
	}
	in.Bytes = in.Bytes[:n]
	return in
}
