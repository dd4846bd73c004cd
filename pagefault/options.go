package pagefault

import (
	"errors"
	"fmt"
)

// ErrClosed is returned by an observer or a region that has been closed.
var ErrClosed = errors.New("already closed")

// Options say what to observe. The zero value observes the whole host with the best back end.
type Options struct {
	Target Target
	// By groups faults, see [Snapshot.Who]. Each fault then costs one more look-up.
	By By
	// Groups limits how many groups are kept; what comes later is counted in Loss.MapFull. 0 is 16384.
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
	const known = ByComm | ByPID | ByTID | ByCgroup | ByClass | ByFile
	if o.By&^known != 0 {
		return fmt.Errorf("page faults cannot be grouped by %v", o.By&^known)
	}
	if o.Groups < 0 || o.Groups > 1<<24 {
		return fmt.Errorf("%d groups: out of range", o.Groups)
	}
	return o.Target.Validate()
}

// A Refusal says why a better back end than the one in use was passed over.
type Refusal struct {
	Backend Backend
	Err     error
}
