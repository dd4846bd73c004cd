package workload

import (
	"flag"
	"fmt"
	"io"
	"os"
	"strings"
)

const (
	// marker as the first argument makes [Main] run a workload. It is an
	// argument and not a variable in the environment because every descendant
	// would inherit the latter: a command under test that starts the workload
	// may well be the same test binary.
	marker = "ring3-workload"

	// variable in the environment asks for a workload by hand: options, name
	// and arguments, separated by spaces.
	variable = "RING3_WORKLOAD"
)

// Exit codes of [Run].
const (
	exitDone        = 0
	exitError       = 1
	exitUsage       = 2
	exitUnsupported = 3
)

// Main runs the workload that this process was started for and ends the process
// with its exit code; it returns at once in a process started for anything else.
// Call it first in TestMain, before flags are parsed or goroutines started.
func Main() {
	if args, ok := requested(os.Args, os.Getenv(variable)); ok {
		os.Exit(Run(args))
	}
}

// requested extracts what to run from the process's arguments and environment.
func requested(argv []string, env string) (args []string, ok bool) {
	if len(argv) > 1 && argv[1] == marker {
		return argv[2:], true
	}
	if env != "" {
		return strings.Fields(env), true
	}
	return nil, false
}

// Command returns the argument list that runs a workload in another process of
// this binary, whose main function or TestMain must call [Main]. Options come
// before the name: Command("-report", "3", "touch", "4MiB").
func Command(args ...string) []string {
	exe, err := os.Executable()
	if err != nil { // no /proc: the name we were called by is all there is
		exe = os.Args[0]
	}
	return append([]string{exe, marker}, args...)
}

// options come before the name of a workload.
type options struct {
	wait   bool // stop before the body
	hold   bool // stop after it
	report int  // descriptor for the report, or -1
}

// parseOptions splits args into options, a name and its arguments. The error is
// flag.ErrHelp where help was asked for.
func parseOptions(args []string, talk io.Writer) (o options, rest []string, err error) {
	fs := flag.NewFlagSet("work", flag.ContinueOnError)
	fs.SetOutput(talk)
	fs.Usage = func() { usage(fs) }
	fs.BoolVar(&o.wait, "wait", false, "before the body: write \"ready\" to stdout and wait for a line on stdin")
	fs.BoolVar(&o.hold, "hold", false, "after the body: write \"done\" to stdout and wait for the end of stdin")
	fs.IntVar(&o.report, "report", -1, "write one line of JSON, what the body cost, to this `descriptor`")
	if err := fs.Parse(args); err != nil {
		return o, nil, err
	}
	if fs.NArg() == 0 {
		fs.Usage()
		return o, nil, fmt.Errorf("no workload named")
	}
	return o, fs.Args(), nil
}
