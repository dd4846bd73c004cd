package step

import (
	"path"
	"runtime"
	"strings"

	"github.com/ring3-go/ring3/asm"
)

// A symbol is a function of this binary; the zero value is none.
type symbol struct {
	name string // in full
	base uint64 // where it begins
}

// short is the name without the path of its package.
func (s symbol) short() string { return s.name[strings.LastIndexByte(s.name, '/')+1:] }

// packageOf is the path of a function's package, with the point that follows.
func packageOf(function string) string {
	slash := strings.LastIndexByte(function, '/') + 1
	point := strings.IndexByte(function[slash:], '.')
	return function[:slash+point+1]
}

// lookup returns the function that an address of this process belongs to.
func lookup(pc uint64) symbol {
	f := runtime.FuncForPC(uintptr(pc))
	if f == nil {
		return symbol{}
	}
	return symbol{f.Name(), uint64(f.Entry())}
}

// locate fills in where an instruction is from. Its address in this process is slide less than its PC.
func (i *Instruction) locate(slide uint64) {
	f := runtime.FuncForPC(uintptr(i.PC - slide))
	if f == nil {
		return
	}
	i.Function = path.Base(f.Name())
	i.Offset = i.PC - slide - uint64(f.Entry())
	i.File, i.Line = f.FileLine(uintptr(i.PC - slide))
}

// Disassemble returns the instructions of a function in the order in which they lie in memory. One that the
// decoder does not know ends where the assembler's next line begins.
func Disassemble(f asm.Function) []Instruction {
	code := f.Code()
	var list []Instruction
	for at := 0; at < len(code); {
		pc := uint64(f.Entry) + uint64(at)
		in := Instruction{PC: pc}
		n := in.disassemble(code[at:], 0)
		in.locate(0)
		if n == 0 {
			n = extent(pc, len(code)-at)
		}
		in.Bytes = code[at : at+n]
		list = append(list, in)
		at += n
	}
	return list
}

// extent is how many bytes from pc, an address of this process, belong to the same line of the source: an
// instruction, as a rule. Outside of the binary it is limit.
func extent(pc uint64, limit int) int {
	if instructionMin > 1 {
		return min(instructionMin, limit)
	}
	f := runtime.FuncForPC(uintptr(pc))
	if f == nil {
		return limit
	}
	_, line := f.FileLine(uintptr(pc))
	for n := 1; n < limit; n++ {
		if _, l := f.FileLine(uintptr(pc) + uintptr(n)); l != line {
			return n
		}
	}
	return limit
}

// names returns what the disassembler asks for the name of an address.
func names(slide uint64) func(uint64) (string, uint64) {
	return func(addr uint64) (string, uint64) {
		s := lookup(addr - slide)
		if s.name == "" {
			return "", 0
		}
		return s.short(), s.base + slide
	}
}
