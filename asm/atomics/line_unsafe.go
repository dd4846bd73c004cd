//go:build linux && (amd64 || arm64)

package atomics

import "unsafe"

// lineStart returns the index of the first word at a multiple of 256 bytes, two pairs of cache lines. Only the
// address is looked at; nothing is reached through it.
func lineStart(memory []uint64) int {
	const bytes = 256
	over := int(uintptr(unsafe.Pointer(&memory[0])) % bytes)
	return (bytes - over) % bytes / 8
}
