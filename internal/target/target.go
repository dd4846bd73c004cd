// Package target says which tasks an observer observes, in user space's terms, and hands that to the
// eBPF side (internal/bpf/include/scope.h).
package target

import (
	"errors"
	"fmt"
)

// A Target selects tasks. At most one of PID, TID, Comm, Cgroup and Children is set; none of them is
// the whole host, idle tasks left out.
type Target struct {
	// PID observes a process: its threads, and from now on the processes that they start.
	PID int
	// TID observes one thread and nothing that it starts. Needs the host's pid namespace.
	TID int
	// Comm observes every task that bears this name (comm, at most 15 bytes) at the time of the event.
	Comm string
	// Cgroup observes every task that is in this cgroup v2 or in one below it at the time of the event.
	// It is a path below the mount point ("/system.slice/x.service") or of the directory itself.
	Cgroup string
	// Children observes each process that the calling process starts from now on, from birth, with all
	// that it starts in turn; not the calling process itself.
	Children bool
	// NoFollow leaves out what a PID starts.
	NoFollow bool
}

// Validate returns an error for a Target that selects in two ways or cannot exist.
func (t Target) Validate() error {
	set := 0
	for _, on := range []bool{t.PID != 0, t.TID != 0, t.Comm != "", t.Cgroup != "", t.Children} {
		if on {
			set++
		}
	}
	switch {
	case set > 1:
		return errors.New("target: more than one of process, thread, command, cgroup and children")
	case t.PID < 0 || t.TID < 0:
		return fmt.Errorf("target: %d is not a process or thread", min(t.PID, t.TID))
	case len(t.Comm) > 15:
		return fmt.Errorf("target: command name %q is longer than the kernel keeps (15 bytes)", t.Comm)
	}
	return nil
}

// Host reports whether t is the whole host.
func (t Target) Host() bool { return t == Target{} }

// String names the target as a person would.
func (t Target) String() string {
	switch {
	case t.PID != 0:
		return fmt.Sprintf("process %d", t.PID)
	case t.TID != 0:
		return fmt.Sprintf("thread %d", t.TID)
	case t.Comm != "":
		return fmt.Sprintf("command %q", t.Comm)
	case t.Cgroup != "":
		return fmt.Sprintf("cgroup %q", t.Cgroup)
	case t.Children:
		return "children"
	}
	return "host"
}
