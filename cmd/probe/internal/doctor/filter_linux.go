package doctor

import (
	"fmt"
	"os"

	"github.com/ring3-go/ring3/syscalls"
)

// unconfined is the remedy for a seccomp filter.
const unconfined = "start the container with --security-opt seccomp=unconfined"

// unlessFiltered returns the evidence and the remedy for a system call that was refused. Where a filter did so,
// neither a privilege nor a setting helps, and both say that instead. How the filter was found out is told once, by
// the check of it.
func unlessFiltered(call string, err error, evidence, remedy string) (string, string) {
	e := syscalls.Explain(os.NewSyscallError(call, err))
	if e.Cause != syscalls.CauseSeccomp {
		return evidence, remedy
	}
	return fmt.Sprintf("%s; %v", evidence, e.Cause), unconfined
}
