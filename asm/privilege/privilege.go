//go:build linux && (amd64 || arm64)

package privilege

import (
	"context"
	"embed"
	"fmt"
	"io"
	"text/tabwriter"

	"golang.org/x/sys/unix"

	"github.com/ring3-go/ring3/asm"
)

//go:embed README.md doc.go privilege.go privilege_amd64.go privilege_arm64.go child_linux.go try_linux.go *.s
var source embed.FS

// An Attempt is one instruction that is tried.
type Attempt struct {
	// Name is that of the function in assembly.
	Name string
	// Text is the instruction as the manuals write it.
	Text string
	// Does is what the kernel uses it for.
	Does string

	function func(out *[2]uint64)
	entry    uintptr
	show     func(out [2]uint64) string // what to say where it was carried out
}

// Attempts returns what can be tried on this processor, in the order of the lesson.
func Attempts() []Attempt {
	all := attempts()
	for i := range all {
		all[i].entry = entries[i]
	}
	return all
}

// An Outcome is what became of an attempt.
type Outcome struct {
	// Signal is what the kernel sent, or 0 where the instruction was carried out.
	Signal unix.Signal
	// Code is the signal's si_code: why it was sent.
	Code int32
	// Addr is the signal's si_addr. For SIGILL and for a breakpoint of arm64 it is the address of the instruction;
	// 0 where the processor gave none.
	Addr uint64
	// Here says that Addr is where the program stood.
	Here bool
	// Offset is how far into the function the program stood when the signal came, in bytes.
	Offset int
	// Trap is the number of the exception and Error its error code. Only amd64 tells.
	Trap, Error uint64
	// Continued says that the program went on after the signal, behind the instruction: a trap, not a fault.
	Continued bool
	// Value is what the function left, where it came to its end.
	Value [2]uint64
}

// Lesson returns the lesson.
func Lesson() asm.Lesson {
	lesson := asm.Lesson{
		Name:     "privilege",
		Question: "What does the processor do when a program tries what only the kernel may?",
		Source:   source,
		Run:      Show,
	}
	for _, a := range Attempts() {
		lesson.Functions = append(lesson.Functions, asm.Function{
			Name: a.Name, Entry: a.entry,
			Call: func() { a.function(new([2]uint64)) },
		})
	}
	return lesson
}

// Show tries everything and prints a table of what happened.
func Show(ctx context.Context, w io.Writer) error {
	fmt.Fprintf(w, "Instructions of the kernel, tried by a program with user ID %d:\n\n", unix.Geteuid())
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "instruction\twhat it is for\twhat happened")
	for _, a := range Attempts() {
		o, err := a.Try(ctx)
		if err != nil {
			return err
		}
		fmt.Fprintf(table, "%s\t%s\t%s\n", a.Text, a.Does, a.describe(o))
	}
	return table.Flush()
}

// describe says in a line what happened.
func (a Attempt) describe(o Outcome) string {
	if o.Signal == 0 {
		if a.show == nil {
			return "carried out"
		}
		return a.show(o.Value)
	}
	s := fmt.Sprintf("%s, code %s", unix.SignalName(o.Signal), codeName(o.Signal, o.Code))
	switch {
	case o.Addr == 0:
	case o.Here:
		s += ", its address"
	default:
		s += fmt.Sprintf(", address %#x", o.Addr)
	}
	s += trapName(o)
	if o.Continued {
		s += "; then it went on"
	}
	return s
}

// codeName names the codes that the signals of this lesson come with (uapi/asm-generic/siginfo.h).
func codeName(signal unix.Signal, code int32) string {
	type pair struct {
		signal unix.Signal
		code   int32
	}
	const kernel = 0x80
	if code == kernel {
		return "SI_KERNEL"
	}
	names := map[pair]string{
		{unix.SIGILL, 1}: "ILL_ILLOPC", {unix.SIGILL, 2}: "ILL_ILLOPN", {unix.SIGILL, 5}: "ILL_PRVOPC",
		{unix.SIGSEGV, 1}: "SEGV_MAPERR", {unix.SIGSEGV, 2}: "SEGV_ACCERR",
		{unix.SIGTRAP, 1}: "TRAP_BRKPT",
	}
	if name := names[pair{signal, code}]; name != "" {
		return name
	}
	return fmt.Sprint(code)
}
