//go:build linux

package memory

import (
	"embed"

	"github.com/ring3-go/ring3/asm"
)

// chase follows n pointers, at least 1, from the one at p, and returns where they lead.
func chase(p uintptr, n int) uintptr

// gather returns the sum of table[index[i]] for the first n of index, n at least 1, each load waiting for the
// one before.
//
//go:noescape
func gather(table *uint64, index *uint32, n int) uint64

// gatherAhead does the same and prefetches by index[i+distance], so that there must be n + distance of them.
//
//go:noescape
func gatherAhead(table *uint64, index *uint32, n, distance int) uint64

// addOnly adds 1 to *p, n times, n at least 1. It waits for each store.
//
//go:noescape
func addOnly(p *uint64, n int)

// addFlush does that and drops the cache line each time.
//
//go:noescape
func addFlush(p *uint64, n int)

// addWriteBack does that and writes the line back, but lets it stay.
//
//go:noescape
func addWriteBack(p *uint64, n int)

// A flush is one thing to do about a cache line.
type flush struct {
	name, what string
	add        func(p *uint64, n int)
}

// Where functions of the assembly begin, as it says itself.
var chaseEntry, gatherEntry, gatherAheadEntry, addFlushEntry, copyWordsEntry uintptr

//go:embed README.md doc.go memory.go area_unsafe.go caches.go copy.go copy_*.go flush_*.go lesson.go *.s
var source embed.FS

// Lesson is this package as a lesson of package asm.
func Lesson() asm.Lesson {
	return asm.Lesson{
		Name:     "memory",
		Question: "How far away is memory, and what lies on the way?",
		Source:   source,
		Functions: append([]asm.Function{
			{Name: "chase", Entry: chaseEntry, Call: chaseOnce},
			{Name: "gather", Entry: gatherEntry, Call: gatherOnce},
			{Name: "gatherAhead", Entry: gatherAheadEntry, Call: gatherAheadOnce},
			{Name: "addFlush", Entry: addFlushEntry, Call: func() { addFlush(new(uint64), 2) }},
			{Name: "copyWords", Entry: copyWordsEntry, Call: func() { copyOnce(copyWords) }},
		}, moreFunctions()...),
		Run: lesson,
	}
}

// chaseOnce goes round a ring of four lines, and once more.
func chaseOnce() {
	a, err := newArea(4*line, false)
	if err != nil {
		return
	}
	defer a.unmap()
	chase(a.ring([]int{0, 128, 64, 192}), 5)
}

func gatherOnce() { gather(&[]uint64{10, 20, 30}[0], &[]uint32{2, 0, 1}[0], 3) }

func gatherAheadOnce() { gatherAhead(&[]uint64{10, 20, 30}[0], &[]uint32{2, 0, 1, 0}[0], 3, 1) }

func copyOnce(copy func(dst, src *byte, n int)) {
	var dst, src [40]byte
	copy(&dst[0], &src[0], len(dst))
}
