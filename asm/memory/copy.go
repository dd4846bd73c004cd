//go:build linux

package memory

import "unsafe"

// A Copy is one way to copy memory.
type Copy struct {
	// Name is that of the function in assembly.
	Name string
	// How says in a few words what it does it with.
	How string

	copy func(dst, src *byte, n int)
}

// Copy copies min(len(dst), len(src)) bytes and returns how many, like the built-in copy. Unlike it, dst and src
// must not overlap, except where they begin at the same byte: it goes upward, and may read bytes that it has
// written. Safe for concurrent use.
func (c Copy) Copy(dst, src []byte) int {
	n := min(len(dst), len(src))
	if n > 0 {
		c.copy(unsafe.SliceData(dst), unsafe.SliceData(src), n)
	}
	return n
}

// Copies returns all that this processor can do. They differ in speed alone.
func Copies() []Copy { return copies() }
