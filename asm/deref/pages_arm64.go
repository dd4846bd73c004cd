//go:build linux

package deref

const (
	wideBits   = 52 // with large virtual addresses (FEAT_LVA)
	kernelPage = "the kernel's half, near its end"
)
