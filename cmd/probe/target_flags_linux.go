package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"github.com/ring3-go/ring3/internal/procfs"
	"github.com/ring3-go/ring3/internal/target"
)

// openTarget makes sure that the process or thread is there, and returns a pidfd of the process; -1 where
// the target is neither.
func openTarget(t target.Target) (int, error) {
	pid := t.PID
	if t.TID != 0 {
		status, err := procfs.PidStatus(t.TID)
		if procfs.Gone(err) {
			return -1, fmt.Errorf("no thread has the number %d", t.TID)
		} else if err != nil {
			return -1, err
		}
		pid = status.Tgid
	}
	if pid == 0 {
		return -1, nil
	}
	fd, err := unix.PidfdOpen(pid, 0)
	switch {
	case err == nil:
		return fd, nil
	case errors.Is(err, unix.ESRCH):
		return -1, fmt.Errorf("no process has the number %d", pid)
	case errors.Is(err, unix.EINVAL), errors.Is(err, unix.ENOENT): // which one depends on the kernel
		return -1, fmt.Errorf("%d is a thread and not a process: give --tid %[1]d", pid)
	}
	return -1, fmt.Errorf("process %d: %w", pid, os.NewSyscallError("pidfd_open", err))
}

func closeTarget(pidfd int) {
	if pidfd >= 0 {
		unix.Close(pidfd)
	}
}

// cgroupPaths returns the path of every cgroup v2 that can be seen, below the mount point, by id.
func cgroupPaths() map[uint64]string {
	paths := map[uint64]string{}
	mount, err := procfs.CgroupMount()
	if err != nil {
		return paths
	}
	// Groups come and go during the walk, so an error is no news.
	_ = filepath.WalkDir(mount, func(dir string, d fs.DirEntry, err error) error {
		if err != nil || !d.IsDir() {
			return nil
		}
		if id, err := procfs.CgroupID(dir); err == nil {
			paths[id] = "/" + filepath.ToSlash(dir[min(len(mount)+1, len(dir)):])
		}
		return nil
	})
	return paths
}

// contextSwitches is how many switches the kernel counted on the host so far.
func contextSwitches() (uint64, error) {
	stat, err := procfs.Stat()
	return stat.Ctxt, err
}

// faultEvents is what /proc/vmstat says.
func faultEvents() (faultCounters, error) {
	vm, err := procfs.VMStat()
	return faultCounters{vm["pgfault"], vm["pgmajfault"]}, err
}
