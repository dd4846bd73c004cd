//go:build linux && (amd64 || arm64)

package atomics

import (
	"embed"

	"github.com/ring3-go/ring3/asm"
)

//go:embed README.md doc.go atomics.go atomics_amd64.go atomics_arm64.go lock.go race.go norace.go line_unsafe.go show_linux.go *.s
var source embed.FS

// A Way is one set of instructions by which the processor changes a word while nobody else can. The words
// must be aligned, as variables of Go are.
type Way struct {
	Name string
	// Add adds to a word and returns what it is then.
	Add func(p *uint64, delta uint64) (sum uint64)
	// Swap puts a value into a word and returns what was there.
	Swap func(p *uint64, value uint64) (before uint64)
	// CompareAndSwap puts a value into a word where it is old, and reports whether it was.
	CompareAndSwap func(p *uint64, old, value uint64) (swapped bool)
	// count adds 1 to a word, n times.
	count func(p *uint64, n uint64)
}

// Ways returns those that this processor knows.
func Ways() []Way { return ways() }

// countPlain adds 1 to a word, n times, with nothing to keep others from it.
//
//go:noescape
func countPlain(p *uint64, n uint64)

// spinAcquire takes a lock whose word is 0, and reports whether it did so before it had looked so many times.
//
//go:noescape
func spinAcquire(word *uint32, tries uint32) (taken bool)

// spinRelease gives it back.
//
//go:noescape
func spinRelease(word *uint32)

// ticketTake draws the next number.
//
//go:noescape
func ticketTake(next *uint32) (mine uint32)

// ticketAwait waits for that number's turn, and reports whether it came before it had looked so many times.
//
//go:noescape
func ticketAwait(serving *uint32, mine, tries uint32) (turn bool)

// ticketRelease calls the next number.
//
//go:noescape
func ticketRelease(serving *uint32)

// seqStore writes the words between two changes of the sequence number. One at a time.
//
//go:noescape
func seqStore(seq *uint64, words, from *[4]uint64)

// seqLoad reads the words, and reports whether they are of one writing.
//
//go:noescape
func seqLoad(seq *uint64, words, to *[4]uint64) (whole bool)

// lockEntries has where these eight begin.
var lockEntries [8]uintptr

// Lesson returns the lesson.
func Lesson() asm.Lesson {
	var word, number uint32
	var seq uint64
	var words, out [4]uint64
	var plain uint64
	list := []asm.Function{
		{Name: "countPlain", Call: func() { countPlain(&plain, 2) }},
		{Name: "spinAcquire", Call: func() { spinAcquire(&word, 1) }},
		{Name: "spinRelease", Call: func() { spinRelease(&word) }},
		{Name: "ticketTake", Call: func() { ticketTake(&number) }},
		{Name: "ticketAwait", Call: func() { ticketAwait(&number, number, 1) }},
		{Name: "ticketRelease", Call: func() { ticketRelease(&number) }},
		{Name: "seqStore", Call: func() { seqStore(&seq, &words, &[4]uint64{1, 2, 3, 4}) }},
		{Name: "seqLoad", Call: func() { seqLoad(&seq, &words, &out) }},
	}
	for i := range list {
		list[i].Entry = lockEntries[i]
	}
	return asm.Lesson{
		Name:      "atomics",
		Question:  "How do two processors change one word without losing anything?",
		Source:    source,
		Functions: append(wayFunctions(), list...),
		Run:       Show,
	}
}
