//go:build linux

package main

import (
	"strconv"

	"github.com/ring3-go/ring3/asm/fiber"
)

// fiberSwitch compares the switch from one stack to another, within loops in assembly on the one side and in C
// on the other. Both keep the same: the callee-saved registers, MXCSR and the x87 control word.
func fiberSwitch() Benchmark {
	const n = 20_000_000
	boost := c("Boost fcontext", "fiber", strconv.Itoa(n/2))
	boost.Library = "libboost_context.a"
	return Benchmark{
		Group: "switches", Name: "fiber-switch", Unit: Nanoseconds, Per: "switch",
		What: "one way between two stacks, " + strconv.Itoa(n) + " in a row",
		Ours: withError("asm/fiber", n, func(n int) error {
			p, err := fiber.NewPair()
			if err != nil {
				return err
			}
			defer p.Close()
			return p.Switch(n / 2)
		}),
		References: []Reference{
			{boost, 1.00},
			// The same with the ring of a scheduler around it, for what that costs.
			{withError("asm/fiber, ring of two", n, roundRobin), 0},
		},
	}
}

// roundRobin lets two fibers that only count have n turns.
func roundRobin(n int) error {
	s, err := fiber.New(fiber.Options{Stacks: 2})
	if err != nil {
		return err
	}
	defer s.Close()
	for range 2 {
		if _, err := s.Spawn(fiber.Spin); err != nil {
			return err
		}
	}
	_, err = s.Run(n)
	return err
}

// withError is inProcess for a loop that can fail.
func withError(label string, n int, loop func(n int) error) Subject {
	var failed error
	s := inProcess(label, n, func(n int) { failed = loop(n) })
	measure := s.Measure
	s.Measure = func(e *Env) (Sample, error) {
		sample, err := measure(e)
		if err == nil {
			err = failed
		}
		return sample, err
	}
	return s
}
