package syscalls

// An IoUringOp is an operation of the ring: the Opcode of an [IoUringSQE]. The comments name the fields of the
// entry that the operation reads besides FD and UserData, and the kernel that brought it; man page
// io_uring_enter(2). What a kernel has is asked by [IORING_REGISTER_PROBE].
type IoUringOp uint8

const (
	// Does nothing and completes with 0. Since 5.1.
	IORING_OP_NOP IoUringOp = 0
	// preadv2(2): Addr is an array of Len iovecs, Off the offset, OpFlags the RWF_ flags. Since 5.1.
	IORING_OP_READV IoUringOp = 1
	// pwritev2(2), as READV. Since 5.1.
	IORING_OP_WRITEV IoUringOp = 2
	// fsync(2); OpFlags has [IoUringFsyncFlags]. Since 5.1.
	IORING_OP_FSYNC IoUringOp = 3
	// pread(2) into a registered buffer: BufIndex says which, Addr and Len which part of it. Since 5.1.
	IORING_OP_READ_FIXED IoUringOp = 4
	// pwrite(2) from a registered buffer, as READ_FIXED. Since 5.1.
	IORING_OP_WRITE_FIXED IoUringOp = 5
	// Waits for the events in OpFlags (POLLIN and others, 32 bits), once; Len has [IoUringPollFlags]. Since 5.1.
	IORING_OP_POLL_ADD IoUringOp = 6
	// Cancels the poll whose UserData is Addr, or updates it; Len has [IoUringPollFlags]. Since 5.1.
	IORING_OP_POLL_REMOVE IoUringOp = 7
	// sync_file_range(2). Since 5.2.
	IORING_OP_SYNC_FILE_RANGE IoUringOp = 8
	// sendmsg(2): Addr is a struct msghdr, OpFlags the MSG_ flags, IoPrio [IoUringSendRecvFlags]. Since 5.3.
	IORING_OP_SENDMSG IoUringOp = 9
	// recvmsg(2), as SENDMSG. Since 5.3.
	IORING_OP_RECVMSG IoUringOp = 10
	// Completes after the Timespec at Addr, with -ETIME, or when Off others have completed, with 0; Len is 1,
	// OpFlags has [IoUringTimeoutFlags]. Since 5.4.
	IORING_OP_TIMEOUT IoUringOp = 11
	// Cancels the timeout whose UserData is Addr, or sets it to the Timespec at Off. Since 5.5.
	IORING_OP_TIMEOUT_REMOVE IoUringOp = 12
	// accept4(2): Addr and Off are the address and its length, OpFlags the SOCK_ flags, IoPrio
	// [IoUringAcceptFlags]. Since 5.5.
	IORING_OP_ACCEPT IoUringOp = 13
	// Cancels the operation whose UserData is Addr, or others; OpFlags has [IoUringCancelFlags]. Since 5.5.
	IORING_OP_ASYNC_CANCEL IoUringOp = 14
	// A timeout for the operation before it in the same chain, as TIMEOUT. Since 5.5.
	IORING_OP_LINK_TIMEOUT IoUringOp = 15
	// connect(2): Addr is the address, Off its length. Since 5.5.
	IORING_OP_CONNECT IoUringOp = 16
	// fallocate(2): Len is the mode, Off the offset, Addr the length. Since 5.6.
	IORING_OP_FALLOCATE IoUringOp = 17
	// openat(2): FD is the directory, Addr the path, OpFlags the flags, Len the mode; FileIndex asks for a
	// registered slot. Since 5.6.
	IORING_OP_OPENAT IoUringOp = 18
	// close(2) of FD, or of the registered slot FileIndex-1. Since 5.6.
	IORING_OP_CLOSE IoUringOp = 19
	// IORING_REGISTER_FILES_UPDATE as an operation: Addr is the array, Len its length, Off the first slot.
	// Since 5.6.
	IORING_OP_FILES_UPDATE IoUringOp = 20
	// statx(2): Addr is the path, Len the mask, OpFlags the flags, Off the struct statx. Since 5.6.
	IORING_OP_STATX IoUringOp = 21
	// pread(2): Addr and Len are the buffer, Off the offset or -1 for the file's own. Since 5.6.
	IORING_OP_READ IoUringOp = 22
	// pwrite(2), as READ. Since 5.6.
	IORING_OP_WRITE IoUringOp = 23
	// posix_fadvise(2): OpFlags is the advice; Addr the length where it is not 0 (6.11), else Len. Since 5.6.
	IORING_OP_FADVISE IoUringOp = 24
	// madvise(2): OpFlags is the advice; Addr the start, Off the length where it is not 0 (6.11), else Len.
	// Since 5.6.
	IORING_OP_MADVISE IoUringOp = 25
	// send(2), or sendto(2) with an address at Off; IoPrio has [IoUringSendRecvFlags]. Since 5.6.
	IORING_OP_SEND IoUringOp = 26
	// recv(2), as SEND without an address. Since 5.6.
	IORING_OP_RECV IoUringOp = 27
	// openat2(2): FD is the directory, Addr the path, Off the struct open_how, Len its size. Since 5.6.
	IORING_OP_OPENAT2 IoUringOp = 28
	// epoll_ctl(2): FD is the instance, Len the operation, Off the descriptor, Addr the event. Since 5.6.
	IORING_OP_EPOLL_CTL IoUringOp = 29
	// splice(2): FileIndex is the source and Addr its offset, FD the target and Off its offset. Since 5.7.
	IORING_OP_SPLICE IoUringOp = 30
	// Gives FD buffers of Len bytes each at Addr to the group BufIndex, the first with the number Off. Since 5.7.
	IORING_OP_PROVIDE_BUFFERS IoUringOp = 31
	// Takes FD buffers from the group BufIndex. Since 5.7.
	IORING_OP_REMOVE_BUFFERS IoUringOp = 32
	// tee(2): FileIndex is the source, FD the target. Since 5.8.
	IORING_OP_TEE IoUringOp = 33
	// shutdown(2): Len says how. Since 5.11.
	IORING_OP_SHUTDOWN IoUringOp = 34
	// renameat2(2): FD and Addr are the old, Len and Off the new directory and path. Since 5.11.
	IORING_OP_RENAMEAT IoUringOp = 35
	// unlinkat(2): FD and Addr are the directory and the path. Since 5.11.
	IORING_OP_UNLINKAT IoUringOp = 36
	// mkdirat(2): FD and Addr are the directory and the path, Len the mode. Since 5.15.
	IORING_OP_MKDIRAT IoUringOp = 37
	// symlinkat(2): Addr is the target, FD and Off are the directory and the path. Since 5.15.
	IORING_OP_SYMLINKAT IoUringOp = 38
	// linkat(2): FD and Addr are the old, Len and Off the new directory and path. Since 5.15.
	IORING_OP_LINKAT IoUringOp = 39
	// Posts a completion, or a registered file, to the ring FD; Addr has [IoUringMsgRingCommand]. Since 5.18.
	IORING_OP_MSG_RING IoUringOp = 40
	// fsetxattr(2): Addr is the name, Off the value, Len its length, OpFlags the flags. Since 5.19.
	IORING_OP_FSETXATTR IoUringOp = 41
	// setxattr(2), as FSETXATTR with the path in Addr3. Since 5.19.
	IORING_OP_SETXATTR IoUringOp = 42
	// fgetxattr(2), as FSETXATTR. Since 5.19.
	IORING_OP_FGETXATTR IoUringOp = 43
	// getxattr(2), as SETXATTR. Since 5.19.
	IORING_OP_GETXATTR IoUringOp = 44
	// socket(2): FD is the domain, Off the type, Len the protocol. Since 5.19.
	IORING_OP_SOCKET IoUringOp = 45
	// A command of the file's own: the low half of Off is the command, OpFlags has [IoUringCommandFlags].
	// Since 5.19.
	IORING_OP_URING_CMD IoUringOp = 46
	// send(2) without a copy: a second completion, with IORING_CQE_F_NOTIF, gives the buffer back. Since 6.0.
	IORING_OP_SEND_ZC IoUringOp = 47
	// sendmsg(2) without a copy, as SEND_ZC. Since 6.1.
	IORING_OP_SENDMSG_ZC IoUringOp = 48
	// Reads whenever there is something, each time into a buffer of the group BufIndex. Since 6.7.
	IORING_OP_READ_MULTISHOT IoUringOp = 49
	// waitid(2): FD is the id, Len the kind of id, FileIndex the options, Off the siginfo. Since 6.7.
	IORING_OP_WAITID IoUringOp = 50
	// futex_wait(2): Addr is the word, Off the value, Addr3 the mask, FD the futex2 flags. Since 6.7.
	IORING_OP_FUTEX_WAIT IoUringOp = 51
	// futex_wake(2), as FUTEX_WAIT; Off is how many to wake. Since 6.7.
	IORING_OP_FUTEX_WAKE IoUringOp = 52
	// futex_waitv(2): Addr is the array, Len its length. Since 6.7.
	IORING_OP_FUTEX_WAITV IoUringOp = 53
	// Makes an ordinary descriptor of a registered file; OpFlags has [IoUringInstallFlags]. Since 6.8.
	IORING_OP_FIXED_FD_INSTALL IoUringOp = 54
	// ftruncate(2): Off is the length. Since 6.9.
	IORING_OP_FTRUNCATE IoUringOp = 55
	// bind(2): Addr is the address, Off its length. Since 6.11.
	IORING_OP_BIND IoUringOp = 56
	// listen(2): Len is the backlog. Since 6.11.
	IORING_OP_LISTEN IoUringOp = 57
	// Receives without a copy, into memory of the network card; FileIndex says which registered queue. Since
	// 6.15.
	IORING_OP_RECV_ZC IoUringOp = 58
	// epoll_wait(2) that occupies no thread: Addr and Len are the events. Since 6.15.
	IORING_OP_EPOLL_WAIT IoUringOp = 59
	// READV into parts of a registered buffer. Since 6.15.
	IORING_OP_READV_FIXED IoUringOp = 60
	// WRITEV from parts of a registered buffer. Since 6.15.
	IORING_OP_WRITEV_FIXED IoUringOp = 61
	// pipe2(2): Addr is where both descriptors go, OpFlags the flags. Since 6.16.
	IORING_OP_PIPE IoUringOp = 62
	// NOP that takes 128 bytes of the queue, for rings with IORING_SETUP_SQE_MIXED. Since 6.19.
	IORING_OP_NOP128 IoUringOp = 63
	// URING_CMD that takes 128 bytes of the queue, likewise. Since 6.19.
	IORING_OP_URING_CMD128 IoUringOp = 64
)

