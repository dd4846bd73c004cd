//go:build linux

package fiber

import (
	"encoding/binary"
	"fmt"
	"runtime"
	"strings"
)

// A slot is one 8-byte word of a context.
type slot struct {
	offset  int
	name    string
	meaning string // of what prepare writes there
	initial func(prepared) uint64
}

func zero(prepared) uint64 { return 0 }

// A Word is 8 bytes of a fiber's stack.
type Word struct {
	Addr  uintptr
	Value uint64
	// Name is the register whose value it is, or what the word belongs to.
	Name string
	// Meaning says what the value is, as far as it can be told.
	Meaning string
}

// String is one line of at most 100 columns.
func (w Word) String() string {
	return strings.TrimRight(fmt.Sprintf("0x%012x  0x%016x  %-12s  %s", w.Addr, w.Value, w.Name, w.Meaning), " ")
}

// Stack shows the stack of a fiber that does not run, word by word from its SP up to its block: the context,
// and above it what the body has there. For one that has not run yet that is what Spawn has written. It is
// nil when the fiber has returned or the scheduler is closed.
func (f *Fiber) Stack() (list []Word) {
	f.look(func(a *arena) {
		if f.block.done == 0 {
			list = f.words(a)
		}
	})
	return list
}

// words reads the stack of a fiber that has stopped, in the arena that it lies in.
func (f *Fiber) words(a *arena) []Word {
	stack := a.stack(f.index)
	base := a.base() + uintptr(f.index*(a.guard+a.size)+a.guard)
	from := int(f.block.sp - base)
	blockAt := len(stack) - blockSize
	var list []Word
	for at := from; at < blockAt; at += 8 {
		w := Word{Addr: base + uintptr(at), Value: binary.NativeEndian.Uint64(stack[at:]), Name: "frame"}
		w.Meaning = textMeaning(w.Value)
		if top := uint64(base) + uint64(len(stack)); w.Value >= uint64(base) && w.Value < top {
			w.Meaning = fmt.Sprintf("an address in this stack, %d below its end", top-w.Value)
		}
		for _, slot := range slots() {
			if at-from == slot.offset {
				w.Name = slot.name
				// A function says more than the slot does; of the rest, what prepare wrote is known.
				first := slot.initial(prepared{block: uint64(base) + uint64(blockAt)})
				if textMeaning(w.Value) == "" && w.Value == first {
					w.Meaning = slot.meaning
				}
			}
		}
		list = append(list, w)
	}
	return append(list, Word{Addr: base + uintptr(blockAt), Value: uint64(f.block.yield), Name: "block",
		Meaning: textMeaning(uint64(f.block.yield)) + ": where a body calls to end its turn"})
}

// textMeaning names the function that an address lies in, or nothing.
func textMeaning(value uint64) string {
	f := runtime.FuncForPC(uintptr(value))
	if f == nil {
		return ""
	}
	return fmt.Sprintf("%s+%d", f.Name(), uintptr(value)-f.Entry())
}
