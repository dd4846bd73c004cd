package iouring

import (
	"runtime"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/ring3-go/ring3/syscalls"
)

// A Probe is what a kernel says of its operations.
type Probe struct{ ops [256]bool }

// Probe asks the kernel which operations it has. Since 5.6.
func (r *Ring) Probe() (*Probe, error) {
	var p syscalls.IoUringProbe
	if err := r.registerOpen(syscalls.IORING_REGISTER_PROBE, unsafe.Pointer(&p), uint32(len(p.Ops))); err != nil {
		return nil, err
	}
	var probe Probe
	for i := range min(int(p.OpsLen), len(p.Ops)) {
		probe.ops[i] = p.Ops[i].Flags&syscalls.IO_URING_OP_SUPPORTED != 0
	}
	return &probe, nil
}

// Has reports whether the kernel has an operation.
func (p *Probe) Has(op syscalls.IoUringOp) bool { return p.ops[op] }

// Query asks the kernel, without a ring, for all flags and features that it has. Errors: EINVAL, EBADF: it is
// older than 6.18.
func Query() (syscalls.IoUringQueryOpcode, error) {
	answer := new(syscalls.IoUringQueryOpcode)
	h := &syscalls.IoUringQueryHdr{
		QueryData: address(unsafe.Pointer(answer)), QueryOp: syscalls.IO_URING_QUERY_OPCODES, Size: uint32(unsafe.Sizeof(*answer)),
	}
	_, err := syscalls.IoUringRegister(-1, syscalls.IORING_REGISTER_QUERY, unsafe.Pointer(h), 0)
	if err == nil && h.Result < 0 {
		err = unix.Errno(-h.Result)
	}
	runtime.KeepAlive(answer)
	return *answer, err
}

// PostMessage gives another ring a completion with the token Message(n) and the result, from any thread and
// without a ring of one's own; fd is the other ring's. Errors: EINVAL, the kernel is older than 6.13. See
// Entry.MsgRing, which is older.
func PostMessage(fd int, n uint32, result int32) error {
	q := syscalls.IoUringSQE{
		Opcode: syscalls.IORING_OP_MSG_RING, FD: int32(fd), Len: uint32(result), Off: uint64(Message(n)),
		Addr: uint64(syscalls.IORING_MSG_DATA),
	}
	_, err := syscalls.IoUringRegister(-1, syscalls.IORING_REGISTER_SEND_MSG_RING, unsafe.Pointer(&q), 1)
	return err
}
