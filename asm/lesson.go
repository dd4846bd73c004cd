package asm

import (
	"context"
	"io"
	"io/fs"
)

// A Lesson is one package below asm, as a value: what the command and the stepper need of it. Every such
// package has a function Lesson that returns its own.
type Lesson struct {
	// Name is that of the package, "deref".
	Name string
	// Question is what the lesson answers, in one line that ends with a question mark.
	Question string
	// Source has the lesson's files as they were compiled: README.md, Go and assembly of every processor.
	Source fs.FS
	// Functions are those in assembly that can be stepped on this processor, in the order of the lesson.
	Functions []Function
	// Run makes the experiment on this machine and prints what was seen, as text of at most 100 columns. It
	// returns early with ctx's error when ctx ends, and leaves nothing behind.
	Run func(ctx context.Context, w io.Writer) error
}

// A Function is one assembly function that can be stepped.
type Function struct {
	// Name is that of the TEXT symbol without its package: "Load64".
	Name string
	// Entry is the address of its first instruction: that of the assembly itself, not of the wrapper by
	// which Go code calls it.
	Entry uintptr
	// Call calls it once, from Go, with arguments that show what the lesson is about.
	Call func()
}

// Parts calls the parts of a lesson's Run one after the other, and stops between two of them when ctx has ended.
func Parts(ctx context.Context, w io.Writer, parts ...func(context.Context, io.Writer) error) error {
	for _, part := range parts {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := part(ctx, w); err != nil {
			return err
		}
	}
	return nil
}
