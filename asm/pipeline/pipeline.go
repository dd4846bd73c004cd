//go:build linux

package pipeline

import (
	"embed"

	"github.com/ring3-go/ring3/asm"
)

// Chains of 8*n multiplications or additions in all, in so many registers, which begin with seed, seed+1 and so
// on. They return the XOR of the registers. n is at least 1.
func mul1(seed, factor uint64, n int) uint64
func mul2(seed, factor uint64, n int) uint64
func mul4(seed, factor uint64, n int) uint64
func mul8(seed, factor uint64, n int) uint64
func add1(seed, factor uint64, n int) uint64
func add2(seed, factor uint64, n int) uint64
func add4(seed, factor uint64, n int) uint64
func add8(seed, factor uint64, n int) uint64

// countBranch and countSet return how many of the n bytes from p on, at least 1, are at least limit.
//
//go:noescape
func countBranch(p *byte, n int, limit uint64) int

//go:noescape
func countSet(p *byte, n int, limit uint64) int

// The forwards store to the 16 bytes at p and load from them, n times, at least 1, beginning with seed, and
// return what comes out. p may have any alignment.
//
//go:noescape
func forwardSame(p *byte, seed uint64, n int) uint64

//go:noescape
func forwardLow(p *byte, seed uint64, n int) uint64

//go:noescape
func forwardHigh(p *byte, seed uint64, n int) uint64

//go:noescape
func forwardByte(p *byte, seed uint64, n int) uint64

//go:noescape
func forwardWide(p *byte, seed uint64, n int) uint64

//go:noescape
func forwardHalves(p *byte, seed uint64, n int) uint64

//go:noescape
func forwardOverlap(p *byte, seed uint64, n int) uint64

// Where functions of the assembly begin, as it says itself.
var mul1Entry, mul4Entry, countBranchEntry, countSetEntry, forwardSameEntry, forwardHalvesEntry uintptr

//go:embed README.md doc.go pipeline.go tables.go lesson.go line_unsafe.go *.s
var source embed.FS

// Lesson is this package as a lesson of package asm.
func Lesson() asm.Lesson {
	bytes := [4]byte{1, 200, 3, 255}
	var memory [16]byte
	return asm.Lesson{
		Name:     "pipeline",
		Question: "What does the processor do beside one instruction after the other?",
		Source:   source,
		Functions: []asm.Function{
			{Name: "mul1", Entry: mul1Entry, Call: func() { mul1(1, 3, 1) }},
			{Name: "mul4", Entry: mul4Entry, Call: func() { mul4(1, 3, 1) }},
			{Name: "countBranch", Entry: countBranchEntry, Call: func() { countBranch(&bytes[0], len(bytes), 128) }},
			{Name: "countSet", Entry: countSetEntry, Call: func() { countSet(&bytes[0], len(bytes), 128) }},
			{Name: "forwardSame", Entry: forwardSameEntry, Call: func() { forwardSame(&memory[0], 1, 2) }},
			{Name: "forwardHalves", Entry: forwardHalvesEntry, Call: func() { forwardHalves(&memory[0], 1, 2) }},
		},
		Run: lesson,
	}
}
