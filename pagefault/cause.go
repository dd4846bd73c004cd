package pagefault

import (
	"fmt"
	"os"
	"syscall"
	"time"
)

// A Cause is a way to make page faults of one class, as many as are asked for, of which it is known what the kernel
// must show.
type Cause struct {
	// Name is unique: "first-touch write".
	Name string
	// Does is what happens, in a line.
	Does string
	// Class is what an observer that can tell everything says of each fault; Event is EventUnknown where no
	// exception is a page fault's, and an observer sees none.
	Class Class
	// Each is what the kernel must show for each fault.
	Each Counts
	// Signal is sent for each fault; 0 for none.
	Signal syscall.Signal

	shuffled  bool // the pages may be touched in any order
	prepare   func(*scene) error
	inChild   bool // it must not happen to the caller's process
	userfault ServeFaults
}

// Counts are faults by how the kernel books them.
type Counts struct {
	Minor, Major int64 // getrusage(2)
	Failed       int64 // exceptions without a page that end in a signal: in neither
	FixedUp      int64 // the same in the kernel's own accesses, which end in an error of the system call: in neither
}

func (c Counts) times(n int64) Counts {
	return Counts{c.Minor * n, c.Major * n, c.Failed * n, c.FixedUp * n}
}

// CauseOptions say how to cause faults.
type CauseOptions struct {
	// Count is how many faults; 0 is 256. Of huge pages there are at most 16.
	Count int
	// Reserve allows to change settings of the machine for as long as it takes: huge pages, swap. That takes root.
	Reserve bool
	// Dir is where files are made, for those causes that need one; empty is os.TempDir. Its file system decides
	// what can be had.
	Dir string

	gate int // in a child that is observed: where it waits before and after; 0 for nowhere
}

const countMax = 1 << 16

func (o CauseOptions) validate() (CauseOptions, error) {
	if o.Count == 0 {
		o.Count = 256
	}
	if o.Count < 1 || o.Count > countMax {
		return o, fmt.Errorf("%d faults: want 1 to %d: %w", o.Count, countMax, os.ErrInvalid)
	}
	return o, nil
}

// Caused is what a cause did.
type Caused struct {
	// Class is that of the cause, but for what depends on the file system and the device.
	Class Class
	// Expected is what the kernel must show, Kernel what getrusage of the thread did show; it knows nothing of
	// Failed and FixedUp.
	Expected, Kernel Counts
	// Signals is how many signals came.
	Signals int64
	// TID is the thread that took the faults, as this process numbers it.
	TID int
	// Total is the time of all faults; Overhead, of as many touches of pages that are there, has been taken off
	// it, and off each value of Time.
	Total, Overhead time.Duration
	Time            Histogram // nanoseconds
}

// Observed is what a cause did, and what an observer saw of it.
type Observed struct {
	Caused
	Backend Backend
	Seen    Counts     // of that thread
	Who     []WhoStats // the same by class: Key.Class and Key.TID are set
	Lost    Loss
}

// A CannotHereError says why a cause has no faults on this machine, or for this process.
type CannotHereError struct {
	Cause string
	Why   string // what is missing
	Err   error  // what the kernel said; may be nil
}

func (e *CannotHereError) Error() string {
	s := fmt.Sprintf("cannot cause %q here, because %s", e.Cause, e.Why)
	if e.Err != nil {
		s += ": " + e.Err.Error()
	}
	return s
}

// Unwrap returns what the kernel said.
func (e *CannotHereError) Unwrap() error { return e.Err }
