package litmus

import "unsafe"

// All conversions of pointers are in this file. Each stays inside the slice that it was given a pointer into,
// so the collector sees what is used.

// alignedTo returns the first word of s at a multiple of n bytes; s must have n bytes to spare.
func alignedTo(s []uint64, n uintptr) *uint64 {
	over := uintptr(unsafe.Pointer(&s[0])) % n
	return &s[(n-over)%n/8]
}

// at returns the word n bytes after p.
func at(p *uint64, n int) *uint64 { return (*uint64)(unsafe.Add(unsafe.Pointer(p), n)) }

// signed is p as the assembly compares it.
func signed(p *uint64) *int64 { return (*int64)(unsafe.Pointer(p)) }
