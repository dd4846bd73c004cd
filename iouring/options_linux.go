package iouring

import (
	"time"

	"github.com/ring3-go/ring3/syscalls"
)

// Options say what ring [New] makes. The zero value is a ring for any goroutine, one at a time.
type Options struct {
	// Entries is the size of the submission queue: how many operations fit into one Submit. 0 is 256; it is
	// rounded up to a power of two, 32768 at the most.
	Entries int
	// CQEntries is the size of the completion queue, and 0 twice Entries. More may be in flight: the kernel keeps
	// completions that find no place.
	CQEntries int
	// SingleIssuer promises that the goroutine has called runtime.LockOSThread and that no other will use the ring.
	// The kernel then leaves work to that thread's own calls (IORING_SETUP_DEFER_TASKRUN, 6.1), which makes
	// completions cheaper and never interrupts the program.
	SingleIssuer bool
	// Flags are demanded: New fails where the kernel does not have one. Others are added where they help and can
	// be had; see [Ring.Choices].
	Flags syscalls.IoUringSetupFlags
	// Without are flags that New must not add.
	Without syscalls.IoUringSetupFlags
	// SQThreadCPU is the processor of the kernel's thread, with IORING_SETUP_SQ_AFF.
	SQThreadCPU int
	// SQThreadIdle is how long that thread looks for entries until it sleeps; 0 is one second. It is rounded up to
	// milliseconds.
	SQThreadIdle time.Duration
	// Attach is a ring whose workers, and with IORING_SETUP_SQPOLL whose thread, this one shares.
	Attach *Ring
	// CloseTimeout is how long Close waits for operations that cannot be cancelled, 0 for ten seconds. Those that
	// wait for a peer are cancelled at once; those that wait for a disk are not, and end by themselves.
	CloseTimeout time.Duration
}

// A Choice is a flag that [New] would like, and what became of it.
type Choice struct {
	Flag  syscalls.IoUringSetupFlags
	Taken bool
	Why   string // what it gives, or why it was not taken
}

// A wish is a flag that makes a ring better, and what must be so for it.
type wish struct {
	flag syscalls.IoUringSetupFlags
	why  string
	// single: only for a ring of one thread.
	single bool
	// without are demanded flags that it does not go with.
	without syscalls.IoUringSetupFlags
	// instead is set where it is there to replace another one that could not be had.
	instead syscalls.IoUringSetupFlags
}

// wishes are in the order in which they are given up: the latest kernel's first.
var wishes = []wish{
	{flag: syscalls.IORING_SETUP_NO_SQARRAY,
		why: "the kernel takes entries in their order, without an index (6.6)"},
	{flag: syscalls.IORING_SETUP_DEFER_TASKRUN, single: true, without: syscalls.IORING_SETUP_SQPOLL,
		why: "completions are made inside the owner's calls, in batches (6.1)"},
	{flag: syscalls.IORING_SETUP_SINGLE_ISSUER, single: true,
		why: "one thread submits, so the kernel need not lock (6.0)"},
	{flag: syscalls.IORING_SETUP_COOP_TASKRUN, single: true, without: syscalls.IORING_SETUP_SQPOLL,
		instead: syscalls.IORING_SETUP_DEFER_TASKRUN,
		why:     "completions do not interrupt the owner (5.19)"},
	{flag: syscalls.IORING_SETUP_TASKRUN_FLAG, single: true, without: syscalls.IORING_SETUP_SQPOLL,
		why: "the queue says when work waits for a call (5.19)"},
	{flag: syscalls.IORING_SETUP_SUBMIT_ALL,
		why: "a refused entry does not hold up those after it (5.18)"},
}

// wanted returns the wishes that o allows.
func (o *Options) wanted() []wish {
	var list []wish
	for _, w := range wishes {
		if w.single && !o.SingleIssuer || o.Flags&w.without != 0 || o.Flags&w.flag != 0 || o.Without&w.flag != 0 {
			continue
		}
		list = append(list, w)
	}
	return list
}
