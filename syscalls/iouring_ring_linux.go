package syscalls

import (
	"structs"

	"golang.org/x/sys/unix"
)

// IoUringParams is struct io_uring_params: what [IoUringSetup] is told, and what it answers. Reserved is zero.
type IoUringParams struct {
	_            structs.HostLayout
	SQEntries    uint32            // out: size of the submission queue, a power of two
	CQEntries    uint32            // out: size of the completion queue; in, with IORING_SETUP_CQSIZE
	Flags        IoUringSetupFlags // in
	SQThreadCPU  uint32            // in: processor of the kernel's thread, with IORING_SETUP_SQ_AFF
	SQThreadIdle uint32            // in: ms until that thread sleeps; 0 is one second
	Features     IoUringFeatures   // out
	WQFD         uint32            // in: a ring to share the thread and the workers of, with IORING_SETUP_ATTACH_WQ
	Reserved     [3]uint32         // zero
	SQOff        IoUringSQOffsets  // out; UserAddr in, with IORING_SETUP_NO_MMAP
	CQOff        IoUringCQOffsets  // out; UserAddr in, with IORING_SETUP_NO_MMAP
}

// IoUringSQOffsets is struct io_sqring_offsets: where in the mapping of IORING_OFF_SQ_RING what lies, in bytes.
type IoUringSQOffsets struct {
	_           structs.HostLayout
	Head        uint32 // of what the kernel takes next; the kernel writes it
	Tail        uint32 // of what the program adds next; the program writes it
	RingMask    uint32 // of the size - 1
	RingEntries uint32 // of the size
	Flags       uint32 // of [IoUringSQRingFlags]; the kernel writes them
	Dropped     uint32 // of the number of entries that were no index
	Array       uint32 // of the array of indices; 0 with IORING_SETUP_NO_SQARRAY
	Reserved    uint32 // zero
	UserAddr    uint64 // memory for the entries, with IORING_SETUP_NO_MMAP
}

// IoUringCQOffsets is struct io_cqring_offsets: where in the mapping of IORING_OFF_CQ_RING what lies, in bytes.
type IoUringCQOffsets struct {
	_           structs.HostLayout
	Head        uint32 // of what the program takes next; the program writes it
	Tail        uint32 // of what the kernel adds next; the kernel writes it
	RingMask    uint32 // of the size - 1
	RingEntries uint32 // of the size
	Overflow    uint32 // of the number of completions that found no place
	CQEs        uint32 // of the entries
	Flags       uint32 // of [IoUringCQRingFlags]; the program writes them
	Reserved    uint32 // zero
	UserAddr    uint64 // memory for the rings, with IORING_SETUP_NO_MMAP
}

// IoUringGeteventsArg is struct io_uring_getevents_arg: how [IoUringEnterArg] waits. Since 5.11.
type IoUringGeteventsArg struct {
	_           structs.HostLayout
	Sigmask     uint64 // address of a signal mask to wait with, or 0
	SigmaskSize uint32 // 8, the bytes of a mask that the kernel has
	MinWaitUsec uint32 // µs to wait for as many as asked; after that one is enough. Since 6.12, IORING_FEAT_MIN_TIMEOUT
	Timeout     uint64 // address of a unix.Timespec, the longest to wait, or 0
}

// IoUringRegWait is struct io_uring_reg_wait: how [IoUringEnterRegWait] waits, in memory that was registered with
// IORING_REGISTER_MEM_REGION. Since 6.13.
type IoUringRegWait struct {
	_           structs.HostLayout
	Timeout     unix.Timespec       // the longest to wait, with IORING_REG_WAIT_TS
	MinWaitUsec uint32              // as in [IoUringGeteventsArg]
	Flags       IoUringRegWaitFlags // which fields hold
	Sigmask     uint64              // as in [IoUringGeteventsArg]
	SigmaskSize uint32              // likewise
	Pad         [3]uint32           // zero
	Pad2        [2]uint64           // zero
}

