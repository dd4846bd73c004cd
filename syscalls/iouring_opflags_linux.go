package syscalls

import "structs"

// IoUringFsyncFlags are the OpFlags of FSYNC.
type IoUringFsyncFlags uint32

const (
	IORING_FSYNC_DATASYNC IoUringFsyncFlags = 1 << 0 // as fdatasync(2). Since 5.1
)

var ioUringFsyncFlagsNames = []flagName{
	{uint64(IORING_FSYNC_DATASYNC), "IORING_FSYNC_DATASYNC"},
}

// String writes the flags by the names that linux/io_uring.h gives them.
func (f IoUringFsyncFlags) String() string { return flagNames(uint64(f), ioUringFsyncFlagsNames) }

// IoUringTimeoutFlags are the OpFlags of TIMEOUT, TIMEOUT_REMOVE and LINK_TIMEOUT. Without a clock it is
// CLOCK_MONOTONIC.
type IoUringTimeoutFlags uint32

const (
	IORING_TIMEOUT_ABS           IoUringTimeoutFlags = 1 << 0 // the time is one of the clock, not a span. Since 5.4
	IORING_TIMEOUT_UPDATE        IoUringTimeoutFlags = 1 << 1 // TIMEOUT_REMOVE sets a new time instead. Since 5.11
	IORING_TIMEOUT_BOOTTIME      IoUringTimeoutFlags = 1 << 2 // CLOCK_BOOTTIME. Since 5.15
	IORING_TIMEOUT_REALTIME      IoUringTimeoutFlags = 1 << 3 // CLOCK_REALTIME. Since 5.15
	IORING_LINK_TIMEOUT_UPDATE   IoUringTimeoutFlags = 1 << 4 // TIMEOUT_REMOVE sets a new time for a LINK_TIMEOUT. Since 5.15
	IORING_TIMEOUT_ETIME_SUCCESS IoUringTimeoutFlags = 1 << 5 // -ETIME does not break a chain. Since 5.16
	IORING_TIMEOUT_MULTISHOT     IoUringTimeoutFlags = 1 << 6 // again and again; Off is how often, 0 for ever. Since 6.4
	IORING_TIMEOUT_IMMEDIATE_ARG IoUringTimeoutFlags = 1 << 7 // Addr is the time in ns, not an address. Since 7.1
)

var ioUringTimeoutFlagsNames = []flagName{
	{uint64(IORING_TIMEOUT_ABS), "IORING_TIMEOUT_ABS"},
	{uint64(IORING_TIMEOUT_UPDATE), "IORING_TIMEOUT_UPDATE"},
	{uint64(IORING_TIMEOUT_BOOTTIME), "IORING_TIMEOUT_BOOTTIME"},
	{uint64(IORING_TIMEOUT_REALTIME), "IORING_TIMEOUT_REALTIME"},
	{uint64(IORING_LINK_TIMEOUT_UPDATE), "IORING_LINK_TIMEOUT_UPDATE"},
	{uint64(IORING_TIMEOUT_ETIME_SUCCESS), "IORING_TIMEOUT_ETIME_SUCCESS"},
	{uint64(IORING_TIMEOUT_MULTISHOT), "IORING_TIMEOUT_MULTISHOT"},
	{uint64(IORING_TIMEOUT_IMMEDIATE_ARG), "IORING_TIMEOUT_IMMEDIATE_ARG"},
}

// String writes the flags by the names that linux/io_uring.h gives them.
func (f IoUringTimeoutFlags) String() string { return flagNames(uint64(f), ioUringTimeoutFlagsNames) }

// Sets of [IoUringTimeoutFlags].
const (
	IORING_TIMEOUT_CLOCK_MASK  = IORING_TIMEOUT_BOOTTIME | IORING_TIMEOUT_REALTIME  // the clock: one at the most. Since 5.15
	IORING_TIMEOUT_UPDATE_MASK = IORING_TIMEOUT_UPDATE | IORING_LINK_TIMEOUT_UPDATE // any update. Since 5.15
)

// IoUringPollFlags are the Len of POLL_ADD and POLL_REMOVE.
type IoUringPollFlags uint32

const (
	IORING_POLL_ADD_MULTI        IoUringPollFlags = 1 << 0 // reports again and again, with IORING_CQE_F_MORE. Since 5.13
	IORING_POLL_UPDATE_EVENTS    IoUringPollFlags = 1 << 1 // POLL_REMOVE sets new events instead. Since 5.13
	IORING_POLL_UPDATE_USER_DATA IoUringPollFlags = 1 << 2 // POLL_REMOVE sets UserData to Off instead. Since 5.13
	IORING_POLL_ADD_LEVEL        IoUringPollFlags = 1 << 3 // level-triggered: as long as there is something. In the header since 6.0; POLL_ADD refuses it (EINVAL) up to 6.18
)

