package main

import (
	"github.com/ring3-go/ring3/asm"
	"github.com/ring3-go/ring3/asm/atomics"
	"github.com/ring3-go/ring3/asm/cpuid"
	"github.com/ring3-go/ring3/asm/deref"
	"github.com/ring3-go/ring3/asm/fiber"
	"github.com/ring3-go/ring3/asm/litmus"
	"github.com/ring3-go/ring3/asm/memory"
	"github.com/ring3-go/ring3/asm/pipeline"
	"github.com/ring3-go/ring3/asm/privilege"
	"github.com/ring3-go/ring3/asm/regs"
	"github.com/ring3-go/ring3/asm/syscall"
	"github.com/ring3-go/ring3/asm/tsc"
)

// lessons are all there are, in the order of the course.
func lessons() []asm.Lesson {
	return []asm.Lesson{
		deref.Lesson(),
		regs.Lesson(),
		syscall.Lesson(),
		privilege.Lesson(),
		cpuid.Lesson(),
		tsc.Lesson(),
		litmus.Lesson(),
		atomics.Lesson(),
		fiber.Lesson(),
		memory.Lesson(),
		pipeline.Lesson(),
	}
}
