package mmu

// decodeSaid finds the exception class in ESR.
func decodeSaid(esr uint64) (trap int, code uint64) {
	if esr == 0 {
		return -1, 0
	}
	return int(esr >> 26 & 0x3f), esr
}

// untagged are the bits of an address that the kernel reports: not the tag.
const untagged = 1<<56 - 1
