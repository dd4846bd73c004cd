package iouring

import (
	"os"
	"runtime"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/ring3-go/ring3/syscalls"
)

// A Ring is a submission and a completion queue that program and kernel share. It has one owner: one goroutine
// at a time, and with [Options.SingleIssuer] one thread. The zero value is not usable: see [New].
type Ring struct {
	// The submission queue. Positions grow without end, and their low bits are the place. Between head and
	// published is what the kernel may take, between published and tail what the owner still fills in.
	sqes                  unsafe.Pointer
	sqSize, sqMask        uint32
	head, tail, published uint32
	sqeShift, cqeShift    uint8
	sqpoll, closed        bool
	asks                  bool // no flag says that completions wait for a call
	wide                  bool // completions of 32 bytes, all or some
	weight                int  // bytes that the entries not yet submitted may move

	// The completion queue: reaped is the position of the next completion to take.
	cqes   unsafe.Pointer
	cqMask uint32
	reaped uint32

	// Words that are shared with the kernel, and who writes them.
	sqHead     *uint32 // the kernel
	sqTail     *uint32 // the owner
	sqFlags    *uint32 // the kernel
	cqHead     *uint32 // the owner
	cqTail     *uint32 // the kernel
	cqOverflow *uint32 // the kernel
	cqFlags    *uint32 // the owner

	table
	released []uint32 // slots that go back when their entries are submitted

	fd         int // -1: there is none
	enterFD    int // fd, or its registered slot
	enterFlags syscalls.IoUringEnterFlags
	registered bool // enterFD is a registered slot

	wait waitArgument

	memory  mapping
	params  syscalls.IoUringParams
	choices []Choice
	attempt time.Duration // how long Close tries

	groups   map[uint16]*group           // buffer rings
	provided map[unsafe.Pointer]struct{} // memory given by ProvideBuffers
	fixed    []unsafe.Pointer            // registered buffers
	files    bool                        // there are registered files
	waits    []byte                      // registered waits
	queues   []*ReceiveQueue             // that receive without a copy
	arenas   []*arena
}

// New makes a ring, with the flags that are best for this kernel: it tries, and [Ring.Choices] says what came of
// it. The descriptor is close-on-exec and the queues are kept out of children of fork(2).
//
// Errors: EPERM and ENOSYS, io_uring is forbidden or missing, and the text says by what; they match
// fs.ErrPermission and errors.ErrUnsupported. EINVAL, the kernel lacks a flag that was demanded, or flags do not go
// together; ENOMEM, mostly RLIMIT_MEMLOCK; EMFILE, ENFILE. Source: io_uring_setup(2).
func New(o Options) (*Ring, error) {
	if o.Entries == 0 {
		o.Entries = defaultEntries
	}
	p, err := o.params()
	if err != nil {
		return nil, err
	}
	r := &Ring{fd: -1, attempt: o.CloseTimeout}
	if r.attempt <= 0 {
		r.attempt = defaultCloseTimeout
	}
	if err := r.setup(uint32(o.Entries), p, o.wanted()); err != nil {
		return nil, err
	}
	flags := r.params.Flags
	r.sqpoll = flags&syscalls.IORING_SETUP_SQPOLL != 0
	const deferred = syscalls.IORING_SETUP_DEFER_TASKRUN | syscalls.IORING_SETUP_COOP_TASKRUN
	r.asks = flags&syscalls.IORING_SETUP_IOPOLL != 0 && !r.sqpoll ||
		flags&deferred != 0 && flags&syscalls.IORING_SETUP_TASKRUN_FLAG == 0
	r.wide = flags&(syscalls.IORING_SETUP_CQE32|syscalls.IORING_SETUP_CQE_MIXED) != 0
	r.grow(int(r.params.SQEntries))
	// A ring that is dropped without Close goes the way that it can: see abandon.
	runtime.SetFinalizer(r, (*Ring).abandon)
	return r, nil
}

// FD returns the ring's descriptor, for other rings and for poll(2), which says readable when there is a
// completion. It is the Ring's to close. It is -1 with IORING_SETUP_REGISTERED_FD_ONLY, and once it is closed.
func (r *Ring) FD() int { return r.fd }

// Flags returns the flags that the ring was made with.
func (r *Ring) Flags() syscalls.IoUringSetupFlags { return r.params.Flags }

// Features returns what the kernel says it has.
func (r *Ring) Features() syscalls.IoUringFeatures { return r.params.Features }

// Choices returns which flags [New] added to those that were demanded, which not, and why.
func (r *Ring) Choices() []Choice { return r.choices }

// Entries returns the sizes of the submission and the completion queue.
func (r *Ring) Entries() (sq, cq int) { return int(r.params.SQEntries), int(r.params.CQEntries) }

// Live returns how many operations there are, from Get until their last completion was taken.
func (r *Ring) Live() int { return r.live }

// InFlight reports whether the Token's operation has not ended.
func (r *Ring) InFlight(tok Token) bool { return r.get(tok) != nil }

// closeDescriptor ends the kernel's ring.
func (r *Ring) closeDescriptor() error {
	if r.registered && r.enterFD >= 0 {
		u := syscalls.IoUringRsrcUpdate{Offset: uint32(r.enterFD)}
		r.register(syscalls.IORING_UNREGISTER_RING_FDS, unsafe.Pointer(&u), 1)
	}
	fd := r.fd
	r.fd, r.enterFD, r.registered = -1, -1, false
	if fd < 0 {
		return nil
	}
	return os.NewSyscallError("close", unix.Close(fd))
}
