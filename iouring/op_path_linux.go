package iouring

import (
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/ring3-go/ring3/syscalls"
)

// Operations on paths. dirfd is the directory that a relative path begins at, or unix.AT_FDCWD. Paths are copied.

// path begins an operation with one path.
func (e Entry) path(op syscalls.IoUringOp, dirfd int, path string) (*syscalls.IoUringSQE, *slot, error) {
	if err := checkText(path); err != nil {
		return nil, nil, err
	}
	q, s, err := e.begin(op)
	if err != nil {
		return nil, nil, err
	}
	q.FD, q.Addr = int32(dirfd), s.text(0, path)
	return q, s, nil
}

// paths begins an operation with two.
func (e Entry) paths(op syscalls.IoUringOp, dirfd int, path string, dirfd2 int, path2 string) (*syscalls.IoUringSQE, error) {
	if err := checkText(path, path2); err != nil {
		return nil, err
	}
	q, s, err := e.begin(op)
	if err != nil {
		return nil, err
	}
	q.FD, q.Addr = int32(dirfd), s.text(0, path)
	q.Len, q.Off = uint32(dirfd2), s.text(1, path2)
	return q, nil
}

// Openat opens a file. Result: the descriptor; give unix.O_CLOEXEC. Since 5.6; openat(2), io_uring_prep_openat(3).
func (e Entry) Openat(dirfd int, path string, flags int, mode uint32) error {
	return e.openat(dirfd, path, flags, mode, 0)
}

// OpenatDirect opens a file into a slot of the registered files, without a descriptor, or into one that the kernel
// chooses (IORING_FILE_INDEX_ALLOC; result: the slot). O_CLOEXEC is EINVAL. Since 5.15, choosing 5.19.
func (e Entry) OpenatDirect(dirfd int, path string, flags int, mode, index uint32) error {
	return e.openat(dirfd, path, flags, mode, fileIndex(index))
}

func (e Entry) openat(dirfd int, path string, flags int, mode, index uint32) error {
	q, s, err := e.path(syscalls.IORING_OP_OPENAT, dirfd, path)
	if err == nil {
		q.OpFlags, q.Len = uint32(flags), mode
		q.FileIndex, s.index = index, index
	}
	return err
}

// Openat2 is Openat with restrictions on how the path may lead. Since 5.6; openat2(2), io_uring_prep_openat2(3).
func (e Entry) Openat2(dirfd int, path string, how unix.OpenHow) error {
	return e.openat2(dirfd, path, how, 0)
}

// Openat2Direct is Openat2 as [Entry.OpenatDirect] is Openat. Since 5.15.
func (e Entry) Openat2Direct(dirfd int, path string, how unix.OpenHow, index uint32) error {
	return e.openat2(dirfd, path, how, fileIndex(index))
}

func (e Entry) openat2(dirfd int, path string, how unix.OpenHow, index uint32) error {
	q, s, err := e.path(syscalls.IORING_OP_OPENAT2, dirfd, path)
	if err == nil {
		s.extra.how = how
		q.Off, q.Len = address(unsafe.Pointer(&s.extra.how)), uint32(unsafe.Sizeof(how))
		q.FileIndex, s.index = index, index
	}
	return err
}

// Statx asks for a file's attributes. Since 5.6; statx(2), io_uring_prep_statx(3).
func (e Entry) Statx(dirfd int, path string, flags int, mask uint32, into *unix.Statx_t) error {
	if into == nil {
		return invalid("no place for attributes")
	}
	q, s, err := e.path(syscalls.IORING_OP_STATX, dirfd, path)
	if err == nil {
		s.memory = unsafe.Pointer(into)
		q.Off, q.Len, q.OpFlags = address(s.memory), mask, uint32(flags)
	}
	return err
}

