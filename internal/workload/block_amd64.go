//go:build linux

package workload

import "golang.org/x/sys/unix"

const (
	sysPoll      = unix.SYS_POLL
	sysEpollWait = unix.SYS_EPOLL_WAIT
	pollForever  = ^uintptr(0) // a timeout of -1
)
