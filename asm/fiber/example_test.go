//go:build linux

package fiber_test

import (
	"fmt"
	"log"

	"github.com/ring3-go/ring3/asm/fiber"
)

// Two fibers take turns on one thread until both have returned.
func Example() {
	s, err := fiber.New(fiber.Options{Stacks: 2})
	if err != nil {
		log.Fatal(err)
	}
	defer s.Close()
	a, err := s.Spawn(fiber.Count, 0, 2) // count from 0, for 2 turns
	if err != nil {
		log.Fatal(err)
	}
	b, err := s.Spawn(fiber.Count, 100, 104)
	if err != nil {
		log.Fatal(err)
	}
	turns, err := s.Run(5)
	fmt.Println(turns, err, a.Words()[0], b.Words()[0], s.Live())
	turns, err = s.Run(5)
	fmt.Println(turns, err, a.Words()[0], b.Words()[0], s.Live())
	// Output:
	// 5 <nil> 2 103 1
	// 1 <nil> 2 104 0
}
