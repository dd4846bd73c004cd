package syscalls

import (
	"structs"

	"golang.org/x/sys/unix"
)

// IoUringBuf is struct io_uring_buf: a buffer in the ring of a group. The Reserved of the first one in the ring
// is the ring's tail, which the program stores atomically (release) after what it added. Since 5.19.
type IoUringBuf struct {
	_        structs.HostLayout
	Addr     uint64 // address of the buffer
	Len      uint32 // its bytes
	ID       uint16 // what comes back in the completion's Flags
	Reserved uint16 // zero
}

// IoUringBufReg is struct io_uring_buf_reg: a ring of buffers, Entries of [IoUringBuf] in memory. Since 5.19.
type IoUringBufReg struct {
	_        structs.HostLayout
	RingAddr uint64               // address of the ring, of a page's alignment; 0 with IOU_PBUF_RING_MMAP
	Entries  uint32               // a power of two, 32768 at the most
	BufGroup uint16               // number of the group
	Flags    IoUringPbufRingFlags // whose memory, and how it is used up
	MinLeft  uint32               // bytes below which IOU_PBUF_RING_INC ends a buffer. Since 7.1, before it zero
	Reserved [5]uint32            // zero
}

// IoUringBufStatus is struct io_uring_buf_status. Since 6.8.
type IoUringBufStatus struct {
	_        structs.HostLayout
	BufGroup uint32    // in
	Head     uint32    // out: what the kernel takes next
	Reserved [8]uint32 // zero
}

// IoUringSyncCancelReg is struct io_uring_sync_cancel_reg: what to cancel, and how long to wait. Since 6.0.
type IoUringSyncCancelReg struct {
	_        structs.HostLayout
	Addr     uint64             // UserData of the operation
	FD       int32              // with IORING_ASYNC_CANCEL_FD
	Flags    IoUringCancelFlags // which
	Timeout  unix.Timespec      // the longest to wait (ETIME); -1, -1 for ever
	Opcode   IoUringOp          // with IORING_ASYNC_CANCEL_OP. Since 6.6
	Pad      [7]uint8           // zero
	Reserved [3]uint64          // zero
}

// IoUringFileIndexRange is struct io_uring_file_index_range: the slots [Off, Off + Len) are those that
// IORING_FILE_INDEX_ALLOC chooses from. Since 6.0.
type IoUringFileIndexRange struct {
	_        structs.HostLayout
	Off      uint32 // first slot
	Len      uint32 // how many
	Reserved uint64 // zero
}

// IoUringNAPI is struct io_uring_napi: busy polling of network queues while waiting. Since 6.9.
type IoUringNAPI struct {
	_              structs.HostLayout
	BusyPollTo     uint32   // µs to poll
	PreferBusyPoll uint8    // 1: the card interrupts less
	Opcode         uint8    // 0 sets, 1 adds and 2 removes the queue OpParam (static tracking). Since 6.13
	Pad            [2]uint8 // zero
	OpParam        uint32   // tracking: 0 dynamic, 1 static, 255 none; or the queue's number. Since 6.13
	Reserved       uint32   // zero
}

// IoUringClockRegister is struct io_uring_clock_register: the clock of waits, CLOCK_MONOTONIC (which it is
// without) or CLOCK_BOOTTIME. Since 6.12.
type IoUringClockRegister struct {
	_        structs.HostLayout
	ClockID  uint32    // unix.CLOCK_MONOTONIC or CLOCK_BOOTTIME
	Reserved [3]uint32 // zero
}

// IoUringCloneBuffers is struct io_uring_clone_buffers: registered buffers of another ring become this one's.
// Since 6.12.
type IoUringCloneBuffers struct {
	_        structs.HostLayout
	SrcFD    uint32            // the other ring, or its slot
	Flags    IoUringCloneFlags // how
	SrcOff   uint32            // first of the other's. Since 6.13
	DstOff   uint32            // first of this one's. Since 6.13
	Nr       uint32            // how many, 0 for all. Since 6.13
	Reserved [3]uint32         // zero
}

