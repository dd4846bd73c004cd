//go:build linux

package memory

import "github.com/ring3-go/ring3/asm"

//go:noescape
func copyBytes(dst, src *byte, n int)

//go:noescape
func copyWords(dst, src *byte, n int)

//go:noescape
func copyVector(dst, src *byte, n int)

//go:noescape
func copyStream(dst, src *byte, n int)

func copies() []Copy {
	return []Copy{
		{"copyBytes", "1 byte at a time", copyBytes},
		{"copyWords", "LDP, STP: 16 bytes at a time", copyWords},
		{"copyVector", "4 registers of 16 bytes", copyVector},
		{"copyStream", "LDNP, STNP: hinted not to stay", copyStream},
	}
}

var copyStreamEntry uintptr

// moreFunctions are those that only this processor has.
func moreFunctions() []asm.Function {
	return []asm.Function{{Name: "copyStream", Entry: copyStreamEntry, Call: func() { copyOnce(copyStream) }}}
}
