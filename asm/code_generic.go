//go:build !amd64

package asm

// trimFilling drops the zeros that the linker puts behind a function, so that the next one begins at a
// multiple of 16 bytes. On arm64 four of them are an undefined instruction, which no lesson ends with.
func trimFilling(code []byte) []byte {
	for len(code) > 4 && string(code[len(code)-4:]) == "\x00\x00\x00\x00" {
		code = code[:len(code)-4]
	}
	return code
}
