//go:build linux

package pipeline

import "unsafe"

// toLine is the index of the first byte of memory whose address is a multiple of 64. An object in Go's heap stays
// where it is.
func toLine(memory []byte) int {
	return int(-uintptr(unsafe.Pointer(unsafe.SliceData(memory))) % 64)
}
