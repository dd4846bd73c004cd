//go:build linux

package syscall

const (
	clockName = "__vdso_clock_gettime"
	// tried are the registers that Kept fills; lost are those of them that the instruction overwrites.
	tried = 0xffff &^ (1<<0 | 1<<4 | 1<<5)
	lost  = 1<<1 | 1<<11
	// lostNames are they, in words.
	lostNames = "CX and R11"
	// instruction is what changes the ring.
	instruction = "SYSCALL"
)
