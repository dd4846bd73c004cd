// Work runs a program whose page faults and context switches are known.
//
// Synopsis:
//
//	work [-wait] [-hold] [-report FD] NAME [ARGS]
//
// Description:
//
// Under an observer (probe run -- work touch 128MiB) it shows whether the
// observer's counts are right. The names and what each makes the kernel count
// are listed by work -h.
//
// Options:
//
//	-wait       before the body: write "ready" to stdout, wait for a line on stdin
//	-hold       after the body: write "done" to stdout, wait for the end of stdin
//	-report FD  write one line of JSON, what the body cost, to descriptor FD
package main

import (
	"os"

	"github.com/ring3-go/ring3/internal/workload"
)

func main() {
	workload.Main() // workload execs starts this program again
	os.Exit(workload.Run(os.Args[1:]))
}
