package syscalls

import "structs"

// An IoUringRegisterOp is what [IoUringRegister] does. The comments say what its argument points to, and the n
// that goes with it; io_uring_register(2).
type IoUringRegisterOp uint32

const (
	IORING_REGISTER_BUFFERS          IoUringRegisterOp = 0  // fixes buffers in memory: n iovecs. Counts against RLIMIT_MEMLOCK (ENOMEM). Since 5.1
	IORING_UNREGISTER_BUFFERS        IoUringRegisterOp = 1  // no argument. Since 5.1
	IORING_REGISTER_FILES            IoUringRegisterOp = 2  // n descriptors, int32, -1 for an empty slot. Since 5.1
	IORING_UNREGISTER_FILES          IoUringRegisterOp = 3  // no argument. Since 5.1
	IORING_REGISTER_EVENTFD          IoUringRegisterOp = 4  // an eventfd, int32, that is signalled for each completion. Since 5.2
	IORING_UNREGISTER_EVENTFD        IoUringRegisterOp = 5  // no argument. Since 5.2
	IORING_REGISTER_FILES_UPDATE     IoUringRegisterOp = 6  // an [IoUringRsrcUpdate], n of its length; the result is how many. Since 5.5
	IORING_REGISTER_EVENTFD_ASYNC    IoUringRegisterOp = 7  // as REGISTER_EVENTFD, for completions by workers only. Since 5.6
	IORING_REGISTER_PROBE            IoUringRegisterOp = 8  // an [IoUringProbe] with room for n operations. Since 5.6
	IORING_REGISTER_PERSONALITY      IoUringRegisterOp = 9  // no argument; the result is a number for the credentials of the caller. Since 5.6
	IORING_UNREGISTER_PERSONALITY    IoUringRegisterOp = 10 // no argument, n is that number. Since 5.6
	IORING_REGISTER_RESTRICTIONS     IoUringRegisterOp = 11 // n of [IoUringRestriction], while the ring is disabled. Since 5.10
	IORING_REGISTER_ENABLE_RINGS     IoUringRegisterOp = 12 // no argument: ends IORING_SETUP_R_DISABLED. Since 5.10
	IORING_REGISTER_FILES2           IoUringRegisterOp = 13 // an [IoUringRsrcRegister], n its size. Since 5.13
	IORING_REGISTER_FILES_UPDATE2    IoUringRegisterOp = 14 // an [IoUringRsrcUpdate2], n its size. Since 5.13
	IORING_REGISTER_BUFFERS2         IoUringRegisterOp = 15 // an [IoUringRsrcRegister], n its size. Since 5.13
	IORING_REGISTER_BUFFERS_UPDATE   IoUringRegisterOp = 16 // an [IoUringRsrcUpdate2], n its size. Since 5.13
	IORING_REGISTER_IOWQ_AFF         IoUringRegisterOp = 17 // a processor mask (unix.CPUSet) for the workers, n its bytes. Since 5.14
	IORING_UNREGISTER_IOWQ_AFF       IoUringRegisterOp = 18 // no argument. Since 5.14
	IORING_REGISTER_IOWQ_MAX_WORKERS IoUringRegisterOp = 19 // [2]uint32, how many bounded and unbounded workers, 0 to ask; n is 2. Since 5.15
	IORING_REGISTER_RING_FDS         IoUringRegisterOp = 20 // n of [IoUringRsrcUpdate] with a ring's descriptor in Data. Since 5.18
	IORING_UNREGISTER_RING_FDS       IoUringRegisterOp = 21 // n of [IoUringRsrcUpdate], Offset the slot. Since 5.18
	IORING_REGISTER_PBUF_RING        IoUringRegisterOp = 22 // an [IoUringBufReg], n is 1. Since 5.19
	IORING_UNREGISTER_PBUF_RING      IoUringRegisterOp = 23 // an [IoUringBufReg] with its BufGroup, n is 1. Since 5.19
	IORING_REGISTER_SYNC_CANCEL      IoUringRegisterOp = 24 // an [IoUringSyncCancelReg], n is 1: cancels and waits. Since 6.0
	IORING_REGISTER_FILE_ALLOC_RANGE IoUringRegisterOp = 25 // an [IoUringFileIndexRange]. Since 6.0
	IORING_REGISTER_PBUF_STATUS      IoUringRegisterOp = 26 // an [IoUringBufStatus], n is 1. Since 6.8
	IORING_REGISTER_NAPI             IoUringRegisterOp = 27 // an [IoUringNAPI], n is 1; gets what was set before. Since 6.9
	IORING_UNREGISTER_NAPI           IoUringRegisterOp = 28 // an [IoUringNAPI] or nil, n is 1. Since 6.9
	IORING_REGISTER_CLOCK            IoUringRegisterOp = 29 // an [IoUringClockRegister]. Since 6.12
	IORING_REGISTER_CLONE_BUFFERS    IoUringRegisterOp = 30 // an [IoUringCloneBuffers], n is 1. Since 6.12
	IORING_REGISTER_SEND_MSG_RING    IoUringRegisterOp = 31 // an [IoUringSQE] of MSG_RING, n is 1; fd is -1, no ring is needed. Since 6.13
	IORING_REGISTER_ZCRX_IFQ         IoUringRegisterOp = 32 // an [IoUringZcrxIfqReg], n is 1. Needs CAP_NET_ADMIN. Since 6.15
	IORING_REGISTER_RESIZE_RINGS     IoUringRegisterOp = 33 // an [IoUringParams], n is 1; needs IORING_SETUP_DEFER_TASKRUN. Since 6.13
	IORING_REGISTER_MEM_REGION       IoUringRegisterOp = 34 // an [IoUringMemRegionReg], n is 1. Since 6.13
	IORING_REGISTER_QUERY            IoUringRegisterOp = 35 // a chain of [IoUringQueryHdr], n is 0; fd may be -1. Since 6.18
	IORING_REGISTER_ZCRX_CTRL        IoUringRegisterOp = 36 // an [IoUringZcrxCtrl], n is 0. Since 6.19
	IORING_REGISTER_BPF_FILTER       IoUringRegisterOp = 37 // an [IoUringBPF], n is 1. Since 7.0
)

