//go:build linux

package fiber

import (
	"embed"

	"github.com/ring3-go/ring3/asm"
)

// run gives turns to fibers until the budget is used up, stop is set or none is left.
//
//go:noescape
func run(s *sched)

// pingPong switches to a context and back, rounds times, and returns where the other side is then.
func pingPong(context uintptr, rounds int) uintptr

// startChild copies the process and returns the copy's number, or errno, negated. In the copy it gives fibers
// their turns, says so in the report, and exits.
//
//go:noescape
func startChild(s *sched, c *child) int

// Where functions of the assembly begin, as it says itself.
var runEntry, pingPongEntry, startEntry, yieldEntry, pongEntry, faultEntry uintptr

//go:embed README.md doc.go fiber.go scheduler.go body.go stack.go context_*.go child.go *_unsafe.go lesson.go *.s
var source embed.FS

// Lesson is this package as a lesson of package asm.
func Lesson() asm.Lesson {
	return asm.Lesson{
		Name:     "fiber",
		Question: "What is a context switch, when the kernel has no part in it?",
		Source:   source,
		Functions: []asm.Function{
			{Name: "run", Entry: runEntry, Call: oneTurnEach},
			{Name: "pingPong", Entry: pingPongEntry, Call: oneRound},
		},
		Run: lesson,
	}
}

// oneTurnEach goes from the goroutine to a fiber, to another, and back.
func oneTurnEach() {
	s, err := New(Options{Stacks: 2})
	if err != nil {
		return
	}
	defer s.Close()
	for range 2 {
		if _, err := s.Spawn(Count, 0, 1); err != nil {
			return
		}
	}
	s.Run(2)
}

// oneRound goes to the other stack and back.
func oneRound() {
	p, err := NewPair()
	if err != nil {
		return
	}
	defer p.Close()
	p.Switch(1)
}
