//go:build linux

package sample

import "github.com/ring3-go/ring3/asm"

func more() []asm.Function { return nil }