var ioUringPollFlagsNames = []flagName{
	{uint64(IORING_POLL_ADD_MULTI), "IORING_POLL_ADD_MULTI"},
	{uint64(IORING_POLL_UPDATE_EVENTS), "IORING_POLL_UPDATE_EVENTS"},
	{uint64(IORING_POLL_UPDATE_USER_DATA), "IORING_POLL_UPDATE_USER_DATA"},
	{uint64(IORING_POLL_ADD_LEVEL), "IORING_POLL_ADD_LEVEL"},
}

// String writes the flags by the names that linux/io_uring.h gives them.
func (f IoUringPollFlags) String() string { return flagNames(uint64(f), ioUringPollFlagsNames) }

// IoUringCancelFlags are the OpFlags of ASYNC_CANCEL, and the Flags of an [IoUringSyncCancelReg].
type IoUringCancelFlags uint32

const (
	IORING_ASYNC_CANCEL_ALL      IoUringCancelFlags = 1 << 0 // all that match, not the first; the result is how many. Since 5.19
	IORING_ASYNC_CANCEL_FD       IoUringCancelFlags = 1 << 1 // match by FD instead of UserData. Since 5.19
	IORING_ASYNC_CANCEL_ANY      IoUringCancelFlags = 1 << 2 // match everything. Since 5.19
	IORING_ASYNC_CANCEL_FD_FIXED IoUringCancelFlags = 1 << 3 // FD is a slot of the registered files. Since 6.0
	IORING_ASYNC_CANCEL_USERDATA IoUringCancelFlags = 1 << 4 // match by UserData too, besides another key. Since 6.6
	IORING_ASYNC_CANCEL_OP       IoUringCancelFlags = 1 << 5 // match by operation too, which is in Len. Since 6.6
)

var ioUringCancelFlagsNames = []flagName{
	{uint64(IORING_ASYNC_CANCEL_ALL), "IORING_ASYNC_CANCEL_ALL"},
	{uint64(IORING_ASYNC_CANCEL_FD), "IORING_ASYNC_CANCEL_FD"},
	{uint64(IORING_ASYNC_CANCEL_ANY), "IORING_ASYNC_CANCEL_ANY"},
	{uint64(IORING_ASYNC_CANCEL_FD_FIXED), "IORING_ASYNC_CANCEL_FD_FIXED"},
	{uint64(IORING_ASYNC_CANCEL_USERDATA), "IORING_ASYNC_CANCEL_USERDATA"},
	{uint64(IORING_ASYNC_CANCEL_OP), "IORING_ASYNC_CANCEL_OP"},
}

// String writes the flags by the names that linux/io_uring.h gives them.
func (f IoUringCancelFlags) String() string { return flagNames(uint64(f), ioUringCancelFlagsNames) }

// IoUringSendRecvFlags are the IoPrio of SEND, RECV, SENDMSG, RECVMSG, SEND_ZC, SENDMSG_ZC and RECV_ZC.
type IoUringSendRecvFlags uint16

const (
	IORING_RECVSEND_POLL_FIRST  IoUringSendRecvFlags = 1 << 0 // wait for readiness first: an attempt would fail. Since 5.19
	IORING_RECV_MULTISHOT       IoUringSendRecvFlags = 1 << 1 // receive again and again, with IORING_CQE_F_MORE. Since 6.0
	IORING_RECVSEND_FIXED_BUF   IoUringSendRecvFlags = 1 << 2 // the buffer is registered, and BufIndex says which. Since 6.0
	IORING_SEND_ZC_REPORT_USAGE IoUringSendRecvFlags = 1 << 3 // the notification says whether the data was copied after all. Since 6.2
	IORING_RECVSEND_BUNDLE      IoUringSendRecvFlags = 1 << 4 // fill or send several buffers of the group at once. Since 6.10
	IORING_SEND_VECTORIZED      IoUringSendRecvFlags = 1 << 5 // Addr is an array of Len iovecs. Since 6.17
)

var ioUringSendRecvFlagsNames = []flagName{
	{uint64(IORING_RECVSEND_POLL_FIRST), "IORING_RECVSEND_POLL_FIRST"},
	{uint64(IORING_RECV_MULTISHOT), "IORING_RECV_MULTISHOT"},
	{uint64(IORING_RECVSEND_FIXED_BUF), "IORING_RECVSEND_FIXED_BUF"},
	{uint64(IORING_SEND_ZC_REPORT_USAGE), "IORING_SEND_ZC_REPORT_USAGE"},
	{uint64(IORING_RECVSEND_BUNDLE), "IORING_RECVSEND_BUNDLE"},
	{uint64(IORING_SEND_VECTORIZED), "IORING_SEND_VECTORIZED"},
}

