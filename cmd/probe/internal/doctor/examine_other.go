//go:build !linux

package doctor

import (
	"context"
	"runtime"
)

// Examine reports that there is nothing to examine: probe works on Linux only.
func Examine(context.Context) []Check {
	c := refused(runtime.GOOS+" on "+runtime.GOARCH, "probe observes nothing here: Linux only", "run it on Linux")
	c.Name = "kernel"
	return []Check{c}
}