var ioUringOpNames = []string{
	IORING_OP_NOP:              "IORING_OP_NOP",
	IORING_OP_READV:            "IORING_OP_READV",
	IORING_OP_WRITEV:           "IORING_OP_WRITEV",
	IORING_OP_FSYNC:            "IORING_OP_FSYNC",
	IORING_OP_READ_FIXED:       "IORING_OP_READ_FIXED",
	IORING_OP_WRITE_FIXED:      "IORING_OP_WRITE_FIXED",
	IORING_OP_POLL_ADD:         "IORING_OP_POLL_ADD",
	IORING_OP_POLL_REMOVE:      "IORING_OP_POLL_REMOVE",
	IORING_OP_SYNC_FILE_RANGE:  "IORING_OP_SYNC_FILE_RANGE",
	IORING_OP_SENDMSG:          "IORING_OP_SENDMSG",
	IORING_OP_RECVMSG:          "IORING_OP_RECVMSG",
	IORING_OP_TIMEOUT:          "IORING_OP_TIMEOUT",
	IORING_OP_TIMEOUT_REMOVE:   "IORING_OP_TIMEOUT_REMOVE",
	IORING_OP_ACCEPT:           "IORING_OP_ACCEPT",
	IORING_OP_ASYNC_CANCEL:     "IORING_OP_ASYNC_CANCEL",
	IORING_OP_LINK_TIMEOUT:     "IORING_OP_LINK_TIMEOUT",
	IORING_OP_CONNECT:          "IORING_OP_CONNECT",
	IORING_OP_FALLOCATE:        "IORING_OP_FALLOCATE",
	IORING_OP_OPENAT:           "IORING_OP_OPENAT",
	IORING_OP_CLOSE:            "IORING_OP_CLOSE",
	IORING_OP_FILES_UPDATE:     "IORING_OP_FILES_UPDATE",
	IORING_OP_STATX:            "IORING_OP_STATX",
	IORING_OP_READ:             "IORING_OP_READ",
	IORING_OP_WRITE:            "IORING_OP_WRITE",
	IORING_OP_FADVISE:          "IORING_OP_FADVISE",
	IORING_OP_MADVISE:          "IORING_OP_MADVISE",
	IORING_OP_SEND:             "IORING_OP_SEND",
	IORING_OP_RECV:             "IORING_OP_RECV",
	IORING_OP_OPENAT2:          "IORING_OP_OPENAT2",
	IORING_OP_EPOLL_CTL:        "IORING_OP_EPOLL_CTL",
	IORING_OP_SPLICE:           "IORING_OP_SPLICE",
	IORING_OP_PROVIDE_BUFFERS:  "IORING_OP_PROVIDE_BUFFERS",
	IORING_OP_REMOVE_BUFFERS:   "IORING_OP_REMOVE_BUFFERS",
	IORING_OP_TEE:              "IORING_OP_TEE",
	IORING_OP_SHUTDOWN:         "IORING_OP_SHUTDOWN",
	IORING_OP_RENAMEAT:         "IORING_OP_RENAMEAT",
	IORING_OP_UNLINKAT:         "IORING_OP_UNLINKAT",
	IORING_OP_MKDIRAT:          "IORING_OP_MKDIRAT",
	IORING_OP_SYMLINKAT:        "IORING_OP_SYMLINKAT",
	IORING_OP_LINKAT:           "IORING_OP_LINKAT",
	IORING_OP_MSG_RING:         "IORING_OP_MSG_RING",
	IORING_OP_FSETXATTR:        "IORING_OP_FSETXATTR",
	IORING_OP_SETXATTR:         "IORING_OP_SETXATTR",
	IORING_OP_FGETXATTR:        "IORING_OP_FGETXATTR",
	IORING_OP_GETXATTR:         "IORING_OP_GETXATTR",
	IORING_OP_SOCKET:           "IORING_OP_SOCKET",
	IORING_OP_URING_CMD:        "IORING_OP_URING_CMD",
	IORING_OP_SEND_ZC:          "IORING_OP_SEND_ZC",
	IORING_OP_SENDMSG_ZC:       "IORING_OP_SENDMSG_ZC",
	IORING_OP_READ_MULTISHOT:   "IORING_OP_READ_MULTISHOT",
	IORING_OP_WAITID:           "IORING_OP_WAITID",
	IORING_OP_FUTEX_WAIT:       "IORING_OP_FUTEX_WAIT",
	IORING_OP_FUTEX_WAKE:       "IORING_OP_FUTEX_WAKE",
	IORING_OP_FUTEX_WAITV:      "IORING_OP_FUTEX_WAITV",
	IORING_OP_FIXED_FD_INSTALL: "IORING_OP_FIXED_FD_INSTALL",
	IORING_OP_FTRUNCATE:        "IORING_OP_FTRUNCATE",
	IORING_OP_BIND:             "IORING_OP_BIND",
	IORING_OP_LISTEN:           "IORING_OP_LISTEN",
	IORING_OP_RECV_ZC:          "IORING_OP_RECV_ZC",
	IORING_OP_EPOLL_WAIT:       "IORING_OP_EPOLL_WAIT",
	IORING_OP_READV_FIXED:      "IORING_OP_READV_FIXED",
	IORING_OP_WRITEV_FIXED:     "IORING_OP_WRITEV_FIXED",
	IORING_OP_PIPE:             "IORING_OP_PIPE",
	IORING_OP_NOP128:           "IORING_OP_NOP128",
	IORING_OP_URING_CMD128:     "IORING_OP_URING_CMD128",
}

// String returns the name that linux/io_uring.h gives the value, or the number where it has none.
func (v IoUringOp) String() string { return valueName(int64(v), ioUringOpNames) }
