//go:build linux

package regs

// Add returns a+b+c, and the lowest byte of that.
func Add(a, b uint64, c uint8) (sum uint64, low uint8)

// Where returns the stack pointer in a function of 16 bytes of variables, the address of its first argument or
// result, and the address that it returns to.
func Where() (sp, fp, caller uintptr)

// Frame returns 2*x+1; twice does the doubling.
func Frame(x uint64) uint64

// ByHand returns 3*x. It calls triple without a call instruction, and triple comes back without a return.
func ByHand(x uint64) uint64

// Survivors fills registers, calls the function that begins at fn, and returns which of them that has kept: bit
// n is the register with number n in instructions. fn has to be [Careless] or [Polite].
func Survivors(fn uintptr) uint64

// These are called by the assembly alone.
func twice(x uint64) uint64
func triple()
func careless()
func polite()

// Where the functions begin; the assembly fills them in.
var addEntry, whereEntry, frameEntry, byHandEntry, survivorsEntry, carelessEntry, politeEntry uintptr

// Careless is the address of a function that keeps what Go's assembly has to keep, and overwrites all else.
func Careless() uintptr { return carelessEntry }

// Polite is the address of a function that does the same work by the rules of C.
func Polite() uintptr { return politeEntry }
