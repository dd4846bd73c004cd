package mmu

// decodeSaid takes apart what landed puts together.
func decodeSaid(said uint64) (trap int, code uint64) { return int(said >> 32), said & 0xffff_ffff }

// untagged are the bits of an address that the kernel reports: all.
const untagged = ^uintptr(0)
