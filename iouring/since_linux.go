package iouring

import (
	"errors"
	"fmt"

	"github.com/ring3-go/ring3/syscalls"
)

// A NotSupportedError says that this kernel has not got something, and since when kernels have it. It matches
// errors.ErrUnsupported.
type NotSupportedError struct {
	Feature string
	Since   string // "6.7"; empty where nobody knows
}

func (e *NotSupportedError) Error() string {
	if e.Since == "" {
		return fmt.Sprintf("iouring: this kernel has no %s", e.Feature)
	}
	return fmt.Sprintf("iouring: this kernel has no %s, which came with Linux %s", e.Feature, e.Since)
}

// Is reports whether target is errors.ErrUnsupported.
func (e *NotSupportedError) Is(target error) bool { return target == errors.ErrUnsupported }

// Missing returns nil where the kernel has an operation, else a [NotSupportedError].
func (p *Probe) Missing(op syscalls.IoUringOp) error {
	if p.Has(op) {
		return nil
	}
	return &NotSupportedError{Feature: op.String(), Since: since[op]}
}

// since has the kernels that brought the operations.
var since = map[syscalls.IoUringOp]string{
	syscalls.IORING_OP_NOP:              "5.1",
	syscalls.IORING_OP_READV:            "5.1",
	syscalls.IORING_OP_WRITEV:           "5.1",
	syscalls.IORING_OP_FSYNC:            "5.1",
	syscalls.IORING_OP_READ_FIXED:       "5.1",
	syscalls.IORING_OP_WRITE_FIXED:      "5.1",
	syscalls.IORING_OP_POLL_ADD:         "5.1",
	syscalls.IORING_OP_POLL_REMOVE:      "5.1",
	syscalls.IORING_OP_SYNC_FILE_RANGE:  "5.2",
	syscalls.IORING_OP_SENDMSG:          "5.3",
	syscalls.IORING_OP_RECVMSG:          "5.3",
	syscalls.IORING_OP_TIMEOUT:          "5.4",
	syscalls.IORING_OP_TIMEOUT_REMOVE:   "5.5",
	syscalls.IORING_OP_ACCEPT:           "5.5",
	syscalls.IORING_OP_ASYNC_CANCEL:     "5.5",
	syscalls.IORING_OP_LINK_TIMEOUT:     "5.5",
	syscalls.IORING_OP_CONNECT:          "5.5",
	syscalls.IORING_OP_FALLOCATE:        "5.6",
	syscalls.IORING_OP_OPENAT:           "5.6",
	syscalls.IORING_OP_CLOSE:            "5.6",
	syscalls.IORING_OP_FILES_UPDATE:     "5.6",
	syscalls.IORING_OP_STATX:            "5.6",
	syscalls.IORING_OP_READ:             "5.6",
	syscalls.IORING_OP_WRITE:            "5.6",
	syscalls.IORING_OP_FADVISE:          "5.6",
	syscalls.IORING_OP_MADVISE:          "5.6",
	syscalls.IORING_OP_SEND:             "5.6",
	syscalls.IORING_OP_RECV:             "5.6",
	syscalls.IORING_OP_OPENAT2:          "5.6",
	syscalls.IORING_OP_EPOLL_CTL:        "5.6",
	syscalls.IORING_OP_SPLICE:           "5.7",
	syscalls.IORING_OP_PROVIDE_BUFFERS:  "5.7",
	syscalls.IORING_OP_REMOVE_BUFFERS:   "5.7",
	syscalls.IORING_OP_TEE:              "5.8",
	syscalls.IORING_OP_SHUTDOWN:         "5.11",
	syscalls.IORING_OP_RENAMEAT:         "5.11",
	syscalls.IORING_OP_UNLINKAT:         "5.11",
	syscalls.IORING_OP_MKDIRAT:          "5.15",
	syscalls.IORING_OP_SYMLINKAT:        "5.15",
	syscalls.IORING_OP_LINKAT:           "5.15",
	syscalls.IORING_OP_MSG_RING:         "5.18",
	syscalls.IORING_OP_FSETXATTR:        "5.19",
	syscalls.IORING_OP_SETXATTR:         "5.19",
	syscalls.IORING_OP_FGETXATTR:        "5.19",
	syscalls.IORING_OP_GETXATTR:         "5.19",
	syscalls.IORING_OP_SOCKET:           "5.19",
	syscalls.IORING_OP_URING_CMD:        "5.19",
	syscalls.IORING_OP_SEND_ZC:          "6.0",
	syscalls.IORING_OP_SENDMSG_ZC:       "6.1",
	syscalls.IORING_OP_READ_MULTISHOT:   "6.7",
	syscalls.IORING_OP_WAITID:           "6.7",
	syscalls.IORING_OP_FUTEX_WAIT:       "6.7",
	syscalls.IORING_OP_FUTEX_WAKE:       "6.7",
	syscalls.IORING_OP_FUTEX_WAITV:      "6.7",
	syscalls.IORING_OP_FIXED_FD_INSTALL: "6.8",
	syscalls.IORING_OP_FTRUNCATE:        "6.9",
	syscalls.IORING_OP_BIND:             "6.11",
	syscalls.IORING_OP_LISTEN:           "6.11",
	syscalls.IORING_OP_RECV_ZC:          "6.15",
	syscalls.IORING_OP_EPOLL_WAIT:       "6.15",
	syscalls.IORING_OP_READV_FIXED:      "6.15",
	syscalls.IORING_OP_WRITEV_FIXED:     "6.15",
	syscalls.IORING_OP_PIPE:             "6.16",
	syscalls.IORING_OP_NOP128:           "6.19",
	syscalls.IORING_OP_URING_CMD128:     "6.19",
}
