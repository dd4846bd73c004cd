//go:build linux && (amd64 || arm64)

package cpuid

import (
	"context"
	"embed"
	"fmt"
	"io"

	"github.com/ring3-go/ring3/asm"
)

//go:embed README.md doc.go cpuid.go cpuid_amd64.go cpuid_arm64.go cache_amd64.go feature_amd64.go feature_arm64.go *.s
var source embed.FS

// A Feature is something that a processor can do or not.
type Feature struct {
	Name  string // as /proc/cpuinfo has it
	Where string // where the processor says so: "7.0 EBX 5" is bit 5 of EBX for leaf 7, subleaf 0
	Has   bool
}

// Features returns every feature that this package knows, as the processor has it that asks. Linux may use
// less: see /proc/cpuinfo.
func Features() []Feature { return features() }

// Lesson returns the lesson.
func Lesson() asm.Lesson {
	return asm.Lesson{
		Name:      "cpuid",
		Question:  "What does a processor say about itself?",
		Source:    source,
		Functions: functions(),
		Run:       Show,
	}
}

// Show prints what the processor that happens to run it says.
func Show(ctx context.Context, w io.Writer) error {
	cpus, err := asm.CPUs()
	if err != nil {
		return err
	}
	unpin, err := asm.Pin(cpus[0]) // all answers from one
	if err != nil {
		return err
	}
	defer unpin()
	fmt.Fprintf(w, "CPU %d\n", cpus[0])
	if err := show(w); err != nil {
		return err
	}
	fmt.Fprintln(w, "\nfeatures")
	if err := printFeatures(w); err != nil {
		return err
	}
	return ctx.Err()
}

// printFeatures prints the names of those that are there, in lines.
func printFeatures(w io.Writer) error {
	const width = 96
	line := " "
	for _, f := range Features() {
		if !f.Has {
			continue
		}
		if len(line)+1+len(f.Name) > width {
			fmt.Fprintln(w, line)
			line = " "
		}
		line += " " + f.Name
	}
	_, err := fmt.Fprintln(w, line)
	return err
}
