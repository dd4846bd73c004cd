package main

import (
	"os"
	"testing"

	"github.com/ring3-go/ring3/asm/privilege"
	"github.com/ring3-go/ring3/asm/step"
	"github.com/ring3-go/ring3/internal/workload"
	"github.com/ring3-go/ring3/pagefault"
)

// The first argument makes this binary something else than its tests: probe itself, or a small program for
// probe to run. workload.Main has one of its own.
const (
	asProbe   = "ring3-probe"
	asCommand = "ring3-command"
)

func TestMain(m *testing.M) {
	if step.Child(lessons) || privilege.Child() {
		return
	}
	workload.Main()
	if pagefault.Child() {
		return
	}
	if len(os.Args) > 1 {
		switch os.Args[1] {
		case asProbe:
			os.Exit(probe(os.Args[2:], os.Stdin, os.Stdout, os.Stderr))
		case asCommand:
			os.Exit(testCommand(os.Args[2:]))
		}
	}
	os.Exit(m.Run())
}
