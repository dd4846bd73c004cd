package mmu

import "golang.org/x/sys/cpu"

// hasAVX says that the processor has AVX and that the kernel saves its registers. guarded_amd64.s reads it.
//
//lint:ignore U1000 assembly refers to it
var hasAVX = cpu.X86.HasAVX
