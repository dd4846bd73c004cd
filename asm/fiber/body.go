//go:build linux

package fiber

import (
	"errors"
	"fmt"
	"runtime"
	"strings"
)

// ErrBody matches the error of [Scheduler.Spawn] for a body that is none.
var ErrBody = errors.New("not a body in assembly")

// A Body is what a fiber runs: a function in assembly, by the address of its first instruction. The package
// comment has the rules, and how to write one. The zero Body is none.
type Body struct{ entry uintptr }

// The bodies of the lesson. Their arguments and results are the fiber's words.
var (
	// Count adds 1 to word 0 in each turn, for as many turns as word 1 says, and returns.
	Count Body
	// Spin adds 1 to word 0 in each turn, for ever.
	Spin Body
	// Recurse calls itself word 0 levels deep, yields there, and comes back. Word 1 is the frame of a level, in
	// bytes.
	Recurse Body
)

// Name is that of the function, as its assembly calls it; empty for the zero Body.
func (b Body) Name() string {
	if f := runtime.FuncForPC(b.entry); f != nil {
		return f.Name()
	}
	return ""
}

// check returns what is wrong with b, as far as can be seen from outside.
func (b Body) check() error {
	f := runtime.FuncForPC(b.entry)
	if f == nil || f.Entry() != b.entry {
		return fmt.Errorf("fiber: %#x: %w: no function begins there", b.entry, ErrBody)
	}
	// A Go function's name in assembly gives the wrapper that the compiler made for it, which is in no file.
	if file, _ := f.FileLine(b.entry); !strings.HasSuffix(file, ".s") {
		return fmt.Errorf("fiber: %s: %w: it is in %s", f.Name(), ErrBody, file)
	}
	if checksStack(b.entry) {
		return fmt.Errorf("fiber: %s: %w: it is not NOSPLIT", f.Name(), ErrBody)
	}
	return nil
}