// Offsets for mmap(2) of a ring's descriptor.
const (
	IORING_OFF_SQ_RING    = 0          // the submission queue without its entries, and with IORING_FEAT_SINGLE_MMAP the completion queue. Since 5.1
	IORING_OFF_CQ_RING    = 0x8000000  // the completion queue. Since 5.1
	IORING_OFF_SQES       = 0x10000000 // the entries of the submission queue. Since 5.1
	IORING_OFF_PBUF_RING  = 0x80000000 // a ring of buffers that the kernel made, with its group << IORING_OFF_PBUF_SHIFT. Since 6.4
	IORING_OFF_PBUF_SHIFT = 16         // of the group. Since 6.4
	IORING_OFF_MMAP_MASK  = 0xf8000000 // the part of an offset that says which of these it is. Since 6.4
)

// IoUringRegWaitFlags say which fields of an [IoUringRegWait] hold.
type IoUringRegWaitFlags uint32

const (
	IORING_REG_WAIT_TS IoUringRegWaitFlags = 1 << 0 // Timeout. Since 6.13
)

var ioUringRegWaitFlagsNames = []flagName{
	{uint64(IORING_REG_WAIT_TS), "IORING_REG_WAIT_TS"},
}

// String writes the flags by the names that linux/io_uring.h gives them.
func (f IoUringRegWaitFlags) String() string { return flagNames(uint64(f), ioUringRegWaitFlagsNames) }

// IoUringSetupFlags say what ring [IoUringSetup] makes; io_uring_setup(2).
type IoUringSetupFlags uint32

const (
	IORING_SETUP_IOPOLL             IoUringSetupFlags = 1 << 0  // completions are polled for: only for files opened with O_DIRECT. Since 5.1
	IORING_SETUP_SQPOLL             IoUringSetupFlags = 1 << 1  // a thread of the kernel takes the entries. Since 5.1, without privilege 5.11
	IORING_SETUP_SQ_AFF             IoUringSetupFlags = 1 << 2  // that thread runs on SQThreadCPU. Since 5.1
	IORING_SETUP_CQSIZE             IoUringSetupFlags = 1 << 3  // CQEntries is the size of the completion queue. Since 5.5
	IORING_SETUP_CLAMP              IoUringSetupFlags = 1 << 4  // sizes above the limit mean the limit. Since 5.6
	IORING_SETUP_ATTACH_WQ          IoUringSetupFlags = 1 << 5  // shares thread and workers with the ring WQFD. Since 5.6
	IORING_SETUP_R_DISABLED         IoUringSetupFlags = 1 << 6  // takes nothing until IORING_REGISTER_ENABLE_RINGS. Since 5.10
	IORING_SETUP_SUBMIT_ALL         IoUringSetupFlags = 1 << 7  // goes on with the next entry where one is refused. Since 5.18
	IORING_SETUP_COOP_TASKRUN       IoUringSetupFlags = 1 << 8  // does not interrupt the program to complete: its next call does. Since 5.19
	IORING_SETUP_TASKRUN_FLAG       IoUringSetupFlags = 1 << 9  // sets IORING_SQ_TASKRUN while such work waits. Since 5.19
	IORING_SETUP_SQE128             IoUringSetupFlags = 1 << 10 // entries of 128 bytes. Since 5.19
	IORING_SETUP_CQE32              IoUringSetupFlags = 1 << 11 // completions of 32 bytes. Since 5.19
	IORING_SETUP_SINGLE_ISSUER      IoUringSetupFlags = 1 << 12 // one thread alone submits; another gets EEXIST. Since 6.0
	IORING_SETUP_DEFER_TASKRUN      IoUringSetupFlags = 1 << 13 // completes only inside a call with IORING_ENTER_GETEVENTS; needs SINGLE_ISSUER. Since 6.1
	IORING_SETUP_NO_MMAP            IoUringSetupFlags = 1 << 14 // the program brings the memory. Since 6.5
	IORING_SETUP_REGISTERED_FD_ONLY IoUringSetupFlags = 1 << 15 // returns a registered slot, no descriptor; needs NO_MMAP. Since 6.5
	IORING_SETUP_NO_SQARRAY         IoUringSetupFlags = 1 << 16 // no array of indices: entries are taken in their order. Since 6.6
	IORING_SETUP_HYBRID_IOPOLL      IoUringSetupFlags = 1 << 17 // polls after a sleep of half the usual time; needs IOPOLL. Since 6.13
	IORING_SETUP_CQE_MIXED          IoUringSetupFlags = 1 << 18 // completions of 16 and of 32 bytes (IORING_CQE_F_32). Since 6.18
	IORING_SETUP_SQE_MIXED          IoUringSetupFlags = 1 << 19 // entries of 64 and of 128 bytes (NOP128, URING_CMD128). Since 6.19
	IORING_SETUP_SQ_REWIND          IoUringSetupFlags = 1 << 20 // each call takes the entries from the first on; needs NO_SQARRAY. Since 7.0
)

