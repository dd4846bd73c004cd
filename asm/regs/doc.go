// Package regs is the second lesson: how a function finds its arguments, where it keeps what it needs, and how
// it finds its way back.
//
// Look for what the processor does by itself, which is little: CALL stores one address, RET jumps to one.
// All else is convention: which register is the stack pointer's (on arm64 even that), where arguments are,
// which registers a called function has to leave alone. Go's assembly has a convention called ABI0 (arguments
// and results on the stack, next to no register kept), Go's compiler another (in registers), and C a third.
//
// Linux on amd64 and arm64; no privilege. All functions may be called from any goroutine.
//
// Sources: go.dev/doc/asm; the Go tree's src/cmd/compile/abi-internal.md; System V ABI for AMD64, 3.2; Procedure
// Call Standard for the Arm 64-bit Architecture, 6.
package regs
