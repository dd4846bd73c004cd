package reactor

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"runtime"
	"time"

	"golang.org/x/sys/unix"

	"github.com/ring3-go/ring3/iouring"
	"github.com/ring3-go/ring3/syscalls"
)

// tryRing does what the driver does, with a ring of its own, and returns an error where that does not work: a filter of
// system calls may allow one call and not another, and a kernel may have a part.
func tryRing() (err error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	r, err := iouring.New(usualSizes.options())
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	probe, err := r.Probe()
	if err != nil {
		return err
	}
	for _, op := range []syscalls.IoUringOp{
		syscalls.IORING_OP_ACCEPT, syscalls.IORING_OP_RECV, syscalls.IORING_OP_RECVMSG, syscalls.IORING_OP_SEND,
		syscalls.IORING_OP_SENDMSG, syscalls.IORING_OP_POLL_ADD, syscalls.IORING_OP_ASYNC_CANCEL, syscalls.IORING_OP_READ,
		syscalls.IORING_OP_WRITE, syscalls.IORING_OP_FSYNC,
	} {
		if err := probe.Missing(op); err != nil {
			return err
		}
	}
	b, err := r.NewBufRing(iouring.BufRingOptions{Buffers: 1, Size: 16})
	if err != nil {
		return err
	}
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|socketFlags, 0)
	if err != nil {
		return os.NewSyscallError("socketpair", err)
	}
	defer func() { unix.Close(pair[0]); unix.Close(pair[1]) }()
	return tryReceive(r, b, pair)
}

// tryReceive receives over and over, which came last of what the driver needs: with 6.0.
func tryReceive(r *iouring.Ring, b *iouring.BufRing, pair [2]int) error {
	send, err := r.Get()
	if err == nil {
		err = send.Send(pair[1], []byte{1}, sendFlags)
	}
	if err != nil {
		return err
	}
	receive, err := r.Get()
	if err == nil {
		err = receive.RecvMultishot(pair[0], 0, b.Group())
	}
	if err != nil {
		return err
	}
	if _, err = r.SubmitAndWait(2, time.Second); err != nil {
		return err
	}
	for c := range r.Completions() {
		switch {
		case c.Err() != nil && c.Token == receive.Token() && errors.Is(c.Err(), unix.EINVAL):
			return &iouring.NotSupportedError{Feature: "receive that goes on (multishot)", Since: "6.0"}
		case c.Err() != nil:
			return c.Err()
		case c.Token == receive.Token() && c.More():
			return nil
		}
	}
	return fmt.Errorf("a receive did not complete: %w", fs.ErrInvalid)
}
