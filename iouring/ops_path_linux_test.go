package iouring

import (
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/ring3-go/ring3/syscalls"
)

// dir is a directory of the test's, as a descriptor too.
func dir(t *testing.T) (path string, d *end) {
	t.Helper()
	path = t.TempDir()
	fd, err := unix.Open(path, unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	return path, newEnd(t, fd, err)
}

func tryOpenat(t *testing.T, r *Ring) {
	path, d := dir(t)
	c := do(t, r, func(e Entry) error { return e.Openat(d.fd, "new", unix.O_CREAT|unix.O_RDWR|unix.O_CLOEXEC, 0o640) })
	must(t, c.Err())
	f := newEnd(t, int(c.Res), nil)
	f.write("made")
	b, err := os.ReadFile(path + "/new")
	if string(b) != "made" || err != nil || f.stat().Mode&0o777 != 0o640 {
		t.Errorf("%q, %v, mode %o", b, err, f.stat().Mode)
	}
	failed(t, do(t, r, func(e Entry) error { return e.Openat(d.fd, "none", unix.O_RDONLY, 0) }), unix.ENOENT)
	must(t, r.RegisterSparseFiles(2))
	defer r.UnregisterFiles()
	result(t, do(t, r, func(e Entry) error { return e.OpenatDirect(d.fd, "new", unix.O_RDONLY, 0, 1) }), 0)
	result(t, do(t, r, func(e Entry) error {
		return e.OpenatDirect(d.fd, "new", unix.O_RDONLY, 0, syscalls.IORING_FILE_INDEX_ALLOC)
	}), 0) // slot 0 was free
	failed(t, do(t, r, func(e Entry) error {
		return e.OpenatDirect(d.fd, "new", unix.O_RDONLY, 0, syscalls.IORING_FILE_INDEX_ALLOC)
	}), unix.ENFILE)
	got := make([]byte, 4)
	for slot := range 2 {
		result(t, do(t, r, func(e Entry) error {
			must(t, e.SetFlags(syscalls.IOSQE_FIXED_FILE))
			return e.Read(slot, got, 0)
		}), 4)
	}
}

func tryOpenat2(t *testing.T, r *Ring) {
	path, d := dir(t)
	must(t, os.WriteFile(path+"/f", []byte("inside"), 0o600))
	how := unix.OpenHow{Flags: unix.O_RDONLY | unix.O_CLOEXEC, Resolve: unix.RESOLVE_BENEATH}
	c := do(t, r, func(e Entry) error { return e.Openat2(d.fd, "f", how) })
	must(t, c.Err())
	if s := newEnd(t, int(c.Res), nil).read(); s != "inside" {
		t.Errorf("%q", s)
	}
	failed(t, do(t, r, func(e Entry) error { return e.Openat2(d.fd, "../x", how) }), unix.EXDEV)
	must(t, r.RegisterSparseFiles(1))
	defer r.UnregisterFiles()
	how.Flags = unix.O_RDONLY
	result(t, do(t, r, func(e Entry) error { return e.Openat2Direct(d.fd, "f", how, 0) }), 0)
}

func tryStatx(t *testing.T, r *Ring) {
	f := file(t, "12345")
	var got unix.Statx_t
	result(t, do(t, r, func(e Entry) error {
		return e.Statx(f.fd, "", unix.AT_EMPTY_PATH, unix.STATX_SIZE|unix.STATX_INO, &got)
	}), 0)
	if s := f.stat(); got.Size != 5 || got.Ino != s.Ino {
		t.Errorf("%+v; stat has %+v", got, s)
	}
	failed(t, do(t, r, func(e Entry) error { return e.Statx(unix.AT_FDCWD, "/nowhere/at all", 0, 0, &got) }), unix.ENOENT)
}

// inode identifies what a path names, without following a last link.
func inode(t *testing.T, path string) uint64 {
	t.Helper()
	var s unix.Stat_t
	must(t, unix.Lstat(path, &s))
	return s.Ino
}

func gone(t *testing.T, path string) {
	t.Helper()
	if _, err := os.Lstat(path); !os.IsNotExist(err) {
		t.Errorf("%s: %v", path, err)
	}
}

func tryRenameat(t *testing.T, r *Ring) {
	path, d := dir(t)
	must(t, os.WriteFile(path+"/a", nil, 0o600))
	must(t, os.WriteFile(path+"/c", nil, 0o600))
	ino := inode(t, path+"/a")
	result(t, do(t, r, func(e Entry) error { return e.Renameat(d.fd, "a", d.fd, "b", 0) }), 0)
	gone(t, path+"/a")
	if inode(t, path+"/b") != ino {
		t.Error("another file")
	}
	failed(t, do(t, r, func(e Entry) error { return e.Renameat(d.fd, "b", d.fd, "c", unix.RENAME_NOREPLACE) }), unix.EEXIST)
}

func tryUnlinkat(t *testing.T, r *Ring) {
	path, d := dir(t)
	must(t, os.WriteFile(path+"/a", nil, 0o600))
	must(t, os.Mkdir(path+"/d", 0o700))
	result(t, do(t, r, func(e Entry) error { return e.Unlinkat(d.fd, "a", 0) }), 0)
	result(t, do(t, r, func(e Entry) error { return e.Unlinkat(d.fd, "d", unix.AT_REMOVEDIR) }), 0)
	gone(t, path+"/a")
	gone(t, path+"/d")
	failed(t, do(t, r, func(e Entry) error { return e.Unlinkat(d.fd, "a", 0) }), unix.ENOENT)
}

func tryMkdirat(t *testing.T, r *Ring) {
	path, d := dir(t)
	result(t, do(t, r, func(e Entry) error { return e.Mkdirat(d.fd, "d", 0o700) }), 0)
	if i, err := os.Stat(path + "/d"); err != nil || !i.IsDir() || i.Mode().Perm() != 0o700 {
		t.Error(i, err)
	}
	failed(t, do(t, r, func(e Entry) error { return e.Mkdirat(d.fd, "d", 0o700) }), unix.EEXIST)
}

func trySymlinkat(t *testing.T, r *Ring) {
	path, d := dir(t)
	result(t, do(t, r, func(e Entry) error { return e.Symlinkat("the target", d.fd, "l") }), 0)
	if s, err := os.Readlink(path + "/l"); s != "the target" || err != nil {
		t.Error(s, err)
	}
	failed(t, do(t, r, func(e Entry) error { return e.Symlinkat("x", d.fd, "l") }), unix.EEXIST)
}

func tryLinkat(t *testing.T, r *Ring) {
	path, d := dir(t)
	must(t, os.WriteFile(path+"/a", nil, 0o600))
	result(t, do(t, r, func(e Entry) error { return e.Linkat(d.fd, "a", d.fd, "b", 0) }), 0)
	if inode(t, path+"/a") != inode(t, path+"/b") {
		t.Error("another file")
	}
	failed(t, do(t, r, func(e Entry) error { return e.Linkat(d.fd, "none", d.fd, "c", 0) }), unix.ENOENT)
}

// attribute is one that an ordinary user may set, where the file system has any.
const attribute = "user.ring3"

// attributed is a file whose file system has extended attributes, by the system call.
func attributed(t *testing.T) (path string, f *end) {
	t.Helper()
	for _, under := range []string{os.TempDir(), "/dev/shm", "."} {
		d, err := os.MkdirTemp(under, "ring3-")
		if err != nil {
			continue
		}
		t.Cleanup(func() { os.RemoveAll(d) })
		path = filepath.Join(d, "f")
		must(t, os.WriteFile(path, nil, 0o600))
		if unix.Setxattr(path, attribute, []byte("set"), 0) == nil {
			fd, err := unix.Open(path, unix.O_RDWR|unix.O_CLOEXEC, 0)
			return path, newEnd(t, fd, err)
		}
	}
	t.Skip("setxattr(2) is refused by all file systems that were tried")
	return "", nil
}

func xattrOf(t *testing.T, path string) string {
	t.Helper()
	b := make([]byte, 100)
	n, err := unix.Getxattr(path, attribute, b)
	must(t, err)
	return string(b[:n])
}

func trySetxattr(t *testing.T, r *Ring) {
	path, _ := attributed(t)
	result(t, do(t, r, func(e Entry) error { return e.Setxattr(path, attribute, []byte("by ring"), unix.XATTR_REPLACE) }), 0)
	if s := xattrOf(t, path); s != "by ring" {
		t.Errorf("%q", s)
	}
	failed(t, do(t, r, func(e Entry) error { return e.Setxattr(path, attribute, []byte("x"), unix.XATTR_CREATE) }), unix.EEXIST)
}

func tryFsetxattr(t *testing.T, r *Ring) {
	path, f := attributed(t)
	result(t, do(t, r, func(e Entry) error { return e.Fsetxattr(f.fd, attribute, []byte("by ring"), 0) }), 0)
	if s := xattrOf(t, path); s != "by ring" {
		t.Errorf("%q", s)
	}
	failed(t, do(t, r, func(e Entry) error { return e.Fsetxattr(f.fd, attribute, []byte("x"), unix.XATTR_CREATE) }), unix.EEXIST)
}

func tryGetxattr(t *testing.T, r *Ring) {
	path, _ := attributed(t)
	b := make([]byte, 10)
	result(t, do(t, r, func(e Entry) error { return e.Getxattr(path, attribute, b) }), 3)
	equal(t, b[:4], []byte("set\x00"))
	result(t, do(t, r, func(e Entry) error { return e.Getxattr(path, attribute, nil) }), 3)
	failed(t, do(t, r, func(e Entry) error { return e.Getxattr(path, "user.none", b) }), unix.ENODATA)
}

func tryFgetxattr(t *testing.T, r *Ring) {
	_, f := attributed(t)
	b := make([]byte, 10)
	result(t, do(t, r, func(e Entry) error { return e.Fgetxattr(f.fd, attribute, b) }), 3)
	equal(t, b[:4], []byte("set\x00"))
	failed(t, do(t, r, func(e Entry) error { return e.Fgetxattr(f.fd, attribute, b[:2]) }), unix.ERANGE)
}
