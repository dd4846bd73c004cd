package ctxswitch

import (
	"errors"
	"fmt"
)

// ErrClosed is returned by an observer that has been closed.
var ErrClosed = errors.New("observer is closed")

// Options say what to observe. The zero value observes the whole host with the best back end.
type Options struct {
	Target Target
	// By groups switches, see [Snapshot.Who]. Each switch then costs two more look-ups.
	By By
	// Preemptors keeps who preempted whom, by name.
	Preemptors bool
	// Groups limits how many groups, and how many pairs of names, are kept; what comes later is counted
	// in Loss.MapFull. 0 is 16384.
	Groups int
	// Backend uses that one or fails; empty tries them all.
	Backend Backend
	// Verbose puts the verifier's whole log into an error.
	Verbose bool
}

func (o Options) groups() uint32 {
	if o.Groups == 0 {
		return 16384
	}
	return uint32(o.Groups)
}

func (o Options) validate() error {
	const known = ByComm | ByPID | ByTID | ByCgroup | BySyscall
	if o.By&^known != 0 {
		return fmt.Errorf("switches cannot be grouped by %v", o.By&^known)
	}
	if o.Groups < 0 || o.Groups > 1<<24 {
		return fmt.Errorf("%d groups: out of range", o.Groups)
	}
	return o.Target.Validate()
}

// A Backend is a way to see switches. The better ones see more and are tried first.
type Backend string

// The back ends, best first.
const (
	// BackendTracepoint attaches to BTF tracepoints.
	BackendTracepoint Backend = "btf-tracepoint"
	// BackendProcfs reads what the kernel counted, without privilege: voluntary and involuntary of
	// tasks that live; nothing else.
	BackendProcfs Backend = "procfs"
)

// CannotTell says, a phrase each, what this back end does not know.
func (b Backend) CannotTell() []string {
	if b == BackendProcfs {
		return []string{"off-CPU time", "run-queue delay", "on-CPU slices", "migrations", "switches of threads that ended"}
	}
	return nil
}

// A Refusal says why a better back end than the one in use was passed over.
type Refusal struct {
	Backend Backend
	Err     error
}
