package epoll

import (
	"os"
	"sync"

	"golang.org/x/sys/unix"
)

// A Watcher reports changes of files and directories: [In] when there is something to take.
// Safe for concurrent use. Since Linux 2.6.13. Source: inotify(7).
type Watcher struct {
	descriptor
	taking sync.Mutex
	buf    [4096 + unix.NAME_MAX + 1]byte // for Take: one record at least, and usually all
}

// NewWatcher makes one that watches nothing. Errors: EMFILE, also at
// /proc/sys/fs/inotify/max_user_instances; ENFILE.
func NewWatcher() (*Watcher, error) {
	fd, err := unix.InotifyInit1(unix.IN_CLOEXEC | unix.IN_NONBLOCK)
	if err != nil {
		return nil, os.NewSyscallError("inotify_init1", err)
	}
	return &Watcher{descriptor: descriptor{fd: fd}}, nil
}

// Add watches a file or a directory for the events in mask, unix.IN_*, and returns the number that its
// changes carry. Where path is watched already, its mask is replaced and its number returned.
// Errors: ENOENT, EACCES; ENOSPC at /proc/sys/fs/inotify/max_user_watches.
func (w *Watcher) Add(path string, mask uint32) (watch int, err error) {
	err = w.use("inotify_add_watch", func(fd int) (err error) {
		watch, err = unix.InotifyAddWatch(fd, path, mask)
		return err
	})
	return watch, err
}

// Remove ends a watch. Changes that were pending still come, then one with unix.IN_IGNORED. EINVAL where there
// is no such watch.
func (w *Watcher) Remove(watch int) error {
	return w.use("inotify_rm_watch", func(fd int) error {
		_, err := unix.InotifyRmWatch(fd, uint32(watch))
		return err
	})
}

// Take appends pending changes to dst, in order, and returns it. It takes what one read(2) brings: wait again
// for what is left. It does not block. A change with unix.IN_Q_OVERFLOW says that the queue was full, and
// some are lost.
func (w *Watcher) Take(dst []Change) ([]Change, error) {
	w.taking.Lock()
	defer w.taking.Unlock()
	n, err := w.read(w.buf[:])
	if err != nil {
		return dst, err
	}
	return parseChanges(dst, w.buf[:n])
}
