//go:build linux

package deref

const (
	wideBits   = 57 // with five levels of page tables
	kernelPage = "the vsyscall page: execute only"
)
