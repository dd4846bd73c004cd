package syscalls

import "structs"

// An IoUringSQE is an entry of the submission queue, struct io_uring_sqe, of 64 bytes. Most fields have another
// meaning with each operation, which the comments of [IoUringOp] give; the names are those that most of them
// use. Rings with IORING_SETUP_SQE128 have 64 bytes more after each, for the commands of URING_CMD.
//
// Memory that Addr, Off and Addr3 point to is the kernel's until the operation is submitted (paths, iovecs,
// message headers, timeouts: IORING_FEAT_SUBMIT_STABLE) or complete (everything that is read or written by it).
// The fields are numbers to the garbage collector: whoever fills them in keeps the memory reachable.
type IoUringSQE struct {
	_           structs.HostLayout
	Opcode      IoUringOp       // which operation
	Flags       IoUringSQEFlags // how it is run
	IoPrio      uint16          // ioprio_set(2)'s priority; with sockets [IoUringSendRecvFlags] or [IoUringAcceptFlags]
	FD          int32           // descriptor, or slot of the registered files with IOSQE_FIXED_FILE
	Off         uint64          // offset in bytes; also addr2, or the command in its low half
	Addr        uint64          // address; also splice_off_in, or level and option name in its halves
	Len         uint32          // bytes, or number of iovecs
	OpFlags     uint32          // rw_flags, msg_flags, timeout_flags, and all others that one operation has
	UserData    uint64          // comes back in the completion; the kernel does not look at it
	BufIndex    uint16          // registered buffer, or group of buffers with IOSQE_BUFFER_SELECT
	Personality uint16          // what IORING_REGISTER_PERSONALITY returned: credentials to run with; 0 those of the submitter
	FileIndex   uint32          // slot + 1, or IORING_FILE_INDEX_ALLOC; also splice_fd_in, zcrx_ifq_idx, optlen, or addr_len in its low half
	Addr3       uint64          // address; also attr_ptr, optval, or the begin of a command's data
	Pad2        uint64          // zero; also attr_type_mask, or the command's data
}

// An IoUringCQE is an entry of the completion queue, struct io_uring_cqe, of 16 bytes. Rings with
// IORING_SETUP_CQE32 have 16 bytes more after each, rings with IORING_SETUP_CQE_MIXED after those with
// IORING_CQE_F_32.
type IoUringCQE struct {
	_        structs.HostLayout
	UserData uint64          // of the entry that was submitted
	Res      int32           // result, or an error number, negated
	Flags    IoUringCQEFlags // what else is to be known; in the upper 16 bits the number of the buffer, with IORING_CQE_F_BUFFER
}

// IoUringAttrPI is struct io_uring_attr_pi: protection information of a read or a write, to which Addr3 points,
// with IORING_RW_ATTR_FLAG_PI in Pad2. Since 6.14, where the block device supports it.
type IoUringAttrPI struct {
	_        structs.HostLayout
	Flags    uint16 // which checks: IO_INTEGRITY_CHK_GUARD and others of linux/fs.h
	AppTag   uint16 // application tag
	Len      uint32 // bytes at Addr
	Addr     uint64 // buffer of the protection information
	Seed     uint64 // first reference tag
	Reserved uint64 // zero
}

// Numbers in the fields of an entry.
const (
	IORING_RW_ATTR_FLAG_PI       = 1 << 0    // in Pad2: Addr3 points to an [IoUringAttrPI]. Since 6.14
	IORING_FILE_INDEX_ALLOC      = 1<<32 - 1 // in FileIndex: the kernel chooses a slot, and returns it in Res, or -ENFILE. Since 5.19
	IORING_CQE_BUFFER_SHIFT      = 16        // IoUringCQE.Flags >> this is the number of the buffer. Since 5.7
	IORING_NOTIF_USAGE_ZC_COPIED = 1 << 31   // in Res of a notification, as a bit: the data was copied after all. Since 6.2
	SPLICE_F_FD_IN_FIXED         = 1 << 31   // in OpFlags of SPLICE and TEE: the source is a registered file. Since 5.7
	IORING_TIMESTAMP_HW_SHIFT    = 16        // of the bit in Flags that tells the hardware's time stamp from software's. Since 6.17
	IORING_TIMESTAMP_TYPE_SHIFT  = 17        // of the kind of time stamp in Flags, an SCM_TSTAMP_ number. Since 6.17
	IORING_CQE_F_TSTAMP_HW       = 1 << 16   // in Flags: the time stamp is the hardware's. Since 6.17
)

