package procfs

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// CgroupID returns the kernel's 64-bit id of the version 2 control group whose
// directory is dir: what bpf_get_current_cgroup_id and bpf_skb_cgroup_id give,
// and the key of BPF's cgroup walks. An id is not used again after its group
// is removed.
//
// A directory that is not on a cgroup2 file system is an error: version 1
// groups have ids in number spaces of their own.
func CgroupID(dir string) (uint64, error) {
	f, err := os.OpenFile(dir, unix.O_PATH|unix.O_DIRECTORY, 0)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	fd := int(f.Fd())
	if ok, err := onCgroup2(fd); err != nil {
		return 0, fmt.Errorf("%s: %w", dir, err)
	} else if !ok {
		return 0, fmt.Errorf("%s is not in a cgroup2 file system", dir)
	}
	handle, _, err := unix.NameToHandleAt(fd, "", unix.AT_EMPTY_PATH)
	if err != nil {
		return 0, fmt.Errorf("%s: %w", dir, os.NewSyscallError("name_to_handle_at", err))
	}
	return parseCgroupHandle(handle.Bytes())
}

// parseCgroupHandle returns the id that a file handle on cgroup2 consists of.
func parseCgroupHandle(b []byte) (uint64, error) {
	if len(b) != 8 {
		return 0, fmt.Errorf("cgroup file handle has %d bytes; want 8", len(b))
	}
	return binary.NativeEndian.Uint64(b), nil
}

// onCgroup2 says whether fd is on a cgroup2 file system.
func onCgroup2(fd int) (bool, error) {
	var fs unix.Statfs_t
	for {
		switch err := unix.Fstatfs(fd, &fs); err {
		case nil:
			return fs.Type == unix.CGROUP2_SUPER_MAGIC, nil
		case unix.EINTR:
		default:
			return false, os.NewSyscallError("fstatfs", err)
		}
	}
}

// CgroupOf returns the path of the version 2 control group of a process, from
// the root of the reader's cgroup namespace: "/" or "/a/b". Appended to
// [CgroupMount] it is the group's directory. It starts with "/.." for a group
// outside the namespace, and ends with " (deleted)" for one that was removed.
//
// The error matches [errors.ErrUnsupported] where version 2 is not in use.
func CgroupOf(pid int) (string, error) { return read(pidDir(pid)+"/cgroup", parseCgroup) }

// parseCgroup finds the version 2 line, "0::/path". The kernel lets no group
// name hold a newline.
func parseCgroup(b []byte) (string, error) {
	for line := range strings.Lines(string(b)) {
		path, ok := strings.CutPrefix(strings.TrimSuffix(line, "\n"), "0::")
		if !ok {
			continue
		}
		if !strings.HasPrefix(path, "/") {
			return "", fmt.Errorf("cgroup path %q: not absolute", path)
		}
		return path, nil
	}
	return "", fmt.Errorf("no version 2 cgroup: %w", errors.ErrUnsupported)
}

// CgroupMount returns the directory at which the cgroup2 hierarchy is mounted:
// /sys/fs/cgroup on most hosts, /sys/fs/cgroup/unified on hybrid ones. Only a
// mount of the whole hierarchy counts, as far as the reader's cgroup namespace
// shows it, because only to such a one can [CgroupOf]'s path be appended.
//
// The error matches [errors.ErrUnsupported] where there is none.
func CgroupMount() (string, error) {
	points, err := read("/proc/self/mountinfo", parseCgroupMounts)
	if err != nil {
		return "", err
	}
	for _, point := range points {
		// Another file system may be mounted over it.
		f, err := os.OpenFile(point, unix.O_PATH|unix.O_DIRECTORY, 0)
		if err != nil {
			continue
		}
		ok, err := onCgroup2(int(f.Fd()))
		f.Close()
		if ok && err == nil {
			return point, nil
		}
	}
	return "", fmt.Errorf("find the cgroup2 file system: not mounted as a whole: %w", errors.ErrUnsupported)
}

// parseCgroupMounts returns the mount points of whole cgroup2 hierarchies in
// mountinfo, whose lines are
//
//	id parent major:minor root point options [tag…] - type source options
func parseCgroupMounts(b []byte) ([]string, error) {
	var points []string
	for line := range strings.Lines(string(b)) {
		mount, fs, ok := strings.Cut(line, " - ")
		f := strings.Split(mount, " ") // not Fields: the kernel escapes a space, but not every white space
		if !ok || len(f) < 6 {
			return nil, fmt.Errorf("line %q: want six fields before a dash", line)
		}
		root, point := f[3], f[4]
		if kind, _, _ := strings.Cut(fs, " "); kind == "cgroup2" && root == "/" {
			points = append(points, unescapeMount(point))
		}
	}
	return points, nil
}

// unescapeMount undoes the kernel's escapes in a mount point: space, tab,
// newline and backslash are written as a backslash and three octal digits.
func unescapeMount(s string) string {
	var out strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' && len(s)-i > 3 {
			if c, err := strconv.ParseUint(s[i+1:i+4], 8, 8); err == nil {
				out.WriteByte(byte(c))
				i += 3
				continue
			}
		}
		out.WriteByte(s[i])
	}
	return out.String()
}
