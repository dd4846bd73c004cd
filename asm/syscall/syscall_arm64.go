//go:build linux

package syscall

const (
	clockName = "__kernel_clock_gettime"
	// tried are the registers that Kept fills; lost are those of them that the instruction overwrites.
	tried = 0x3fffe&^(1<<8) | 0xff<<19
	lost  = 0
	// lostNames are they, in words.
	lostNames = "none but R0, the answer"
	// instruction is what changes the ring.
	instruction = "SVC"
)
