package asm

// trimFilling drops the INT3 instructions (0xcc) that the linker puts behind a function, so that the next one
// begins at a multiple of 32 bytes.
func trimFilling(code []byte) []byte {
	for len(code) > 1 && code[len(code)-1] == 0xcc {
		code = code[:len(code)-1]
	}
	return code
}
