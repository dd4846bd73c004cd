package mmu

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// What can happen to an address space while it is read. Functions then return what they have got, and an error
// that matches one of these.
var (
	// ErrChanged says that mappings came, went or changed meanwhile, so that the result is of no one moment.
	ErrChanged = errors.New("address space changed while it was read")
	// ErrEnded says that the process ended or executed another program meanwhile, so that the rest is missing.
	ErrEnded = errors.New("process ended while its address space was read")
	// ErrNoAddressSpace says that there is none: of a kernel thread, or a process that has ended and is not yet
	// reaped.
	ErrNoAddressSpace = errors.New("no address space: a kernel thread, or a process that has ended")
)

// attempts is how often a consistent reading is tried.
const attempts = 3

// Maps reads the mappings of a process with their Detail, in the order of addresses. For the caller itself pid may
// be 0.
//
// The kernel locks the address space for a mapping or a few at a time. So Maps reads the mappings once more, and
// everything again where they differ; where that goes on it returns the last reading with [ErrChanged]. Sizes
// of memory may still be of different moments.
//
// Needs Linux 4.14, and the right to trace the process (PTRACE_MODE_READ_FSCREDS, ptrace(2)): one's own user and
// no privilege gained by exec, or CAP_SYS_PTRACE. The error matches [os.ErrNotExist] or [unix.ESRCH] where there
// is no such process, and [os.ErrPermission]. The time grows with what is mapped and resident: the kernel walks
// through all page tables. Safe for concurrent use.
func Maps(pid int) ([]VMA, error) { return consistent(pid, "smaps") }

// Layout is [Maps] without Detail: fast, because the kernel walks through no page tables.
func Layout(pid int) ([]VMA, error) { return consistent(pid, "maps") }

// Rollup reads the sum of the Details of all mappings of a process, as the kernel makes it (Linux 4.14); page
// sizes and flags are not in it, nor is Size. Privilege and errors are those of [Maps].
func Rollup(pid int) (Detail, error) {
	vmas, err := readVMAs(pid, "smaps_rollup")
	if len(vmas) == 1 && vmas[0].Detail != nil {
		return *vmas[0].Detail, err
	}
	switch {
	case err == nil:
		err = fmt.Errorf("%s: %d sums", procFile(pid, "smaps_rollup"), len(vmas))
	case errors.Is(err, unix.ESRCH): // it was there when the file was opened
		err = fmt.Errorf("%s: %w", procFile(pid, "smaps_rollup"), ErrEnded)
	}
	return Detail{}, err
}

func procFile(pid int, name string) string {
	if pid == 0 {
		return "/proc/self/" + name
	}
	return "/proc/" + strconv.Itoa(pid) + "/" + name
}

// consistent reads until mappings stay the same from one reading to the next.
func consistent(pid int, file string) ([]VMA, error) {
	var vmas []VMA
	var err error
	for range attempts {
		if vmas, err = readVMAs(pid, file); err != nil {
			return vmas, err
		}
		again, err := readVMAs(pid, "maps")
		if err != nil {
			return vmas, meanwhile(procFile(pid, file), err)
		}
		if sameMappings(vmas, again) {
			return vmas, nil
		}
	}
	return vmas, fmt.Errorf("%s: %w", procFile(pid, file), ErrChanged)
}

// meanwhile makes an error that there is no process into one that it has ended, for a caller who has seen it.
func meanwhile(path string, err error) error {
	if errors.Is(err, ErrNoAddressSpace) || errors.Is(err, os.ErrNotExist) || errors.Is(err, unix.ESRCH) {
		return fmt.Errorf("%s: %w", path, ErrEnded)
	}
	return err
}

func sameMappings(a, b []VMA) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		v, w := a[i], b[i]
		v.Detail, w.Detail = nil, nil
		if v != w {
			return false
		}
	}
	return true
}

