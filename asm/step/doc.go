// Package step runs a function of a lesson one instruction at a time and says of each what it did: which
// registers it changed, which memory it read or wrote, and which fault it raised.
//
// The function runs in a child: the same binary, executed again and stopped by ptrace(2). So the program's
// main function, or TestMain, has to make way for it before it does anything else:
//
//	func main() {
//		if step.Child(lessons) { // func lessons() []asm.Lesson
//			return
//		}
//		...
//	}
//
// Then any goroutine can step:
//
//	for s, err := range step.All(ctx, lesson, "Load64", step.Options{}) {
//		if err != nil {
//			return err
//		}
//		fmt.Println(s.Go, s.Changed(), s.Memory)
//	}
//
// Tracing one's own child needs no privilege, unless Yama (kernel.yama.ptrace_scope 2 or 3) or a seccomp
// filter forbids it; the error then matches [io/fs.ErrPermission]. Any kernel that Go runs on has what is
// needed (PTRACE_GETREGSET since 2.6.34, PTRACE_O_EXITKILL since 3.8). Linux on amd64 and arm64; elsewhere
// errors match [errors.ErrUnsupported]. The child is killed when the session is closed, when its context
// ends, and when this process dies.
//
// # What stepping changes
//
// The processor traps after each instruction, so time means nothing here. The trap flag of amd64 shows where
// flags are copied: in R11 after SYSCALL, on the stack after PUSHF. On arm64 a trap between a load-exclusive
// and its store-exclusive clears the monitor, and a loop over them would never end: such a sequence is run as
// one step. A string instruction with a REP prefix is one step too, however often it repeats. A loop that waits
// until nothing has changed between two of its instructions, as the vDSO's clock does, may find that something
// always has, where steps take longer than the writer pauses.
//
// Sources: ptrace(2), sigaction(2), Intel SDM volume 2, Arm ARM (DDI 0487) chapter C4.
package step
