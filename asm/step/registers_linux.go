package step

import (
	"encoding/binary"

	"golang.org/x/sys/unix"
)

// general is the set of general registers, a row of 64-bit words in the kernel's order.
type general [generalWords]uint64

// registers are those of a stopped thread.
type registers struct {
	general general
	vector  [32]Value
	bits    int // size of each vector register; 0 where they cannot be read
}

func (t *tracee) readRegisters() error {
	var b [generalWords * 8]byte
	if _, err := getRegset(t.tid, unix.NT_PRSTATUS, b[:]); err != nil {
		return err
	}
	for i := range t.regs.general {
		t.regs.general[i] = binary.NativeEndian.Uint64(b[8*i:])
	}
	t.readVectors()
	return nil
}

// setRegisters writes the general registers.
func (t *tracee) setRegisters() error {
	var b [generalWords * 8]byte
	for i, r := range t.regs.general {
		binary.NativeEndian.PutUint64(b[8*i:], r)
	}
	return setRegset(t.tid, unix.NT_PRSTATUS, b[:])
}

// compare lists all registers as they were and as they are.
func compare(before, after *registers) []Register {
	list := make([]Register, 0, len(registerNames)+vectors)
	for _, r := range registerNames {
		was, is := before.general[r.word]&^r.hidden, after.general[r.word]&^r.hidden
		list = append(list, Register{Name: r.name, Bits: 64, Before: Value{was}, After: Value{is}})
	}
	if before.bits == 0 || before.bits != after.bits {
		return list
	}
	for i := range vectors {
		list = append(list, Register{Name: vectorName(i, after.bits), Bits: after.bits, Before: before.vector[i], After: after.vector[i]})
	}
	return list
}

// words reads n 64-bit words.
func words(b []byte, n int) (v Value) {
	for i := range n {
		v[i] = binary.NativeEndian.Uint64(b[8*i:])
	}
	return v
}

// A registerName says where in the set a register stands.
type registerName struct {
	name   string
	word   int
	hidden uint64 // bits that are the stepper's or the kernel's
}
