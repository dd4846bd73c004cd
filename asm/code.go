package asm

import (
	"runtime"
	"unsafe"
)

// codeMax bounds what Code looks at: no lesson has a function of so many bytes.
const codeMax = 64 << 10

// Code returns a copy of the function's instructions as they stand in memory, from Entry to its end; nil
// where no function begins at Entry. The filling between one function and the next is left out.
func (f Function) Code() []byte {
	fn := runtime.FuncForPC(f.Entry)
	if fn == nil || fn.Entry() != f.Entry {
		return nil
	}
	// The runtime does not say how long a function is, but to which one an address belongs.
	var code []byte
	for pc := f.Entry; len(code) < codeMax; pc++ {
		if in := runtime.FuncForPC(pc); in == nil || in.Entry() != f.Entry {
			break
		}
		code = append(code, loadByte(pc))
	}
	return trimFilling(code)
}

// loadByte reads a byte of the program's own text, which is mapped for as long as the process lives and
// which the garbage collector does not own: an address of it may be a number.
func loadByte(pc uintptr) byte { return **(**byte)(unsafe.Pointer(&pc)) }
