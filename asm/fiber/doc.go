// Package fiber is the lesson on what a context switch is when the kernel has no part in it: a few registers
// and another stack.
//
// [Pair] is the bare switch, between a goroutine and one other stack. [Scheduler] is built from it: any
// number of fibers, each with a stack of its own above a guard page, that take turns until all have returned.
// [Fiber.Stack] shows a stack word by word: that of a fiber which has never run is written by hand, and the
// switch cannot tell.
//
// # Bodies
//
// What a fiber runs is a [Body]: a function in assembly that never calls Go. That is no matter of taste. Go
// code looks at its goroutine's stack bounds in every function, and the garbage collector looks for pointers
// on the goroutine's stack and nowhere else; on another stack the one crashes and the other frees what is in
// use. To run Go, a fiber yields, and Run returns. (The coroutine that may run Go is [iter.Pull].)
//
// Therefore Go code cannot make a Body: its one field is not exported, and only assembly can fill a variable
// of that type. A package brings bodies of its own like this, in Go and in assembly:
//
//	var Hello fiber.Body // what it does with its words
//
//	DATA ·Hello(SB)/8, $hello<>(SB)
//	GLOBL ·Hello(SB), RODATA|NOPTR, $8
//	TEXT hello<>(SB), NOSPLIT, $0-0
//
// [Scheduler.Spawn] refuses what does not begin in an assembly file, or begins with the check for stack
// growth, which NOSPLIT leaves out. The rest is in the author's hands:
//
//   - BX (amd64) or R19 (arm64) holds the fiber's block on entry: the address of yield at 0, eight words to
//     work with from 64 on. Yield is CALL (BX), or MOVD (R19), R16 and CALL (R16).
//   - Callee-saved are BX, BP, R12 to R15, MXCSR and the x87 control word on amd64; R19 to R27, R29, F8 to F15
//     and FPCR on arm64. Yield keeps them; the body must have them as they were when it returns. Yield does not
//     keep any other. R28 on arm64 is g, in every instruction.
//   - The frame is the assembler's ($N, not NOFRAME), and SP is moved by PUSH and POP at most, so that the
//     profiler can walk the stack from any instruction.
//   - NOSPLIT, and no CALL to anything in Go. A body yields, or returns, within a millisecond: the garbage
//     collector, when it stops the world, waits.
//
// # Signals
//
// The runtime's handlers run on the signal stack, whatever SP was. SIGURG asks for preemption and is declined,
// because the runtime preempts no assembly. SIGPROF makes it walk the stack from the fiber's SP: it meets the
// body, then the function that every fiber starts in, which is marked as the outermost frame; in the switch
// itself, which writes SP, it stops at once.
//
// A fiber that leaves its stack hits the guard page. In [Scheduler.Run] that kills the process, since Go's
// handler would push a call onto the very stack that is full. [Scheduler.RunInChild] runs the fibers in a copy
// of the process first and reports a [FaultError] that matches [ErrOverflow].
//
// Needs Linux and no privilege. All methods are safe for concurrent use.
//
// Sources: System V ABI for AMD64, 3.2.1 (registers); AAPCS64, 6.1; sigaltstack(2), clone(2), sigaction(2); the Go
// runtime's preempt.go (isAsyncSafePoint) and traceback.go.
package fiber
