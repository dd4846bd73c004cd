package step

import (
	"encoding/binary"

	"golang.org/x/arch/arm64/arm64asm"
)

// Every instruction is a word.
const (
	instructionMin = 4
	instructionMax = 4
)

// disassemble fills in the text of the instruction that code begins with, at i.PC of a process whose addresses
// are slide more than this one's. It returns the instruction's size, or 0 where the decoder does not know it.
func (i *Instruction) disassemble(code []byte, slide uint64) int {
	if len(code) < instructionMin {
		return 0
	}
	inst, err := arm64asm.Decode(code)
	if err != nil || inst.Op == 0 {
		return 0
	}
	i.Go = arm64asm.GoSyntax(inst, i.PC, names(slide), nil)
	i.GNU = arm64asm.GNUSyntax(inst)
	return instructionMin
}

// decoded is what the stepper has to know of an instruction before it runs. It is read from the word itself:
// the decoder keeps offsets to itself, and it does not know all that touches memory.
type decoded struct {
	word    uint32
	pc      uint64
	repeats bool // never: that is for amd64
	traps   bool // raises SIGTRAP by itself
	note    string
}

func decode(pc uint64, code []byte) decoded {
	d := decoded{pc: pc}
	if len(code) < instructionMin {
		return d
	}
	d.word = binary.LittleEndian.Uint32(code)
	d.traps = d.word&0xffe0001f == 0xd4200000 // BRK
	return d
}

func (decoded) shorten([]Access, uint64)    {}
func (*registers) rounds(*registers) uint64 { return 1 }

// bits returns bits high to low of the word.
func (d decoded) bits(high, low uint) uint32 { return d.word >> low & (1<<(high-low+1) - 1) }

// signed is bits with a sign.
func (d decoded) signed(high, low uint) int64 {
	width := high - low + 1
	return int64(uint64(d.bits(high, low))<<(64-width)) >> (64 - width)
}

// accesses computes which memory the instruction will use, from the registers before it. The classes are those
// of the table "Loads and Stores" in the Arm ARM, C4.1; what is missing is told in the package's tests.
func (d decoded) accesses(r *registers) []Access {
	var a Access
	switch {
	case d.bits(29, 24) == 0b001000:
		a = d.ordered(r)
	case d.bits(29, 27) == 0b011 && d.bits(25, 24) == 0b00:
		a = d.literal()
	case d.bits(29, 27) == 0b101 && d.bits(25, 25) == 0:
		a = d.pair(r)
	case d.bits(29, 27) == 0b111 && d.bits(25, 25) == 0:
		a = d.single(r)
	case d.bits(29, 24) == 0b011001 && d.bits(21, 21) == 0 && d.bits(11, 10) == 0:
		a = Access{Kind: d.loads(22), Addr: d.base(r) + uint64(d.signed(20, 12)), Size: 1 << d.bits(31, 30)} // LDAPUR, STLUR
	case d.bits(31, 31) == 0 && d.bits(29, 24) == 0b001100:
		a = d.structures(r)
	}
	if a.Kind == 0 {
		return nil
	}
	return []Access{a}
}

// base is the value of the base register; number 31 is the stack pointer.
func (d decoded) base(r *registers) uint64 { return r.general[d.bits(9, 5)] }

// index is the value of a register that is no base; number 31 is zero.
func (r *registers) index(n uint32) uint64 {
	if n == 31 {
		return 0
	}
	return r.general[n]
}

// loads is Read where a bit is set, else Write.
func (d decoded) loads(bit uint) Kind {
	if d.bits(bit, bit) == 1 {
		return Read
	}
	return Write
}

// Exclusive, ordered, compare-and-swap: o2 (23), L (22) and o1 (21) tell them apart.
func (d decoded) ordered(r *registers) Access {
	a := Access{Kind: d.loads(22), Addr: d.base(r), Size: 1 << d.bits(31, 30)}
	switch o2, o1 := d.bits(23, 23), d.bits(21, 21); {
	case o2 == 1 && o1 == 1: // CAS
		a.Kind = ReadWrite
	case o2 == 0 && o1 == 1 && d.bits(31, 31) == 0: // CASP
		a.Kind, a.Size = ReadWrite, 8<<d.bits(30, 30)
	case o2 == 0 && o1 == 1: // LDXP, STXP
		a.Size *= 2
	}
	return a
}

func (d decoded) literal() Access {
	size := uint64(4) << d.bits(31, 30)
	switch vector, opc := d.bits(26, 26), d.bits(31, 30); {
	case vector == 0 && opc == 3: // PRFM
		return Access{}
	case vector == 0 && opc == 2: // LDRSW
		size = 4
	}
	return Access{Kind: Read, Addr: d.pc + uint64(d.signed(23, 5)*4), Size: size}
}

func (d decoded) pair(r *registers) Access {
	size := uint64(4) << d.bits(31, 30)
	if d.bits(26, 26) == 0 {
		size = 4 << d.bits(31, 31) // 1 is LDPSW
	}
	a := Access{Kind: d.loads(22), Addr: d.base(r), Size: 2 * size}
	if d.bits(24, 23) != 0b01 { // not post-indexed
		a.Addr += uint64(d.signed(21, 15)) * size
	}
	return a
}

// One register: with an immediate, with another register, or an atomic operation.
func (d decoded) single(r *registers) Access {
	scale, opc, vector := d.bits(31, 30), d.bits(23, 22), d.bits(26, 26) == 1
	if vector && opc >= 2 {
		scale = 4 // Q registers
	}
	a := Access{Kind: Read, Addr: d.base(r), Size: 1 << scale}
	if opc == 0 || vector && opc == 2 {
		a.Kind = Write
	}
	prefetch := !vector && scale == 3 && opc == 2
	switch {
	case d.bits(24, 24) == 1:
		a.Addr += uint64(d.bits(21, 10)) << scale
	case d.bits(21, 21) == 0:
		if d.bits(11, 10) != 0b01 { // not post-indexed
			a.Addr += uint64(d.signed(20, 12))
		}
	case d.bits(11, 10) == 0b10:
		a.Addr += d.extended(r, scale)
	case d.bits(11, 10) == 0b00 && !vector:
		a.Kind, prefetch = ReadWrite, false
		if d.bits(15, 12) == 0b1100 { // LDAPR
			a.Kind = Read
		}
	default:
		return Access{} // with pointer authentication
	}
	if prefetch {
		return Access{}
	}
	return a
}

// extended is an index register, extended from 32 bits or not, and shifted or not.
func (d decoded) extended(r *registers, scale uint32) uint64 {
	index := r.index(d.bits(20, 16))
	switch d.bits(15, 13) {
	case 0b010: // UXTW
		index = uint64(uint32(index))
	case 0b110: // SXTW
		index = uint64(int64(int32(index)))
	}
	if d.bits(12, 12) == 1 {
		index <<= scale
	}
	return index
}

// LD1 to LD4 and ST1 to ST4 of whole registers; the opcode says how many.
func (d decoded) structures(r *registers) Access {
	registers := map[uint32]uint64{0b0000: 4, 0b0010: 4, 0b0100: 3, 0b0110: 3, 0b0111: 1, 0b1000: 2, 0b1010: 2}[d.bits(15, 12)]
	if registers == 0 {
		return Access{}
	}
	return Access{Kind: d.loads(22), Addr: d.base(r), Size: registers * 8 << d.bits(30, 30)}
}