// IoUringSQEFlags say how an operation is run: the Flags of an [IoUringSQE].
type IoUringSQEFlags uint8

const (
	IOSQE_FIXED_FILE       IoUringSQEFlags = 1 << 0 // FD is a slot of the registered files. Since 5.1
	IOSQE_IO_DRAIN         IoUringSQEFlags = 1 << 1 // starts when all before it are complete, and those after it wait for it. Since 5.2
	IOSQE_IO_LINK          IoUringSQEFlags = 1 << 2 // the next entry starts when this one is complete, and is cancelled where this one fails. Since 5.3
	IOSQE_IO_HARDLINK      IoUringSQEFlags = 1 << 3 // as IO_LINK, but the next one runs whatever becomes of this one. Since 5.5
	IOSQE_ASYNC            IoUringSQEFlags = 1 << 4 // goes to a worker thread at once, without an attempt that does not block. Since 5.6
	IOSQE_BUFFER_SELECT    IoUringSQEFlags = 1 << 5 // the kernel takes a buffer of the group BufIndex. Since 5.7
	IOSQE_CQE_SKIP_SUCCESS IoUringSQEFlags = 1 << 6 // no completion where it succeeds. Since 5.17
)

var ioUringSQEFlagsNames = []flagName{
	{uint64(IOSQE_FIXED_FILE), "IOSQE_FIXED_FILE"},
	{uint64(IOSQE_IO_DRAIN), "IOSQE_IO_DRAIN"},
	{uint64(IOSQE_IO_LINK), "IOSQE_IO_LINK"},
	{uint64(IOSQE_IO_HARDLINK), "IOSQE_IO_HARDLINK"},
	{uint64(IOSQE_ASYNC), "IOSQE_ASYNC"},
	{uint64(IOSQE_BUFFER_SELECT), "IOSQE_BUFFER_SELECT"},
	{uint64(IOSQE_CQE_SKIP_SUCCESS), "IOSQE_CQE_SKIP_SUCCESS"},
}

// String writes the flags by the names that linux/io_uring.h gives them.
func (f IoUringSQEFlags) String() string { return flagNames(uint64(f), ioUringSQEFlagsNames) }

// IoUringCQEFlags say more of a completion: the Flags of an [IoUringCQE]. The upper 16 bits are a number.
type IoUringCQEFlags uint32

const (
	IORING_CQE_F_BUFFER        IoUringCQEFlags = 1 << 0  // the upper 16 bits are the number of the buffer that the kernel took. Since 5.7
	IORING_CQE_F_MORE          IoUringCQEFlags = 1 << 1  // the same operation will post more completions. Since 5.13
	IORING_CQE_F_SOCK_NONEMPTY IoUringCQEFlags = 1 << 2  // the socket has more to read. Since 5.19
	IORING_CQE_F_NOTIF         IoUringCQEFlags = 1 << 3  // a notification: the buffer of a send without copy is free. Since 6.0
	IORING_CQE_F_BUF_MORE      IoUringCQEFlags = 1 << 4  // the rest of the buffer is still the kernel's (IOU_PBUF_RING_INC). Since 6.12
	IORING_CQE_F_SKIP          IoUringCQEFlags = 1 << 5  // fills a gap before the ring's end: to be ignored. Since 6.18
	IORING_CQE_F_32            IoUringCQEFlags = 1 << 15 // takes 32 bytes, in a ring with IORING_SETUP_CQE_MIXED. Since 6.18
)

var ioUringCQEFlagsNames = []flagName{
	{uint64(IORING_CQE_F_BUFFER), "IORING_CQE_F_BUFFER"},
	{uint64(IORING_CQE_F_MORE), "IORING_CQE_F_MORE"},
	{uint64(IORING_CQE_F_SOCK_NONEMPTY), "IORING_CQE_F_SOCK_NONEMPTY"},
	{uint64(IORING_CQE_F_NOTIF), "IORING_CQE_F_NOTIF"},
	{uint64(IORING_CQE_F_BUF_MORE), "IORING_CQE_F_BUF_MORE"},
	{uint64(IORING_CQE_F_SKIP), "IORING_CQE_F_SKIP"},
	{uint64(IORING_CQE_F_32), "IORING_CQE_F_32"},
}

// String writes the flags by the names that linux/io_uring.h gives them.
func (f IoUringCQEFlags) String() string { return flagNames(uint64(f), ioUringCQEFlagsNames) }
