package epoll

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// sigchld is the part of siginfo_t that waitid(2) fills, after the three numbers that all have and the padding
// to the union's alignment. Source: include/uapi/asm-generic/siginfo.h, _sigchld.
type sigchld struct {
	_      [16]byte
	pid    int32
	uid    uint32
	status int32
}

// read takes apart what waitid gave. x/sys has the size of siginfo_t right and its union as padding, so the
// conversion stays inside of it, and nothing in it is a pointer.
func (e *Exit) read(info *unix.Siginfo) {
	c := (*sigchld)(unsafe.Pointer(info))
	e.PID, e.UID = int(c.pid), int(c.uid)
	if info.Code == cldExited {
		e.Code = int(c.status)
		return
	}
	e.Code, e.Signal, e.Core = -1, unix.Signal(c.status), info.Code == cldDumped
}

// Values of si_code. Source: waitid(2).
const (
	cldExited = 1
	cldDumped = 3
)
