//go:build linux

package sample

import "github.com/ring3-go/ring3/asm"

func more() []asm.Function { return nil }

// Accesses are those of Forms, in order.
func Accesses() []Access {
	return []Access{
		{"read", 0, 8}, {"write", 16, 8}, {"read", 32, 16}, {"write", 48, 16}, {"read", 48, 16}, {"read", 64, 8},
		{"read", 80, 8}, {"read", 96, 8}, {"read", 120, 4}, {"write", 128, 1}, {"read", 144, 2}, {"read", 160, 4},
		{"write", 176, 4}, {"read", 192, 8}, {"write", 208, 4}, {"read", 224, 16}, {"write", 240, 4}, {"read", 256, 32},
		{"write", 256, 8}, {"read", 288, 32}, {"read", 320, 1}, {"read", 319, 8}, {"read", 336, 8},
	}
}
