package step

import (
	"strings"

	"golang.org/x/arch/x86/x86asm"
)

// Sizes of instructions in bytes.
const (
	instructionMin = 1
	instructionMax = 15
)

// disassemble fills in the text of the instruction that code begins with, at i.PC of a process whose addresses
// are slide more than this one's. It returns the instruction's size, or 0 where the decoder does not know it.
func (i *Instruction) disassemble(code []byte, slide uint64) int {
	inst, ok := decodeInst(code)
	if !ok {
		return 0
	}
	symbols := names(slide)
	i.Go = x86asm.GoSyntax(inst, i.PC, symbols)
	i.GNU = x86asm.GNUSyntax(inst, i.PC, symbols)
	i.Intel = x86asm.IntelSyntax(inst, i.PC, symbols)
	return inst.Len
}

func decodeInst(code []byte) (x86asm.Inst, bool) {
	inst, err := x86asm.Decode(code, 64)
	return inst, err == nil && inst.Len > 0 && inst.Op != 0
}

// decoded is what the stepper has to know of an instruction before it runs.
type decoded struct {
	inst    x86asm.Inst
	known   bool
	pc      uint64
	repeats bool   // a string instruction with a REP prefix
	traps   bool   // raises SIGTRAP by itself
	note    string // what its registers do not say
}

func decode(pc uint64, code []byte) decoded {
	d := decoded{pc: pc}
	if d.inst, d.known = decodeInst(code); !d.known {
		return d
	}
	switch d.inst.Op {
	case x86asm.INT, x86asm.ICEBP:
		d.traps = true
	case x86asm.SYSCALL:
		d.note = "SYSCALL has no stack to save to: it leaves the return address in CX and the flags in R11 (0x100 among them is the stepper's trap flag)"
	case x86asm.PUSHF, x86asm.PUSHFD, x86asm.PUSHFQ:
		d.note = "0x100 among the flags on the stack is the stepper's trap flag"
	default:
		d.repeats = d.element() > 0 && d.hasPrefix(x86asm.PrefixREP, x86asm.PrefixREPN)
	}
	return d
}

// element is how many bytes a string instruction works on at a time; 0 with others.
func (d *decoded) element() uint64 {
	op := d.inst.Op.String()
	for _, prefix := range []string{"MOVS", "STOS", "LODS", "CMPS", "SCAS"} {
		if suffix, ok := strings.CutPrefix(op, prefix); ok {
			return map[string]uint64{"B": 1, "W": 2, "D": 4, "Q": 8}[suffix]
		}
	}
	return 0
}

func (d *decoded) hasPrefix(prefixes ...x86asm.Prefix) bool {
	for _, p := range d.inst.Prefix {
		for _, want := range prefixes {
			if p&0xff == want {
				return true
			}
		}
	}
	return false
}

// accesses computes which memory the instruction will use, from the registers before it.
func (d *decoded) accesses(r *registers) []Access {
	if !d.known {
		return nil
	}
	var list []Access
	for i, arg := range d.inst.Args {
		mem, ok := arg.(x86asm.Mem)
		if !ok {
			continue
		}
		kind := d.kind(i)
		addr, ok := d.effective(mem, r)
		if kind == 0 || !ok {
			continue
		}
		size := max(uint64(d.inst.MemBytes), d.element())
		if size == 0 { // the decoder does not say: of FXSAVE and the like
			size = 8
		}
		list = append(list, Access{Kind: kind, Addr: addr, Size: size})
	}
	if stack, ok := d.stack(r); ok {
		list = append(list, stack)
	}
	if d.repeats {
		list = d.repeat(list, r)
	}
	return list
}

// effective is the address of a memory operand: segment base + base + index*scale + displacement. It is not
// known where the index is a vector.
func (d *decoded) effective(m x86asm.Mem, r *registers) (addr uint64, ok bool) {
	switch m.Segment {
	case x86asm.FS:
		addr = r.general[wordFSBase]
	case x86asm.GS:
		addr = r.general[wordGSBase]
	}
	offset := uint64(m.Disp)
	if absolute := d.inst.Opcode>>24&^3 == 0xa0; !absolute {
		offset = uint64(int32(m.Disp)) // the decoder leaves the sign of one without a base to us
	}
	for _, part := range []struct {
		reg   x86asm.Reg
		scale uint64
	}{{m.Base, 1}, {m.Index, uint64(m.Scale)}} {
		if part.reg == 0 {
			continue
		}
		v, ok := d.value(part.reg, r)
		if !ok {
			return 0, false
		}
		offset += v * part.scale
	}
	if d.inst.AddrSize == 32 {
		offset = uint64(uint32(offset))
	}
	return addr + offset, true
}

// encoding is the order in which instructions number the registers.
var encoding = [16]int{
	wordAX, wordCX, wordDX, wordBX, wordSP, wordBP, wordSI, wordDI,
	wordR8, wordR9, wordR10, wordR11, wordR12, wordR13, wordR14, wordR15,
}

