package iouring

import (
	"fmt"

	"golang.org/x/sys/unix"

	"github.com/ring3-go/ring3/syscalls"
)

// A Completion is what became of an operation, or one of several things that did.
type Completion struct {
	Token Token
	Res   int32 // the operation's result, or an error number, negated: see Err
	Flags syscalls.IoUringCQEFlags
	Extra Extra // the second half of a completion of 32 bytes, else 0
}

// Extra is what a completion of 32 bytes has besides. It is no array, because with one Go would pass completions in memory and
// not in registers, and no two fields of Completion, because a struct of five is copied to memory on its way there.
type Extra struct{ First, Second uint64 }

// Err returns the operation's error, a unix.Errno, or nil.
func (c Completion) Err() error {
	if c.Res >= 0 || c.Flags&syscalls.IORING_CQE_F_NOTIF != 0 {
		return nil // a notification has bits in Res
	}
	return unix.Errno(-c.Res)
}

// More reports whether the operation goes on and completes again. Where it does not, the operation has ended,
// and its memory is the caller's alone.
func (c Completion) More() bool { return c.Flags&syscalls.IORING_CQE_F_MORE != 0 }

// Notification reports whether this is the second completion of a send without a copy: the buffer is free.
func (c Completion) Notification() bool { return c.Flags&syscalls.IORING_CQE_F_NOTIF != 0 }

// Buffer returns the number of the buffer that the kernel took from the operation's group, if it took one.
func (c Completion) Buffer() (id uint16, ok bool) {
	return uint16(c.Flags >> syscalls.IORING_CQE_BUFFER_SHIFT), c.Flags&syscalls.IORING_CQE_F_BUFFER != 0
}

// String is for people: "7#3 = 42 IORING_CQE_F_MORE".
func (c Completion) String() string {
	text := fmt.Sprintf("%v = %d", c.Token, c.Res)
	if err := c.Err(); err != nil {
		text = fmt.Sprintf("%v = %v", c.Token, err)
	}
	if low := c.Flags & (1<<syscalls.IORING_CQE_BUFFER_SHIFT - 1); low != 0 {
		text += " " + low.String()
	}
	if id, ok := c.Buffer(); ok {
		text += fmt.Sprintf(" buffer %d", id)
	}
	return text
}