// Renameat renames a file. Since 5.11; renameat2(2), io_uring_prep_renameat(3).
func (e Entry) Renameat(oldDirfd int, oldPath string, newDirfd int, newPath string, flags uint32) error {
	q, err := e.paths(syscalls.IORING_OP_RENAMEAT, oldDirfd, oldPath, newDirfd, newPath)
	if err == nil {
		q.OpFlags = flags
	}
	return err
}

// Unlinkat removes a name, or with AT_REMOVEDIR a directory. Since 5.11; unlinkat(2), io_uring_prep_unlinkat(3).
func (e Entry) Unlinkat(dirfd int, path string, flags int) error {
	q, _, err := e.path(syscalls.IORING_OP_UNLINKAT, dirfd, path)
	if err == nil {
		q.OpFlags = uint32(flags)
	}
	return err
}

// Mkdirat makes a directory. Since 5.15; mkdirat(2), io_uring_prep_mkdirat(3).
func (e Entry) Mkdirat(dirfd int, path string, mode uint32) error {
	q, _, err := e.path(syscalls.IORING_OP_MKDIRAT, dirfd, path)
	if err == nil {
		q.Len = mode
	}
	return err
}

// Symlinkat makes a symbolic link to target. Since 5.15; symlinkat(2), io_uring_prep_symlinkat(3).
func (e Entry) Symlinkat(target string, dirfd int, path string) error {
	q, err := e.paths(syscalls.IORING_OP_SYMLINKAT, dirfd, target, 0, path)
	if err == nil {
		q.Len = 0
	}
	return err
}

// Linkat gives a file another name. Since 5.15; linkat(2), io_uring_prep_linkat(3).
func (e Entry) Linkat(oldDirfd int, oldPath string, newDirfd int, newPath string, flags int) error {
	q, err := e.paths(syscalls.IORING_OP_LINKAT, oldDirfd, oldPath, newDirfd, newPath)
	if err == nil {
		q.OpFlags = uint32(flags)
	}
	return err
}

// xattr fills in an operation on an extended attribute, of a path where there is one.
func (e Entry) xattr(op syscalls.IoUringOp, fd int, path, name string, value []byte, flags int) error {
	if err := checkText(path, name); err != nil {
		return err
	}
	if len(value) > 1<<16 {
		return invalid("attribute of %d bytes", len(value))
	}
	q, s, err := e.begin(op)
	if err != nil {
		return err
	}
	e.ring.point(q, s, value)
	q.FD, q.OpFlags = int32(fd), uint32(flags)
	q.Off = q.Addr // the value; the name has its place
	q.Addr = s.text(0, name)
	if op == syscalls.IORING_OP_SETXATTR || op == syscalls.IORING_OP_GETXATTR {
		q.Addr3 = s.text(1, path)
	}
	return nil
}

// Setxattr sets an extended attribute of a path. Since 5.19; setxattr(2), io_uring_prep_setxattr(3).
func (e Entry) Setxattr(path, name string, value []byte, flags int) error {
	return e.xattr(syscalls.IORING_OP_SETXATTR, 0, path, name, value, flags)
}

// Getxattr asks for one. Result: its bytes; with an empty value nothing else. Since 5.19; getxattr(2).
func (e Entry) Getxattr(path, name string, value []byte) error {
	return e.xattr(syscalls.IORING_OP_GETXATTR, 0, path, name, value, 0)
}

// Fsetxattr sets an extended attribute of an open file. Since 5.19; fsetxattr(2), io_uring_prep_fsetxattr(3).
func (e Entry) Fsetxattr(fd int, name string, value []byte, flags int) error {
	return e.xattr(syscalls.IORING_OP_FSETXATTR, fd, "", name, value, flags)
}

// Fgetxattr asks for one. Result: its bytes. Since 5.19; fgetxattr(2), io_uring_prep_fgetxattr(3).
func (e Entry) Fgetxattr(fd int, name string, value []byte) error {
	return e.xattr(syscalls.IORING_OP_FGETXATTR, fd, "", name, value, 0)
}
