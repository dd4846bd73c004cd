package main

import (
	"github.com/ring3-go/ring3/asm"
	"github.com/ring3-go/ring3/asm/deref"
	"github.com/ring3-go/ring3/asm/regs"
	"github.com/ring3-go/ring3/asm/syscall"
)

// lessons are all there are, in the order of the course.
func lessons() []asm.Lesson {
	return []asm.Lesson{
		deref.Lesson(),
		regs.Lesson(),
		syscall.Lesson(),
	}
}