var ioUringRegisterOpNames = []string{
	IORING_REGISTER_BUFFERS:          "IORING_REGISTER_BUFFERS",
	IORING_UNREGISTER_BUFFERS:        "IORING_UNREGISTER_BUFFERS",
	IORING_REGISTER_FILES:            "IORING_REGISTER_FILES",
	IORING_UNREGISTER_FILES:          "IORING_UNREGISTER_FILES",
	IORING_REGISTER_EVENTFD:          "IORING_REGISTER_EVENTFD",
	IORING_UNREGISTER_EVENTFD:        "IORING_UNREGISTER_EVENTFD",
	IORING_REGISTER_FILES_UPDATE:     "IORING_REGISTER_FILES_UPDATE",
	IORING_REGISTER_EVENTFD_ASYNC:    "IORING_REGISTER_EVENTFD_ASYNC",
	IORING_REGISTER_PROBE:            "IORING_REGISTER_PROBE",
	IORING_REGISTER_PERSONALITY:      "IORING_REGISTER_PERSONALITY",
	IORING_UNREGISTER_PERSONALITY:    "IORING_UNREGISTER_PERSONALITY",
	IORING_REGISTER_RESTRICTIONS:     "IORING_REGISTER_RESTRICTIONS",
	IORING_REGISTER_ENABLE_RINGS:     "IORING_REGISTER_ENABLE_RINGS",
	IORING_REGISTER_FILES2:           "IORING_REGISTER_FILES2",
	IORING_REGISTER_FILES_UPDATE2:    "IORING_REGISTER_FILES_UPDATE2",
	IORING_REGISTER_BUFFERS2:         "IORING_REGISTER_BUFFERS2",
	IORING_REGISTER_BUFFERS_UPDATE:   "IORING_REGISTER_BUFFERS_UPDATE",
	IORING_REGISTER_IOWQ_AFF:         "IORING_REGISTER_IOWQ_AFF",
	IORING_UNREGISTER_IOWQ_AFF:       "IORING_UNREGISTER_IOWQ_AFF",
	IORING_REGISTER_IOWQ_MAX_WORKERS: "IORING_REGISTER_IOWQ_MAX_WORKERS",
	IORING_REGISTER_RING_FDS:         "IORING_REGISTER_RING_FDS",
	IORING_UNREGISTER_RING_FDS:       "IORING_UNREGISTER_RING_FDS",
	IORING_REGISTER_PBUF_RING:        "IORING_REGISTER_PBUF_RING",
	IORING_UNREGISTER_PBUF_RING:      "IORING_UNREGISTER_PBUF_RING",
	IORING_REGISTER_SYNC_CANCEL:      "IORING_REGISTER_SYNC_CANCEL",
	IORING_REGISTER_FILE_ALLOC_RANGE: "IORING_REGISTER_FILE_ALLOC_RANGE",
	IORING_REGISTER_PBUF_STATUS:      "IORING_REGISTER_PBUF_STATUS",
	IORING_REGISTER_NAPI:             "IORING_REGISTER_NAPI",
	IORING_UNREGISTER_NAPI:           "IORING_UNREGISTER_NAPI",
	IORING_REGISTER_CLOCK:            "IORING_REGISTER_CLOCK",
	IORING_REGISTER_CLONE_BUFFERS:    "IORING_REGISTER_CLONE_BUFFERS",
	IORING_REGISTER_SEND_MSG_RING:    "IORING_REGISTER_SEND_MSG_RING",
	IORING_REGISTER_ZCRX_IFQ:         "IORING_REGISTER_ZCRX_IFQ",
	IORING_REGISTER_RESIZE_RINGS:     "IORING_REGISTER_RESIZE_RINGS",
	IORING_REGISTER_MEM_REGION:       "IORING_REGISTER_MEM_REGION",
	IORING_REGISTER_QUERY:            "IORING_REGISTER_QUERY",
	IORING_REGISTER_ZCRX_CTRL:        "IORING_REGISTER_ZCRX_CTRL",
	IORING_REGISTER_BPF_FILTER:       "IORING_REGISTER_BPF_FILTER",
}