// IoUringRegionDesc is struct io_uring_region_desc: memory that program and kernel share. Since 6.13.
type IoUringRegionDesc struct {
	_          structs.HostLayout
	UserAddr   uint64             // address, with IORING_MEM_REGION_TYPE_USER
	Size       uint64             // bytes, whole pages
	Flags      IoUringRegionFlags // whose memory
	ID         uint32             // zero
	MmapOffset uint64             // out: for mmap(2), where the kernel brings the memory
	Reserved   [4]uint64          // zero
}

// IoUringMemRegionReg is struct io_uring_mem_region_reg. Since 6.13.
type IoUringMemRegionReg struct {
	_        structs.HostLayout
	Region   uint64                // address of an [IoUringRegionDesc]
	Flags    IoUringMemRegionFlags // what for
	Reserved [2]uint64             // zero
}

// IoUringPbufRingFlags are those of an [IoUringBufReg].
type IoUringPbufRingFlags uint16

const (
	IOU_PBUF_RING_MMAP IoUringPbufRingFlags = 1 << 0 // the kernel makes the ring: mmap(2) at IORING_OFF_PBUF_RING. Since 6.4
	IOU_PBUF_RING_INC  IoUringPbufRingFlags = 1 << 1 // buffers are used up piece by piece (IORING_CQE_F_BUF_MORE). Since 6.12
)

var ioUringPbufRingFlagsNames = []flagName{
	{uint64(IOU_PBUF_RING_MMAP), "IOU_PBUF_RING_MMAP"},
	{uint64(IOU_PBUF_RING_INC), "IOU_PBUF_RING_INC"},
}

// String writes the flags by the names that linux/io_uring.h gives them.
func (f IoUringPbufRingFlags) String() string { return flagNames(uint64(f), ioUringPbufRingFlagsNames) }

// IoUringCloneFlags are those of an [IoUringCloneBuffers].
type IoUringCloneFlags uint32

const (
	IORING_REGISTER_SRC_REGISTERED IoUringCloneFlags = 1 << 0 // SrcFD is a slot of IORING_REGISTER_RING_FDS. Since 6.12
	IORING_REGISTER_DST_REPLACE    IoUringCloneFlags = 1 << 1 // replaces what this ring has there. Since 6.13
)

var ioUringCloneFlagsNames = []flagName{
	{uint64(IORING_REGISTER_SRC_REGISTERED), "IORING_REGISTER_SRC_REGISTERED"},
	{uint64(IORING_REGISTER_DST_REPLACE), "IORING_REGISTER_DST_REPLACE"},
}

// String writes the flags by the names that linux/io_uring.h gives them.
func (f IoUringCloneFlags) String() string { return flagNames(uint64(f), ioUringCloneFlagsNames) }

// IoUringRegionFlags are those of an [IoUringRegionDesc].
type IoUringRegionFlags uint32

const (
	IORING_MEM_REGION_TYPE_USER IoUringRegionFlags = 1 << 0 // the program brings the memory. Since 6.13
)

var ioUringRegionFlagsNames = []flagName{
	{uint64(IORING_MEM_REGION_TYPE_USER), "IORING_MEM_REGION_TYPE_USER"},
}

// String writes the flags by the names that linux/io_uring.h gives them.
func (f IoUringRegionFlags) String() string { return flagNames(uint64(f), ioUringRegionFlagsNames) }

// IoUringMemRegionFlags are those of an [IoUringMemRegionReg].
type IoUringMemRegionFlags uint64

const (
	IORING_MEM_REGION_REG_WAIT_ARG IoUringMemRegionFlags = 1 << 0 // holds [IoUringRegWait]; only while the ring is disabled. Since 6.13
)

var ioUringMemRegionFlagsNames = []flagName{
	{uint64(IORING_MEM_REGION_REG_WAIT_ARG), "IORING_MEM_REGION_REG_WAIT_ARG"},
}

// String writes the flags by the names that linux/io_uring.h gives them.
func (f IoUringMemRegionFlags) String() string {
	return flagNames(uint64(f), ioUringMemRegionFlagsNames)
}