// value is that of a register in an address.
func (d *decoded) value(reg x86asm.Reg, r *registers) (uint64, bool) {
	switch {
	case reg >= x86asm.RAX && reg <= x86asm.R15:
		return r.general[encoding[reg-x86asm.RAX]], true
	case reg >= x86asm.EAX && reg <= x86asm.R15L:
		return uint64(uint32(r.general[encoding[reg-x86asm.EAX]])), true
	case reg == x86asm.RIP:
		return d.pc + uint64(d.inst.Len), true
	case reg == x86asm.EIP:
		return uint64(uint32(d.pc + uint64(d.inst.Len))), true
	}
	return 0, false
}

// stack is the access that an instruction makes to the stack by itself.
func (d *decoded) stack(r *registers) (Access, bool) {
	size := uint64(8)
	if d.hasPrefix(x86asm.PrefixDataSize) {
		size = 2
	}
	switch d.inst.Op {
	case x86asm.PUSH, x86asm.PUSHF, x86asm.PUSHFQ:
		return Access{Kind: Write, Addr: r.sp() - size, Size: size}, true
	case x86asm.CALL:
		return Access{Kind: Write, Addr: r.sp() - 8, Size: 8}, true
	case x86asm.POP, x86asm.POPF, x86asm.POPFQ:
		return Access{Kind: Read, Addr: r.sp(), Size: size}, true
	case x86asm.RET:
		return Access{Kind: Read, Addr: r.sp(), Size: 8}, true
	case x86asm.LEAVE:
		return Access{Kind: Read, Addr: r.general[wordBP], Size: 8}, true
	}
	return Access{}, false
}

// repeat extends the accesses of one round to those of CX rounds.
func (d *decoded) repeat(list []Access, r *registers) []Access {
	const down = 1 << 10 // DF: addresses fall
	rounds := r.general[wordCX]
	if rounds == 0 {
		return nil
	}
	for i := range list {
		if r.general[wordFlags]&down != 0 {
			list[i].Addr -= (rounds - 1) * list[i].Size
		}
		list[i].Size *= rounds
	}
	return list
}

// shorten takes back what repeat foresaw and did not come: a comparison may end early.
func (d *decoded) shorten(list []Access, rounds uint64) {
	for i := range list {
		a := &list[i]
		a.Size = min(a.Size, rounds*d.element())
		a.Before = a.Before[:min(uint64(len(a.Before)), a.Size)]
	}
}

// rounds is how often a repeated instruction ran between two states.
func (r *registers) rounds(after *registers) uint64 {
	return r.general[wordCX] - after.general[wordCX]
}

// kind is how the instruction uses memory operand i; 0 is not at all.
func (d *decoded) kind(i int) Kind {
	op := d.inst.Op.String()
	if untouched[op] || strings.HasPrefix(op, "PREFETCH") {
		return 0
	}
	if i > 0 {
		if op == "XCHG" || op == "XADD" {
			return ReadWrite
		}
		return Read
	}
	one := d.inst.Args[1] == nil
	switch {
	case readsFirst[op], one && readsAlone[op]:
		return Read
	case writesFirst(op):
		return Write
	}
	return ReadWrite
}

// untouched are the instructions that take an address and leave the memory alone.
var untouched = map[string]bool{
	"LEA": true, "NOP": true, "INVLPG": true, "CLFLUSH": true, "CLFLUSHOPT": true, "CLWB": true, "CLDEMOTE": true,
}

// readsFirst are those that only read their first operand, in Intel's order, which is as a rule the result.
var readsFirst = map[string]bool{
	"CMP": true, "TEST": true, "BT": true, "PUSH": true, "CALL": true, "JMP": true, "LDMXCSR": true, "VLDMXCSR": true,
	"FLD": true, "FILD": true, "FBLD": true, "FLDCW": true, "FLDENV": true, "FRSTOR": true, "FXRSTOR": true, "FXRSTOR64": true,
	"XRSTOR": true, "XRSTOR64": true, "LGDT": true, "LIDT": true, "LLDT": true, "LTR": true, "LMSW": true, "VERR": true, "VERW": true,
	"CMPSB": true, "CMPSW": true, "CMPSD": true, "CMPSQ": true, "SCASB": true, "SCASW": true, "SCASD": true, "SCASQ": true,
}

// readsAlone read their operand where it is the only one.
var readsAlone = map[string]bool{
	"MUL": true, "IMUL": true, "DIV": true, "IDIV": true,
	"FADD": true, "FSUB": true, "FSUBR": true, "FMUL": true, "FDIV": true, "FDIVR": true, "FCOM": true, "FCOMP": true,
	"FIADD": true, "FISUB": true, "FISUBR": true, "FIMUL": true, "FIDIV": true, "FIDIVR": true, "FICOM": true, "FICOMP": true,
}

// writesFirst reports whether an instruction overwrites its first operand without reading it.
func writesFirst(op string) bool {
	for _, prefix := range []string{
		"MOV", "VMOV", "SET", "STOS", "POP", "FST", "FIST", "FBSTP", "FNST", "FNSAVE", "STMXCSR", "VSTMXCSR", "SGDT", "SIDT", "SLDT",
		"STR", "SMSW", "FXSAVE", "XSAVE", "PEXTR", "VPEXTR", "EXTRACT", "VEXTRACT", "MASKMOV", "VMASKMOV", "VPMASKMOV",
	} {
		if strings.HasPrefix(op, prefix) {
			return true
		}
	}
	return false
}