// String returns the name that linux/io_uring.h gives the value, or the number where it has none.
func (v IoUringRegisterOp) String() string { return valueName(int64(v), ioUringRegisterOpNames) }

// IORING_REGISTER_USE_REGISTERED_RING is a bit beside the [IoUringRegisterOp]: fd is a slot of
// IORING_REGISTER_RING_FDS. Since 6.3, IORING_FEAT_REG_REG_RING.
const IORING_REGISTER_USE_REGISTERED_RING IoUringRegisterOp = 1 << 31

// Numbers of the register operations.
const (
	IO_WQ_BOUND                = 0  // first of the two numbers of IOWQ_MAX_WORKERS: workers for files and block devices. Since 5.15
	IO_WQ_UNBOUND              = 1  // second: workers for everything else, which may take for ever. Since 5.15
	IORING_REGISTER_FILES_SKIP = -2 // as a descriptor of an update: leave the slot as it is. Since 5.12
)

// IoUringRsrcRegister is struct io_uring_rsrc_register: files or buffers, with tags. When the last operation that
// uses one has ended after it was replaced, a completion has its tag as UserData. Since 5.13.
type IoUringRsrcRegister struct {
	_        structs.HostLayout
	Nr       uint32           // how many
	Flags    IoUringRsrcFlags // 0, or without data
	Reserved uint64           // zero
	Data     uint64           // address of descriptors (int32) or iovecs; 0 with IORING_RSRC_REGISTER_SPARSE
	Tags     uint64           // address of numbers (uint64), 0 for none
}

// IoUringRsrcFlags are those of an [IoUringRsrcRegister].
type IoUringRsrcFlags uint32

const (
	IORING_RSRC_REGISTER_SPARSE IoUringRsrcFlags = 1 << 0 // Nr empty slots. Since 5.19
)

var ioUringRsrcFlagsNames = []flagName{
	{uint64(IORING_RSRC_REGISTER_SPARSE), "IORING_RSRC_REGISTER_SPARSE"},
}

// String writes the flags by the names that linux/io_uring.h gives them.
func (f IoUringRsrcFlags) String() string { return flagNames(uint64(f), ioUringRsrcFlagsNames) }

// IoUringRsrcUpdate is struct io_uring_rsrc_update, and the older struct io_uring_files_update. Since 5.5.
type IoUringRsrcUpdate struct {
	_        structs.HostLayout
	Offset   uint32 // first slot
	Reserved uint32 // zero
	Data     uint64 // address of descriptors (int32); for RING_FDS the descriptor itself
}

