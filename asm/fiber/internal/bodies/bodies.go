//go:build linux

package bodies

import "github.com/ring3-go/ring3/asm/fiber"

// The bodies. What they do with their words stands in the assembly.
var (
	// Keep fills every callee-saved register with numbers of its own in each turn, and counts those that it does
	// not find again in the next.
	Keep fiber.Body
	// Ticket takes the next number of a counter in each turn.
	Ticket fiber.Body
	// Hang neither yields nor returns.
	Hang fiber.Body
	// Load reads from an address.
	Load fiber.Body
	// Undefined executes an instruction that is none.
	Undefined fiber.Body

	// Go is a Go function, by the wrapper through which assembly can call it.
	Go fiber.Body
	// Splits is assembly that checks for stack growth.
	Splits fiber.Body
	// SplitsLarge and SplitsHuge are the same with frames of 2,048 and 65,536 bytes, which the assembler checks otherwise.
	SplitsLarge, SplitsHuge fiber.Body
	// Middle is inside of a function.
	Middle fiber.Body
)

// The words of Keep, which has more of them than a reader can count.
const (
	KeepTurns    = iota // in: how many turns
	KeepLost            // out: registers that had changed
	KeepSeed            // in: a number that no other fiber has within 64
	KeepSP              // out: SP at the first instruction
	KeepControl         // in: MXCSR (amd64) or FPCR (arm64)
	KeepControl2        // in: x87 control word (amd64)
	KeepDone            // out: turns so far
)

// Control is the MXCSR and the x87 control word, or the FPCR and 0, of the goroutine that calls it.
func Control() (control, control2 uint64)

func goBody() {}

var _ = goBody // the assembly alone uses it
