//go:build linux

package regs

import (
	"context"
	"embed"
	"fmt"
	"io"
	"path"
	"runtime"
	"strings"

	"github.com/ring3-go/ring3/asm"
)

//go:embed README.md doc.go regs.go regs_amd64.go regs_arm64.go lesson.go *.s
var source embed.FS

// Lesson is this package as a lesson.
func Lesson() asm.Lesson {
	return asm.Lesson{
		Name:     "regs",
		Question: "How does a function find its arguments, and how does it find its way back?",
		Source:   source,
		Functions: []asm.Function{
			{Name: "Add", Entry: addEntry, Call: func() { Add(1000, 200, 30) }},
			{Name: "Where", Entry: whereEntry, Call: func() { Where() }},
			{Name: "Frame", Entry: frameEntry, Call: func() { Frame(20) }},
			{Name: "ByHand", Entry: byHandEntry, Call: func() { ByHand(14) }},
			{Name: "Survivors", Entry: survivorsEntry, Call: func() { Survivors(Polite()) }},
		},
		Run: run,
	}
}

func run(ctx context.Context, w io.Writer) error {
	return asm.Parts(ctx, w, arguments, frame, calls, kept)
}

func arguments(_ context.Context, w io.Writer) error {
	sum, low := Add(1000, 200, 30)
	_, err := fmt.Fprintf(w, "arguments   Add(1000, 200, 30) = %d, lowest byte %d: all five lay on the stack\n", sum, low)
	return err
}

func frame(_ context.Context, w io.Writer) error {
	sp, fp, caller := Where()
	name, file := "nobody", ""
	if f := runtime.FuncForPC(caller); f != nil {
		name = path.Base(f.Name())
		file, _ = f.FileLine(caller)
	}
	_, err := fmt.Fprintf(w, `frame       SP %#x, a multiple of %d
            FP %#x, %d bytes above
            returns to %#x, in %s (%s)
`, sp, sp&-sp, fp, fp-sp, caller, name, path.Base(file))
	return err
}

func calls(_ context.Context, w io.Writer) error {
	_, err := fmt.Fprintf(w, "calls       Frame(20) = %d; by hand, ByHand(14) = %d\n", Frame(20), ByHand(14))
	return err
}

func kept(_ context.Context, w io.Writer) error {
	_, err := fmt.Fprintf(w, "kept        by Go's assembly: %s\n            by the rules of C: %s\n", listed(Survivors(Careless())), listed(Survivors(Polite())))
	return err
}

// listed are the names of the registers in a mask.
func listed(mask uint64) string {
	var names []string
	for i, name := range registerNames {
		if mask>>i&1 == 1 {
			names = append(names, name)
		}
	}
	if names == nil {
		return "none"
	}
	return strings.Join(names, " ")
}