// String writes the flags by the names that linux/io_uring.h gives them.
func (f IoUringSendRecvFlags) String() string { return flagNames(uint64(f), ioUringSendRecvFlagsNames) }

// IoUringAcceptFlags are the IoPrio of ACCEPT.
type IoUringAcceptFlags uint16

const (
	IORING_ACCEPT_MULTISHOT  IoUringAcceptFlags = 1 << 0 // accept again and again, with IORING_CQE_F_MORE. Since 5.19
	IORING_ACCEPT_DONTWAIT   IoUringAcceptFlags = 1 << 1 // fail with -EAGAIN where no connection waits. Since 6.10
	IORING_ACCEPT_POLL_FIRST IoUringAcceptFlags = 1 << 2 // wait for readiness first. Since 6.10
)

var ioUringAcceptFlagsNames = []flagName{
	{uint64(IORING_ACCEPT_MULTISHOT), "IORING_ACCEPT_MULTISHOT"},
	{uint64(IORING_ACCEPT_DONTWAIT), "IORING_ACCEPT_DONTWAIT"},
	{uint64(IORING_ACCEPT_POLL_FIRST), "IORING_ACCEPT_POLL_FIRST"},
}

// String writes the flags by the names that linux/io_uring.h gives them.
func (f IoUringAcceptFlags) String() string { return flagNames(uint64(f), ioUringAcceptFlagsNames) }

// An IoUringMsgRingCommand is what MSG_RING does: its Addr.
type IoUringMsgRingCommand uint64

const (
	IORING_MSG_DATA    IoUringMsgRingCommand = 0 // posts a completion with Res from Len and UserData from Off. Since 5.18
	IORING_MSG_SEND_FD IoUringMsgRingCommand = 1 // puts the registered file of slot Addr3 into slot FileIndex-1 of the other ring. Since 6.0
)

var ioUringMsgRingCommandNames = []string{
	IORING_MSG_DATA:    "IORING_MSG_DATA",
	IORING_MSG_SEND_FD: "IORING_MSG_SEND_FD",
}

// String returns the name that linux/io_uring.h gives the value, or the number where it has none.
func (v IoUringMsgRingCommand) String() string {
	return valueName(int64(v), ioUringMsgRingCommandNames)
}

// IoUringMsgRingFlags are the OpFlags of MSG_RING.
type IoUringMsgRingFlags uint32

const (
	IORING_MSG_RING_CQE_SKIP   IoUringMsgRingFlags = 1 << 0 // SEND_FD posts no completion to the other ring. Since 6.0
	IORING_MSG_RING_FLAGS_PASS IoUringMsgRingFlags = 1 << 1 // FileIndex goes into the Flags of the completion. Since 6.3
)

var ioUringMsgRingFlagsNames = []flagName{
	{uint64(IORING_MSG_RING_CQE_SKIP), "IORING_MSG_RING_CQE_SKIP"},
	{uint64(IORING_MSG_RING_FLAGS_PASS), "IORING_MSG_RING_FLAGS_PASS"},
}

// String writes the flags by the names that linux/io_uring.h gives them.
func (f IoUringMsgRingFlags) String() string { return flagNames(uint64(f), ioUringMsgRingFlagsNames) }

// IoUringInstallFlags are the OpFlags of FIXED_FD_INSTALL.
type IoUringInstallFlags uint32

const (
	IORING_FIXED_FD_NO_CLOEXEC IoUringInstallFlags = 1 << 0 // the descriptor survives execve(2). Since 6.8
)

var ioUringInstallFlagsNames = []flagName{
	{uint64(IORING_FIXED_FD_NO_CLOEXEC), "IORING_FIXED_FD_NO_CLOEXEC"},
}

// String writes the flags by the names that linux/io_uring.h gives them.
func (f IoUringInstallFlags) String() string { return flagNames(uint64(f), ioUringInstallFlagsNames) }

// IoUringNopFlags are the OpFlags of NOP and NOP128.
type IoUringNopFlags uint32

const (
	IORING_NOP_INJECT_RESULT IoUringNopFlags = 1 << 0 // complete with Len as the result. Since 6.10
	IORING_NOP_FILE          IoUringNopFlags = 1 << 1 // take a reference to FD, as an operation on a file does. Since 6.13
	IORING_NOP_FIXED_FILE    IoUringNopFlags = 1 << 2 // FD is a slot of the registered files. Since 6.13
	IORING_NOP_FIXED_BUFFER  IoUringNopFlags = 1 << 3 // look the registered buffer BufIndex up. Since 6.13
	IORING_NOP_TW            IoUringNopFlags = 1 << 4 // complete by task work. Since 6.16
	IORING_NOP_CQE32         IoUringNopFlags = 1 << 5 // complete with 32 bytes. Since 6.18
)

