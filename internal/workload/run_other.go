//go:build !linux || !(amd64 || arm64)

package workload

import (
	"errors"
	"flag"
	"fmt"
	"os"
)

// Run runs one workload in this process. On this platform it says that it
// cannot and returns exit code 3.
func Run(args []string) int {
	if _, _, err := parseOptions(args, os.Stderr); errors.Is(err, flag.ErrHelp) {
		return exitDone
	} else if err != nil {
		return exitUsage
	}
	usage(nil)
	return exitUnsupported
}

func usage(*flag.FlagSet) {
	fmt.Fprintln(os.Stderr, "work: Linux on amd64 or arm64 only")
}
