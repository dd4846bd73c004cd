package procfs

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"syscall"
)

// Tasks returns the ids of the threads of a process in ascending order. It is
// no snapshot: a thread that starts or ends during the call is in the result
// or not, and while threads end, others may be left out too.
func Tasks(pid int) ([]int, error) {
	dir, err := os.Open(pidDir(pid) + "/task")
	if err != nil {
		return nil, err
	}
	defer dir.Close()
	names, err := dir.Readdirnames(-1)
	if err != nil {
		return nil, err
	}
	if len(names) == 0 { // a process has a thread as long as it exists
		return nil, fmt.Errorf("read %s: %w", dir.Name(), syscall.ESRCH)
	}
	return parseTasks(names)
}

// parseTasks turns the names in a task directory into thread ids.
func parseTasks(names []string) ([]int, error) {
	tids := make([]int, len(names))
	for i, name := range names {
		tid, err := parseID(name)
		if err != nil {
			return nil, fmt.Errorf("parse thread id: %w", err)
		}
		tids[i] = tid
	}
	slices.Sort(tids)
	return tids, nil
}

// Children returns the ids of the child processes that thread tid of pid
// started, or has inherited from a sibling that ended, in the order of their
// birth; unwaited-for zombies are among them. The children of a process are
// those of all its [Tasks]. The kernel vouches for the list only while those
// children cannot end: when one does during the call, another may be left out.
//
// In a kernel without CONFIG_PROC_CHILDREN the error matches
// [errors.ErrUnsupported].
func Children(pid, tid int) ([]int, error) {
	dir := taskDir(pid, tid)
	pids, err := readOptional(dir, "children", "CONFIG_PROC_CHILDREN", parseChildren)
	if err != nil || len(pids) > 0 {
		return pids, err
	}
	// The file of a task that ended after the open reads as empty.
	if _, err := os.Stat(dir); errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	return nil, nil
}

// parseChildren parses "pid pid … ".
func parseChildren(b []byte) ([]int, error) { return parseIDs(string(b)) }
