// Command probe shows what the kernel did for a program: which pages faulted, which threads were switched
// out and why, how long that took, and whether the kernel's own counters agree.
//
//	probe run -- CMD…                run a command, then say where its faults and switches went
//	probe faults [interval [count]]  page faults of the host, a process, a command or a cgroup
//	probe switches [interval [count]] context switches, likewise
//	probe asm [lesson]               lessons in assembly, shown, run and stepped
//	probe vm PID [ADDRESS]           an address space, or one address through the page tables
//	probe bench faults               what a page fault of each class costs
//	probe exceptions                 the processor's table of exceptions, each raised
//	probe doctor                     what this host allows, and how to get the rest
//
// Data goes to standard output and talk to standard error; --json prints one record a line. Exit codes:
// 0 done, 1 error, 2 usage, 3 this kernel cannot, 4 not permitted; probe run exits as its command did.
package main

import (
	"io"
	"os"

	"github.com/ring3-go/ring3/asm/privilege"
	"github.com/ring3-go/ring3/asm/step"
	"github.com/ring3-go/ring3/pagefault"
)

func main() {
	// As the child of another probe: a lesson being stepped, or an instruction or a fault that may be its last.
	if step.Child(lessons) || privilege.Child() || pagefault.Child() {
		return
	}
	os.Exit(probe(os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}

// probe is the whole command behind main, so that tests can run it.
func probe(args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	out := &output{in: stdin, data: stdout, talk: stderr}
	root := newRoot(out)
	root.SetArgs(args)
	root.SetIn(stdin)
	root.SetOut(stdout)
	root.SetErr(stderr)
	return out.finish(root.Execute())
}
