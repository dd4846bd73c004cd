//go:build linux

package memory

import (
	"golang.org/x/sys/cpu"

	"github.com/ring3-go/ring3/asm"
)

//go:noescape
func copyBytes(dst, src *byte, n int)

//go:noescape
func copyWords(dst, src *byte, n int)

//go:noescape
func copyRep(dst, src *byte, n int)

//go:noescape
func copySSE(dst, src *byte, n int)

//go:noescape
func copyAVX(dst, src *byte, n int)

//go:noescape
func copyStream(dst, src *byte, n int)

func copies() []Copy {
	list := []Copy{
		{"copyBytes", "1 byte at a time", copyBytes},
		{"copyWords", "8 bytes at a time", copyWords},
		{"copyRep", "REP MOVSB", copyRep},
		{"copySSE", "4 registers of 16 bytes", copySSE},
	}
	if cpu.X86.HasAVX {
		list = append(list, Copy{"copyAVX", "4 registers of 32 bytes", copyAVX})
	}
	return append(list, Copy{"copyStream", "4 of 16 bytes, past the caches", copyStream})
}

var copyRepEntry uintptr

// moreFunctions are those that only this processor has.
func moreFunctions() []asm.Function {
	return []asm.Function{{Name: "copyRep", Entry: copyRepEntry, Call: func() { copyOnce(copyRep) }}}
}
