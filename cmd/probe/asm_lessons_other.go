//go:build !linux

package main

import "github.com/ring3-go/ring3/asm"

// lessons are for Linux.
func lessons() []asm.Lesson { return nil }