// IoUringRsrcUpdate2 is struct io_uring_rsrc_update2: an update of files or buffers, with tags. Since 5.13.
type IoUringRsrcUpdate2 struct {
	_         structs.HostLayout
	Offset    uint32 // first slot
	Reserved  uint32 // zero
	Data      uint64 // address of descriptors (int32) or iovecs
	Tags      uint64 // address of numbers (uint64), 0 for none
	Nr        uint32 // how many
	Reserved2 uint32 // zero
}

// IoUringProbeOp is struct io_uring_probe_op: whether the kernel has an operation. Since 5.6.
type IoUringProbeOp struct {
	_         structs.HostLayout
	Op        IoUringOp         // its number
	Reserved  uint8             // zero
	Flags     IoUringProbeFlags // whether
	Reserved2 uint32            // zero
}

// IoUringProbe is struct io_uring_probe with room for every operation that there can be. Since 5.6.
type IoUringProbe struct {
	_         structs.HostLayout
	LastOp    IoUringOp           // the last operation that the kernel has
	OpsLen    uint8               // how many of Ops it filled in
	Reserved  uint16              // zero
	Reserved2 [3]uint32           // zero
	Ops       [256]IoUringProbeOp // one for each, in order
}

// IoUringProbeFlags are those of an [IoUringProbeOp].
type IoUringProbeFlags uint16

const (
	IO_URING_OP_SUPPORTED IoUringProbeFlags = 1 << 0 // the kernel has the operation. Since 5.6
)

var ioUringProbeFlagsNames = []flagName{
	{uint64(IO_URING_OP_SUPPORTED), "IO_URING_OP_SUPPORTED"},
}

// String writes the flags by the names that linux/io_uring.h gives them.
func (f IoUringProbeFlags) String() string { return flagNames(uint64(f), ioUringProbeFlagsNames) }

// IoUringRestriction is struct io_uring_restriction: one thing that is allowed once the ring is enabled. Since
// 5.10.
type IoUringRestriction struct {
	_         structs.HostLayout
	Opcode    IoUringRestrictionOp // of what kind
	Value     uint8                // an [IoUringRegisterOp], an [IoUringOp] or [IoUringSQEFlags], by Opcode
	Reserved  uint8                // zero
	Reserved2 [3]uint32            // zero
}

// IoUringTaskRestriction is the head of struct io_uring_task_restriction: restrictions of all rings that the
// thread makes, with fd -1 of IORING_REGISTER_RESTRICTIONS. Count of [IoUringRestriction] follow. Since 7.0.
type IoUringTaskRestriction struct {
	_        structs.HostLayout
	Flags    uint16    // zero
	Count    uint16    // how many follow
	Reserved [3]uint32 // zero
}

// An IoUringRestrictionOp says what an [IoUringRestriction] allows.
type IoUringRestrictionOp uint16

const (
	IORING_RESTRICTION_REGISTER_OP        IoUringRestrictionOp = 0 // an operation of io_uring_register(2). Since 5.10
	IORING_RESTRICTION_SQE_OP             IoUringRestrictionOp = 1 // an operation. Since 5.10
	IORING_RESTRICTION_SQE_FLAGS_ALLOWED  IoUringRestrictionOp = 2 // flags of entries. Since 5.10
	IORING_RESTRICTION_SQE_FLAGS_REQUIRED IoUringRestrictionOp = 3 // flags that every entry must have. Since 5.10
)

var ioUringRestrictionOpNames = []string{
	IORING_RESTRICTION_REGISTER_OP:        "IORING_RESTRICTION_REGISTER_OP",
	IORING_RESTRICTION_SQE_OP:             "IORING_RESTRICTION_SQE_OP",
	IORING_RESTRICTION_SQE_FLAGS_ALLOWED:  "IORING_RESTRICTION_SQE_FLAGS_ALLOWED",
	IORING_RESTRICTION_SQE_FLAGS_REQUIRED: "IORING_RESTRICTION_SQE_FLAGS_REQUIRED",
}

// String returns the name that linux/io_uring.h gives the value, or the number where it has none.
func (v IoUringRestrictionOp) String() string { return valueName(int64(v), ioUringRestrictionOpNames) }
