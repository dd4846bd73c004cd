package main

import (
	"context"
	"errors"
	"io"
	"os"
	"sync"

	"golang.org/x/sys/unix"
)

// watchEnd cancels when the process of pidfd ends (errTargetEnded), or when the other end of a pipe or
// terminal that data is goes away (errReaderGone): without it, one who writes once an hour would take an
// hour to notice. The returned function stops that and waits until it has stopped.
func watchEnd(cancel context.CancelCauseFunc, pidfd int, data io.Writer) (func(), error) {
	stdout := -1
	if f, ok := data.(*os.File); ok {
		stdout = int(f.Fd())
	}
	r, w, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	var done sync.WaitGroup
	done.Go(func() {
		defer r.Close()
		cancel(awaitEnd(pidfd, stdout, int(r.Fd())))
	})
	return func() {
		w.Close()
		done.Wait()
	}, nil
}

// awaitEnd returns nil when stop hangs up. poll ignores descriptors below 0.
func awaitEnd(pidfd, stdout, stop int) error {
	const gone = unix.POLLERR | unix.POLLHUP | unix.POLLNVAL
	fds := []unix.PollFd{{Fd: int32(pidfd), Events: unix.POLLIN}, {Fd: int32(stdout)}, {Fd: int32(stop)}}
	for {
		_, err := unix.Poll(fds, -1)
		switch {
		case errors.Is(err, unix.EINTR):
		case err != nil:
			return os.NewSyscallError("poll", err)
		case fds[2].Revents != 0:
			return nil
		case fds[1].Revents&gone != 0:
			return errReaderGone
		case fds[0].Revents != 0:
			return errTargetEnded
		}
	}
}