// readVMAs reads one of the three files once.
func readVMAs(pid int, name string) ([]VMA, error) {
	path := procFile(pid, name)
	f, err := os.Open(path)
	if errors.Is(err, unix.ESRCH) { // newer kernels say it here
		return nil, fmt.Errorf("%w: %w", err, ErrNoAddressSpace)
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	vmas, err := parseVMAs(f)
	switch {
	case errors.Is(err, unix.ESRCH) && len(vmas) > 0:
		return vmas, fmt.Errorf("%s: %w", path, ErrEnded)
	case err != nil:
		return vmas, fmt.Errorf("%s: %w", path, err)
	}
	// An address space that goes away looks like the end of the file. Whether it is still there shows at the
	// beginning.
	if n, err := f.ReadAt(make([]byte, 1), 0); n == 0 {
		if len(vmas) == 0 && (err == io.EOF || errors.Is(err, unix.ESRCH)) {
			return nil, fmt.Errorf("%s: %w", path, ErrNoAddressSpace)
		}
		return vmas, fmt.Errorf("%s: %w", path, ErrEnded)
	}
	return vmas, nil
}

// lineMax is longer than any line: a path has 4,096 bytes, of which each can take four.
const lineMax = 32 << 10

// parseVMAs parses maps, smaps or smaps_rollup. With an error it returns what stood before.
func parseVMAs(r io.Reader) ([]VMA, error) {
	var vmas []VMA
	lines := bufio.NewScanner(r)
	lines.Buffer(make([]byte, 0, 4096), lineMax)
	for n := 1; lines.Scan(); n++ {
		line := lines.Text()
		key, value, isDetail := strings.Cut(line, ":")
		if isDetail = isDetail && !strings.ContainsAny(key, " -"); !isDetail {
			v, err := parseVMA(line)
			if err != nil {
				return vmas, fmt.Errorf("line %d: %w", n, err)
			}
			vmas = append(vmas, v)
			continue
		}
		if len(vmas) == 0 {
			return vmas, fmt.Errorf("line %d: %s before any mapping", n, key)
		}
		v := &vmas[len(vmas)-1]
		if v.Detail == nil {
			v.Detail = new(Detail)
		}
		if err := v.Detail.set(key, value); err != nil {
			return vmas[:len(vmas)-1], fmt.Errorf("line %d: %s: %w", n, key, err)
		}
	}
	return vmas, lines.Err()
}

// parseVMA parses a line of maps: start-end perms offset major:minor inode, and a path that may hold anything.
func parseVMA(line string) (v VMA, err error) {
	var field [5]string
	rest := line
	for i := range field {
		var found bool
		if field[i], rest, found = strings.Cut(rest, " "); !found && i < len(field)-1 {
			return v, fmt.Errorf("%q: too short", line)
		}
	}
	v.Path = strings.TrimLeft(rest, " ")
	start, end, _ := strings.Cut(field[0], "-")
	major, minor, _ := strings.Cut(field[3], ":")
	var numbers [6]uint64
	for i, n := range []struct {
		text string
		base int
		bits int
	}{{start, 16, 64}, {end, 16, 64}, {field[2], 16, 64}, {major, 16, 32}, {minor, 16, 32}, {field[4], 10, 64}} {
		if numbers[i], err = strconv.ParseUint(n.text, n.base, n.bits); err != nil {
			return v, fmt.Errorf("%q: %w", line, err)
		}
	}
	v.Start, v.End, v.Offset = uintptr(numbers[0]), uintptr(numbers[1]), numbers[2]
	v.Major, v.Minor, v.Inode = uint32(numbers[3]), uint32(numbers[4]), numbers[5]
	if v.Start > v.End {
		return v, fmt.Errorf("%q: ends before it starts", line)
	}
	v.Perms, err = parsePerms(field[1])
	return v, err
}

func parsePerms(s string) (p Perms, err error) {
	if len(s) != 4 {
		return 0, fmt.Errorf("permissions %q", s)
	}
	for i, want := range []string{"-r", "-w", "-x", "ps"} {
		switch strings.IndexByte(want, s[i]) {
		case 1:
			p |= 1 << i
		case -1:
			return 0, fmt.Errorf("permissions %q", s)
		}
	}
	return p, nil
}
