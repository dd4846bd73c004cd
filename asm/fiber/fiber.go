//go:build linux

package fiber

// run gives turns to fibers until the budget is used up, stop is set or none is left.
//
//go:noescape
func run(s *sched)

// pingPong switches to a context and back, rounds times, and returns where the other side is then.
func pingPong(context uintptr, rounds int) uintptr

// Where functions of the assembly begin, as it says itself.
var runEntry, pingPongEntry, startEntry, yieldEntry, pongEntry uintptr

// startChild copies the process and returns the copy's number, or errno, negated. In the copy it gives fibers
// their turns, says so in the report, and exits.
//
//go:noescape
func startChild(s *sched, c *child) int

// faultEntry is where the child's signal handler begins.
var faultEntry uintptr
