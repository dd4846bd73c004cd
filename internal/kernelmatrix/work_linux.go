package kernelmatrix

import (
	"errors"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"
)

// workPrefix begins the names of directories where images and disks are built.
const workPrefix = "ring3-kernels-"

// lockGrace is how long a directory may be there without its lock, because it has just been made.
const lockGrace = time.Minute

// newWork makes a directory for what one run builds, some hundred megabytes, and done removes it. Before, it removes
// those of runs that were killed: each has a lock, which the kernel drops with the process.
func newWork() (dir string, done func() error, err error) {
	parent, err := filepath.Abs(os.TempDir())
	if err != nil {
		return "", nil, err
	}
	removeStale(parent)
	if dir, err = os.MkdirTemp(parent, workPrefix); err != nil {
		return "", nil, err
	}
	fd, err := lockDir(dir)
	if err != nil {
		return "", nil, errors.Join(err, os.RemoveAll(dir))
	}
	return dir, func() error {
		return errors.Join(os.RemoveAll(dir), os.NewSyscallError("close", unix.Close(fd)))
	}, nil
}

// lockDir opens and locks a directory, for this process and none that it starts.
func lockDir(dir string) (fd int, err error) {
	fd, err = unix.Open(dir, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return -1, &os.PathError{Op: "open", Path: dir, Err: err}
	}
	if err := unix.Flock(fd, unix.LOCK_EX|unix.LOCK_NB); err != nil {
		return -1, errors.Join(&os.PathError{Op: "flock", Path: dir, Err: err}, unix.Close(fd))
	}
	return fd, nil
}

// removeStale removes what nobody holds. Whatever it cannot remove is not in the way of this run.
func removeStale(parent string) {
	dirs, _ := filepath.Glob(filepath.Join(parent, workPrefix+"*"))
	for _, dir := range dirs {
		fd, err := lockDir(dir)
		if err != nil {
			continue
		}
		var st unix.Stat_t
		err = unix.Fstat(fd, &st)
		if err == nil && int(st.Uid) == os.Geteuid() && time.Since(time.Unix(st.Mtim.Unix())) > lockGrace {
			os.RemoveAll(dir)
		}
		unix.Close(fd)
	}
}
