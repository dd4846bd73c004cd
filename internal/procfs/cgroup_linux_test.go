package procfs

import (
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

func TestParseCgroupMounts(t *testing.T) {
	for _, tt := range []struct {
		name, mountinfo string
		want            []string
	}{
		{"unified host", "25 30 0:23 / /sys rw,nosuid,nodev,noexec,relatime shared:6 - sysfs sysfs rw\n" +
			"29 25 0:26 / /sys/fs/cgroup rw,nosuid,nodev,noexec,relatime shared:9 - cgroup2 cgroup2 rw,nsdelegate,memory_recursiveprot\n",
			[]string{"/sys/fs/cgroup"}},
		{"hybrid host", "30 22 0:27 / /sys/fs/cgroup rw,relatime - tmpfs tmpfs rw,mode=755\n" +
			"31 30 0:28 / /sys/fs/cgroup/cpu rw,relatime - cgroup cgroup rw,cpu\n" +
			"40 30 0:37 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw\n",
			[]string{"/sys/fs/cgroup/unified"}},
		{"part of the hierarchy", "40 30 0:37 /docker/1 /sys/fs/cgroup ro,relatime - cgroup2 cgroup rw\n", nil},
		{"above the namespace", "40 30 0:37 /../.. /sys/fs/cgroup ro,relatime - cgroup2 cgroup rw\n", nil},
		{"several tags", "40 30 0:37 / /a rw shared:1 master:2 propagate_from:3 - cgroup2 none rw\n", []string{"/a"}},
		{"no source", "40 30 0:37 / /a rw - cgroup2  rw\n", []string{"/a"}},
		{"mounted twice", "40 30 0:37 / /a rw - cgroup2 a rw\n41 30 0:37 / /b rw - cgroup2 b rw\n", []string{"/a", "/b"}},
		{"escapes", `40 30 0:37 / /a\040b\011c\012d\134040 rw - cgroup2 a rw` + "\n", []string{"/a b\tc\nd\\040"}},
		{"other white space", "40 30 0:37 / /a\u00a0b\vc rw - cgroup2 a rw\n", []string{"/a\u00a0b\vc"}},
		{"another file system of that source", "40 30 0:37 / /a rw - tmpfs cgroup2 rw\n", nil},
		{"nothing", "", nil},
	} {
		if got, err := parseCgroupMounts([]byte(tt.mountinfo)); err != nil || !slices.Equal(got, tt.want) {
			t.Errorf("%s: %q, %v; want %q", tt.name, got, err, tt.want)
		}
	}
	for _, text := range []string{"\n", "40 30 0:37 / - cgroup2 a rw\n", "40 30 0:37 / /a rw cgroup2 a rw\n"} {
		if got, err := parseCgroupMounts([]byte(text)); err == nil {
			t.Errorf("%q: parsed as %q", text, got)
		}
	}
}

func TestParseCgroup(t *testing.T) {
	for text, want := range map[string]string{
		"0::/\n":                             "/",
		"9:name=systemd:/x\n1:cpu:/y\n0::/z": "/z",
		"0::/a/b.slice/c:d - e\n":            "/a/b.slice/c:d - e",
		"0::/../x\n":                         "/../x",
		"0::/a (deleted)\n":                  "/a (deleted)",
		"1:cpu:0::/x\n0::/y\n":               "/y",
	} {
		if got, err := parseCgroup([]byte(text)); err != nil || got != want {
			t.Errorf("%q: %q, %v; want %q", text, got, err, want)
		}
	}
	for _, text := range []string{"", "1:cpu:/x\n", "10::/x\n"} {
		if got, err := parseCgroup([]byte(text)); !errors.Is(err, errors.ErrUnsupported) {
			t.Errorf("%q: %q, %v; want unsupported", text, got, err)
		}
	}
	if got, err := parseCgroup([]byte("0::x\n")); err == nil {
		t.Errorf("relative path: parsed as %q", got)
	}
}

func TestParseCgroupHandleRefusesAnotherSize(t *testing.T) {
	for _, size := range []int{0, 4, 7, 9, 128} {
		if id, err := parseCgroupHandle(make([]byte, size)); err == nil {
			t.Errorf("%d bytes: parsed as %d", size, id)
		}
	}
}

// cgroup2 returns where the hierarchy is mounted; it mounts it where it is not.
func cgroup2(t *testing.T) string {
	t.Helper()
	mount, err := CgroupMount()
	if err == nil {
		return mount
	}
	if !errors.Is(err, errors.ErrUnsupported) {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := unix.Mount("none", dir, "cgroup2", 0, ""); err != nil {
		t.Skipf("cgroup2 is not mounted, and cannot be: %v", err)
	}
	t.Cleanup(func() {
		if err := unix.Unmount(dir, 0); err != nil {
			t.Error(err)
		}
	})
	if mount, err = CgroupMount(); err != nil || mount != dir {
		t.Fatalf("CgroupMount = %q, %v; it was mounted on %q", mount, err, dir)
	}
	return mount
}

// newCgroup makes a control group below mount and removes it at the end.
func newCgroup(t *testing.T, mount string) string {
	t.Helper()
	dir, err := os.MkdirTemp(mount, "ring3-procfs-test-")
	if errors.Is(err, os.ErrPermission) || errors.Is(err, unix.EROFS) {
		t.Skipf("cannot make a control group: %v", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.Remove(dir); err != nil {
			t.Error(err)
		}
	})
	return dir
}

// inode returns dir's inode number, which for a control group is its id on
// every 64-bit kernel since 5.5.
func inode(t *testing.T, dir string) uint64 {
	t.Helper()
	var st unix.Stat_t
	if err := unix.Stat(dir, &st); err != nil {
		t.Fatal(err)
	}
	return st.Ino
}

func TestCgroupMountIsACgroup2Directory(t *testing.T) {
	mount := cgroup2(t)
	// Version 1 groups have no cgroup.controllers.
	if _, err := os.Stat(filepath.Join(mount, "cgroup.controllers")); err != nil {
		t.Error(err)
	}
}

func TestCgroupIDIsTheKernelsID(t *testing.T) {
	mount := cgroup2(t)
	root, err := CgroupID(mount)
	if err != nil {
		t.Fatal(err)
	}
	if want := inode(t, mount); root != want {
		t.Errorf("CgroupID of the root = %d; its inode number is %d", root, want)
	}
	dir := newCgroup(t, mount)
	id, err := CgroupID(dir)
	if err != nil {
		t.Fatal(err)
	}
	if want := inode(t, dir); id != want || id == root {
		t.Errorf("CgroupID = %d; its inode number is %d, the root's id %d", id, want, root)
	}

	// The other way: let the kernel find the directory by the id.
	f, err := os.Open(mount)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	const fileidKernfs = 0xfe // include/linux/exportfs.h
	handle := unix.NewFileHandle(fileidKernfs, binary.NativeEndian.AppendUint64(nil, id))
	fd, err := unix.OpenByHandleAt(int(f.Fd()), handle, unix.O_RDONLY|unix.O_CLOEXEC)
	if errors.Is(err, os.ErrPermission) {
		t.Logf("open_by_handle_at: %v", err)
		return
	}
	if err != nil {
		t.Fatalf("open_by_handle_at of id %d: %v", id, err)
	}
	defer unix.Close(fd)
	if got, err := os.Readlink("/proc/self/fd/" + strconv.Itoa(fd)); err != nil || got != dir {
		t.Errorf("the kernel finds %q, %v by the id of %q", got, err, dir)
	}
}

func TestCgroupIDRefusesWhatIsNoCgroup(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for dir, want := range map[string]error{
		filepath.Dir(file):       nil,
		"/proc/self":             nil,
		file:                     unix.ENOTDIR,
		filepath.Join(file, "x"): unix.ENOTDIR,
		file + "x":               os.ErrNotExist,
		"":                       os.ErrNotExist,
		"a\x00b":                 unix.EINVAL,
	} {
		id, err := CgroupID(dir)
		if err == nil || want != nil && !errors.Is(err, want) {
			t.Errorf("CgroupID(%q) = %d, %v; want an error (%v)", dir, id, err, want)
		}
	}
}

func TestCgroupIDRefusesAVersion1Group(t *testing.T) {
	dir := cgroup1(t)
	if id, err := CgroupID(dir); err == nil {
		t.Errorf("CgroupID(%q) = %d, of a version 1 group", dir, id)
	}
}

// cgroup1 returns where a version 1 hierarchy is mounted; it mounts an empty
// one where there is none.
func cgroup1(t *testing.T) string {
	t.Helper()
	b, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(b)) {
		if mount, fs, _ := strings.Cut(line, " - "); strings.HasPrefix(fs, "cgroup ") {
			return unescapeMount(strings.Split(mount, " ")[4])
		}
	}
	dir := t.TempDir()
	if err := unix.Mount("none", dir, "cgroup", 0, "none,name=ring3-procfs-test"); err != nil {
		t.Skipf("no version 1 hierarchy is mounted, and none can be: %v", err)
	}
	t.Cleanup(func() {
		if err := unix.Unmount(dir, 0); err != nil {
			t.Error(err)
		}
	})
	return dir
}

func TestCgroupOfFollowsAProcess(t *testing.T) {
	mount := cgroup2(t)
	c := mustStartChild(t)
	own, err := CgroupOf(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	if got, err := CgroupOf(c.pid); err != nil || got != own {
		t.Errorf("CgroupOf a child = %q, %v; want its parent's, %q", got, err, own)
	}

	dir := newCgroup(t, mount)
	if err := os.WriteFile(filepath.Join(dir, "cgroup.procs"), []byte(strconv.Itoa(c.pid)), 0); err != nil {
		t.Skipf("cannot move a process: %v", err)
	}
	got, err := CgroupOf(c.pid)
	if err != nil {
		t.Fatal(err)
	}
	if filepath.Join(mount, got) != dir {
		t.Errorf("CgroupOf = %q; the process was moved to %q", got, dir)
	}
	c.end() // or the group cannot be removed
}

func FuzzParseCgroupMounts(f *testing.F) {
	f.Add([]byte("29 25 0:26 / /sys/fs/cgroup rw shared:9 - cgroup2 cgroup2 rw\n"))
	f.Add([]byte(`1 2 3 / /\040\777\8 rw - cgroup2 a`))
	f.Fuzz(func(t *testing.T, b []byte) {
		if points, err := parseCgroupMounts(b); err != nil && points != nil {
			t.Errorf("with an error: %q", points)
		}
	})
}

// FuzzUnescapeMount checks that a path survives what the kernel does to it.
func FuzzUnescapeMount(f *testing.F) {
	for _, path := range []string{"/a", "/a b", "\\", "\\040", "\\\\134", "\n\t #"} {
		f.Add(path)
	}
	escape := strings.NewReplacer(" ", `\040`, "\t", `\011`, "\n", `\012`, `\`, `\134`, "#", `\043`)
	f.Fuzz(func(t *testing.T, path string) {
		if got := unescapeMount(escape.Replace(path)); got != path {
			t.Errorf("%q came back as %q", path, got)
		}
		unescapeMount(path) // anything at all must not panic
	})
}

func FuzzParseCgroup(f *testing.F) {
	f.Add([]byte("9:name=systemd:/\n0::/a/b\n"))
	f.Add([]byte("0::"))
	f.Fuzz(func(t *testing.T, b []byte) {
		path, err := parseCgroup(b)
		if (err == nil) != strings.HasPrefix(path, "/") || strings.Contains(path, "\n") {
			t.Errorf("%q, %v", path, err)
		}
	})
}
