//go:build linux

package workload

import "golang.org/x/sys/unix"

// The machine came too late for poll and epoll_wait.
const (
	sysPoll      = unix.SYS_PPOLL
	sysEpollWait = unix.SYS_EPOLL_PWAIT
	pollForever  = uintptr(0) // no timespec
)