var ioUringSetupFlagsNames = []flagName{
	{uint64(IORING_SETUP_IOPOLL), "IORING_SETUP_IOPOLL"},
	{uint64(IORING_SETUP_SQPOLL), "IORING_SETUP_SQPOLL"},
	{uint64(IORING_SETUP_SQ_AFF), "IORING_SETUP_SQ_AFF"},
	{uint64(IORING_SETUP_CQSIZE), "IORING_SETUP_CQSIZE"},
	{uint64(IORING_SETUP_CLAMP), "IORING_SETUP_CLAMP"},
	{uint64(IORING_SETUP_ATTACH_WQ), "IORING_SETUP_ATTACH_WQ"},
	{uint64(IORING_SETUP_R_DISABLED), "IORING_SETUP_R_DISABLED"},
	{uint64(IORING_SETUP_SUBMIT_ALL), "IORING_SETUP_SUBMIT_ALL"},
	{uint64(IORING_SETUP_COOP_TASKRUN), "IORING_SETUP_COOP_TASKRUN"},
	{uint64(IORING_SETUP_TASKRUN_FLAG), "IORING_SETUP_TASKRUN_FLAG"},
	{uint64(IORING_SETUP_SQE128), "IORING_SETUP_SQE128"},
	{uint64(IORING_SETUP_CQE32), "IORING_SETUP_CQE32"},
	{uint64(IORING_SETUP_SINGLE_ISSUER), "IORING_SETUP_SINGLE_ISSUER"},
	{uint64(IORING_SETUP_DEFER_TASKRUN), "IORING_SETUP_DEFER_TASKRUN"},
	{uint64(IORING_SETUP_NO_MMAP), "IORING_SETUP_NO_MMAP"},
	{uint64(IORING_SETUP_REGISTERED_FD_ONLY), "IORING_SETUP_REGISTERED_FD_ONLY"},
	{uint64(IORING_SETUP_NO_SQARRAY), "IORING_SETUP_NO_SQARRAY"},
	{uint64(IORING_SETUP_HYBRID_IOPOLL), "IORING_SETUP_HYBRID_IOPOLL"},
	{uint64(IORING_SETUP_CQE_MIXED), "IORING_SETUP_CQE_MIXED"},
	{uint64(IORING_SETUP_SQE_MIXED), "IORING_SETUP_SQE_MIXED"},
	{uint64(IORING_SETUP_SQ_REWIND), "IORING_SETUP_SQ_REWIND"},
}

// String writes the flags by the names that linux/io_uring.h gives them.
func (f IoUringSetupFlags) String() string { return flagNames(uint64(f), ioUringSetupFlagsNames) }

// IoUringFeatures say what the kernel's rings can, whatever their flags; io_uring_setup(2).
type IoUringFeatures uint32