var ioUringNopFlagsNames = []flagName{
	{uint64(IORING_NOP_INJECT_RESULT), "IORING_NOP_INJECT_RESULT"},
	{uint64(IORING_NOP_FILE), "IORING_NOP_FILE"},
	{uint64(IORING_NOP_FIXED_FILE), "IORING_NOP_FIXED_FILE"},
	{uint64(IORING_NOP_FIXED_BUFFER), "IORING_NOP_FIXED_BUFFER"},
	{uint64(IORING_NOP_TW), "IORING_NOP_TW"},
	{uint64(IORING_NOP_CQE32), "IORING_NOP_CQE32"},
}

// String writes the flags by the names that linux/io_uring.h gives them.
func (f IoUringNopFlags) String() string { return flagNames(uint64(f), ioUringNopFlagsNames) }

// IoUringCommandFlags are the OpFlags of URING_CMD and URING_CMD128. The upper 8 bits are the kernel's.
type IoUringCommandFlags uint32

const (
	IORING_URING_CMD_FIXED     IoUringCommandFlags = 1 << 0 // the buffer is registered, and BufIndex says which. Since 6.1
	IORING_URING_CMD_MULTISHOT IoUringCommandFlags = 1 << 1 // may post several completions; takes buffers of a group. Since 6.18
)

var ioUringCommandFlagsNames = []flagName{
	{uint64(IORING_URING_CMD_FIXED), "IORING_URING_CMD_FIXED"},
	{uint64(IORING_URING_CMD_MULTISHOT), "IORING_URING_CMD_MULTISHOT"},
}

// String writes the flags by the names that linux/io_uring.h gives them.
func (f IoUringCommandFlags) String() string { return flagNames(uint64(f), ioUringCommandFlagsNames) }

// An IoUringSocketCommand is a command of URING_CMD for sockets: the low half of Off.
type IoUringSocketCommand uint32

const (
	SOCKET_URING_OP_SIOCINQ      IoUringSocketCommand = 0 // bytes that wait to be read, as Res. Since 6.7
	SOCKET_URING_OP_SIOCOUTQ     IoUringSocketCommand = 1 // bytes that wait to be sent, as Res. Since 6.7
	SOCKET_URING_OP_GETSOCKOPT   IoUringSocketCommand = 2 // getsockopt(2): level and name in the halves of Addr, length in FileIndex, value at Addr3. Since 6.7
	SOCKET_URING_OP_SETSOCKOPT   IoUringSocketCommand = 3 // setsockopt(2), likewise. Since 6.7
	SOCKET_URING_OP_TX_TIMESTAMP IoUringSocketCommand = 4 // time stamps of what was sent, one completion each, followed by an [IoUringTimespec]. Since 6.17
	SOCKET_URING_OP_GETSOCKNAME  IoUringSocketCommand = 5 // getsockname(2), or getpeername(2). Since 6.19
)

var ioUringSocketCommandNames = []string{
	SOCKET_URING_OP_SIOCINQ:      "SOCKET_URING_OP_SIOCINQ",
	SOCKET_URING_OP_SIOCOUTQ:     "SOCKET_URING_OP_SIOCOUTQ",
	SOCKET_URING_OP_GETSOCKOPT:   "SOCKET_URING_OP_GETSOCKOPT",
	SOCKET_URING_OP_SETSOCKOPT:   "SOCKET_URING_OP_SETSOCKOPT",
	SOCKET_URING_OP_TX_TIMESTAMP: "SOCKET_URING_OP_TX_TIMESTAMP",
	SOCKET_URING_OP_GETSOCKNAME:  "SOCKET_URING_OP_GETSOCKNAME",
}

// String returns the name that linux/io_uring.h gives the value, or the number where it has none.
func (v IoUringSocketCommand) String() string { return valueName(int64(v), ioUringSocketCommandNames) }

// IoUringTimespec is struct io_timespec: a time stamp in the second half of a completion of 32 bytes. Since 6.17.
type IoUringTimespec struct {
	_    structs.HostLayout
	Sec  uint64 // seconds
	Nsec uint64 // nanoseconds
}

// IoUringRecvmsgOut is struct io_uring_recvmsg_out: what a RECVMSG with IORING_RECV_MULTISHOT writes to the
// begin of the buffer; name, control data and payload follow. Since 6.0.
type IoUringRecvmsgOut struct {
	_          structs.HostLayout
	NameLen    uint32 // bytes of the address, before it was cut
	ControlLen uint32 // bytes of control data
	PayloadLen uint32 // bytes of payload
	Flags      uint32 // MSG_TRUNC and others
}