const (
	IORING_FEAT_SINGLE_MMAP     IoUringFeatures = 1 << 0  // one mapping holds both queues. Since 5.4
	IORING_FEAT_NODROP          IoUringFeatures = 1 << 1  // completions that find no place are kept. Since 5.5
	IORING_FEAT_SUBMIT_STABLE   IoUringFeatures = 1 << 2  // what an entry points to as arguments may go when it is submitted. Since 5.5
	IORING_FEAT_RW_CUR_POS      IoUringFeatures = 1 << 3  // Off -1 is the file's own position. Since 5.6
	IORING_FEAT_CUR_PERSONALITY IoUringFeatures = 1 << 4  // operations run with the submitter's credentials, not the ring's. Since 5.6
	IORING_FEAT_FAST_POLL       IoUringFeatures = 1 << 5  // waits for readiness without a worker. Since 5.7
	IORING_FEAT_POLL_32BITS     IoUringFeatures = 1 << 6  // POLL_ADD takes 32 bits of events. Since 5.9
	IORING_FEAT_SQPOLL_NONFIXED IoUringFeatures = 1 << 7  // SQPOLL works with files that are not registered. Since 5.11
	IORING_FEAT_EXT_ARG         IoUringFeatures = 1 << 8  // IORING_ENTER_EXT_ARG. Since 5.11
	IORING_FEAT_NATIVE_WORKERS  IoUringFeatures = 1 << 9  // workers are threads of the program. Since 5.12
	IORING_FEAT_RSRC_TAGS       IoUringFeatures = 1 << 10 // registered files and buffers have tags. Since 5.13
	IORING_FEAT_CQE_SKIP        IoUringFeatures = 1 << 11 // IOSQE_CQE_SKIP_SUCCESS. Since 5.17
	IORING_FEAT_LINKED_FILE     IoUringFeatures = 1 << 12 // files are looked up when an operation of a chain starts. Since 5.18
	IORING_FEAT_REG_REG_RING    IoUringFeatures = 1 << 13 // IORING_REGISTER_USE_REGISTERED_RING. Since 6.3
	IORING_FEAT_RECVSEND_BUNDLE IoUringFeatures = 1 << 14 // IORING_RECVSEND_BUNDLE. Since 6.10
	IORING_FEAT_MIN_TIMEOUT     IoUringFeatures = 1 << 15 // MinWaitUsec. Since 6.12
	IORING_FEAT_RW_ATTR         IoUringFeatures = 1 << 16 // [IoUringAttrPI]. Since 6.14
	IORING_FEAT_NO_IOWAIT       IoUringFeatures = 1 << 17 // IORING_ENTER_NO_IOWAIT. Since 6.15
)

var ioUringFeaturesNames = []flagName{
	{uint64(IORING_FEAT_SINGLE_MMAP), "IORING_FEAT_SINGLE_MMAP"},
	{uint64(IORING_FEAT_NODROP), "IORING_FEAT_NODROP"},
	{uint64(IORING_FEAT_SUBMIT_STABLE), "IORING_FEAT_SUBMIT_STABLE"},
	{uint64(IORING_FEAT_RW_CUR_POS), "IORING_FEAT_RW_CUR_POS"},
	{uint64(IORING_FEAT_CUR_PERSONALITY), "IORING_FEAT_CUR_PERSONALITY"},
	{uint64(IORING_FEAT_FAST_POLL), "IORING_FEAT_FAST_POLL"},
	{uint64(IORING_FEAT_POLL_32BITS), "IORING_FEAT_POLL_32BITS"},
	{uint64(IORING_FEAT_SQPOLL_NONFIXED), "IORING_FEAT_SQPOLL_NONFIXED"},
	{uint64(IORING_FEAT_EXT_ARG), "IORING_FEAT_EXT_ARG"},
	{uint64(IORING_FEAT_NATIVE_WORKERS), "IORING_FEAT_NATIVE_WORKERS"},
	{uint64(IORING_FEAT_RSRC_TAGS), "IORING_FEAT_RSRC_TAGS"},
	{uint64(IORING_FEAT_CQE_SKIP), "IORING_FEAT_CQE_SKIP"},
	{uint64(IORING_FEAT_LINKED_FILE), "IORING_FEAT_LINKED_FILE"},
	{uint64(IORING_FEAT_REG_REG_RING), "IORING_FEAT_REG_REG_RING"},
	{uint64(IORING_FEAT_RECVSEND_BUNDLE), "IORING_FEAT_RECVSEND_BUNDLE"},
	{uint64(IORING_FEAT_MIN_TIMEOUT), "IORING_FEAT_MIN_TIMEOUT"},
	{uint64(IORING_FEAT_RW_ATTR), "IORING_FEAT_RW_ATTR"},
	{uint64(IORING_FEAT_NO_IOWAIT), "IORING_FEAT_NO_IOWAIT"},
}

// String writes the flags by the names that linux/io_uring.h gives them.
func (f IoUringFeatures) String() string { return flagNames(uint64(f), ioUringFeaturesNames) }

// IoUringEnterFlags say what [IoUringEnter] does; io_uring_enter(2).
type IoUringEnterFlags uint32

const (
	IORING_ENTER_GETEVENTS       IoUringEnterFlags = 1 << 0 // waits for as many completions as asked; runs deferred work. Since 5.1
	IORING_ENTER_SQ_WAKEUP       IoUringEnterFlags = 1 << 1 // wakes the thread of IORING_SETUP_SQPOLL. Since 5.1
	IORING_ENTER_SQ_WAIT         IoUringEnterFlags = 1 << 2 // waits until the submission queue has room, with SQPOLL. Since 5.10
	IORING_ENTER_EXT_ARG         IoUringEnterFlags = 1 << 3 // the argument is an [IoUringGeteventsArg]. Since 5.11
	IORING_ENTER_REGISTERED_RING IoUringEnterFlags = 1 << 4 // fd is a slot of IORING_REGISTER_RING_FDS. Since 5.18
	IORING_ENTER_ABS_TIMER       IoUringEnterFlags = 1 << 5 // the timeout is a time of the ring's clock, not a span. Since 6.12
	IORING_ENTER_EXT_ARG_REG     IoUringEnterFlags = 1 << 6 // the argument is an offset of an [IoUringRegWait]. Since 6.13
	IORING_ENTER_NO_IOWAIT       IoUringEnterFlags = 1 << 7 // does not count the wait as one for a disk. Since 6.15
)

var ioUringEnterFlagsNames = []flagName{
	{uint64(IORING_ENTER_GETEVENTS), "IORING_ENTER_GETEVENTS"},
	{uint64(IORING_ENTER_SQ_WAKEUP), "IORING_ENTER_SQ_WAKEUP"},
	{uint64(IORING_ENTER_SQ_WAIT), "IORING_ENTER_SQ_WAIT"},
	{uint64(IORING_ENTER_EXT_ARG), "IORING_ENTER_EXT_ARG"},
	{uint64(IORING_ENTER_REGISTERED_RING), "IORING_ENTER_REGISTERED_RING"},
	{uint64(IORING_ENTER_ABS_TIMER), "IORING_ENTER_ABS_TIMER"},
	{uint64(IORING_ENTER_EXT_ARG_REG), "IORING_ENTER_EXT_ARG_REG"},
	{uint64(IORING_ENTER_NO_IOWAIT), "IORING_ENTER_NO_IOWAIT"},
}

// String writes the flags by the names that linux/io_uring.h gives them.
func (f IoUringEnterFlags) String() string { return flagNames(uint64(f), ioUringEnterFlagsNames) }

// IoUringSQRingFlags are what the kernel tells in the submission queue, at [IoUringSQOffsets].Flags; read
// atomically.
type IoUringSQRingFlags uint32

const (
	IORING_SQ_NEED_WAKEUP IoUringSQRingFlags = 1 << 0 // the thread of SQPOLL sleeps: IORING_ENTER_SQ_WAKEUP wakes it. Since 5.1
	IORING_SQ_CQ_OVERFLOW IoUringSQRingFlags = 1 << 1 // completions found no place: IORING_ENTER_GETEVENTS brings them. Since 5.8
	IORING_SQ_TASKRUN     IoUringSQRingFlags = 1 << 2 // work waits for a call, with IORING_SETUP_TASKRUN_FLAG. Since 5.19
)

var ioUringSQRingFlagsNames = []flagName{
	{uint64(IORING_SQ_NEED_WAKEUP), "IORING_SQ_NEED_WAKEUP"},
	{uint64(IORING_SQ_CQ_OVERFLOW), "IORING_SQ_CQ_OVERFLOW"},
	{uint64(IORING_SQ_TASKRUN), "IORING_SQ_TASKRUN"},
}

// String writes the flags by the names that linux/io_uring.h gives them.
func (f IoUringSQRingFlags) String() string { return flagNames(uint64(f), ioUringSQRingFlagsNames) }

// IoUringCQRingFlags are what the program tells in the completion queue, at [IoUringCQOffsets].Flags.
type IoUringCQRingFlags uint32

const (
	IORING_CQ_EVENTFD_DISABLED IoUringCQRingFlags = 1 << 0 // the registered eventfd is not signalled. Since 5.8
)

var ioUringCQRingFlagsNames = []flagName{
	{uint64(IORING_CQ_EVENTFD_DISABLED), "IORING_CQ_EVENTFD_DISABLED"},
}

// String writes the flags by the names that linux/io_uring.h gives them.
func (f IoUringCQRingFlags) String() string { return flagNames(uint64(f), ioUringCQRingFlagsNames) }
