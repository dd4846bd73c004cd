//go:build amd64 || arm64

package pagefault

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"unsafe"

	"golang.org/x/sys/unix"
)

// setting changes a number in a file of the kernel for as long as the scene lasts. It is put back by the difference:
// another process may have changed it as well meanwhile.
func (s *scene) setting(path string, change func(old int64) int64) error {
	old, err := readSetting(path)
	if err != nil {
		return err
	}
	put := func(n int64) error { return os.WriteFile(path, []byte(strconv.FormatInt(n, 10)), 0o644) }
	more := change(old) - old
	if more == 0 {
		return nil
	}
	if err := put(old + more); err != nil {
		return err
	}
	s.later(func() error {
		now, err := readSetting(path)
		if err != nil {
			return err
		}
		return put(max(0, now-more))
	})
	return nil
}

func readSetting(path string) (int64, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return 0, err
	}
	return strconv.ParseInt(strings.TrimSpace(string(text)), 10, 64)
}

// prepareHugetlb maps pages out of the pool of reserved huge pages, into which some are put where that is allowed.
func prepareHugetlb(s *scene) error {
	unit, err := hugetlbLength()
	if err != nil {
		return s.cannot("the kernel has no hugetlb pages", err)
	}
	s.addrs = s.addrs[:min(len(s.addrs), hugeMax)]
	if s.opts.Reserve {
		more := int64(len(s.addrs))
		if err := s.setting("/proc/sys/vm/nr_hugepages", func(old int64) int64 { return old + more }); err != nil {
			return s.cannot("huge pages cannot be reserved", err)
		}
	}
	m, err := mapRegion(-1, int64(unit)*int64(len(s.addrs)), unix.MAP_PRIVATE|unix.MAP_ANONYMOUS|unix.MAP_HUGETLB)
	if err != nil {
		return s.cannot(fmt.Sprintf("there are not %d reserved huge pages (vm.nr_hugepages)", len(s.addrs)), err)
	}
	s.later(func() error { return unmapRegion(m) })
	s.pages(addressOf(m), unit)
	s.touch = touchStore
	return nil
}

// hugetlbLength is the default size of huge pages that are reserved.
func hugetlbLength() (uintptr, error) {
	text, err := os.ReadFile("/proc/meminfo")
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(text)) {
		var kib uintptr
		if n, _ := fmt.Sscanf(line, "Hugepagesize: %d kB", &kib); n == 1 {
			return kib << 10, nil
		}
	}
	return 0, errors.ErrUnsupported
}

// prepareSwap writes pages, has the kernel swap them out, and asks it which it still has in its swap cache: their
// faults are minor ones.
func prepareSwap(s *scene) error {
	swaps, err := os.ReadFile("/proc/swaps")
	if err != nil {
		return s.cannot("the kernel has no swap", err)
	}
	if strings.Count(string(swaps), "\n") < 2 {
		if !s.opts.Reserve {
			return s.cannot("no swap is in use", nil)
		}
		if err := s.swapFile(); err != nil {
			return s.cannot("a swap file cannot be had", err)
		}
	}
	// The kernel reads neighbours of a page along with it, whose faults would be minor ones.
	const cluster = "/proc/sys/vm/page-cluster"
	if s.opts.Reserve {
		err = s.setting(cluster, func(int64) int64 { return 0 })
	} else if text, readErr := os.ReadFile(cluster); readErr != nil || strings.TrimSpace(string(text)) != "0" {
		err = errors.Join(readErr, fmt.Errorf("vm.page-cluster is %s", strings.TrimSpace(string(text))))
	}
	if err != nil {
		return s.cannot("pages are swapped in by the cluster", err)
	}
	m, err := s.anonymous()
	if err != nil {
		return err
	}
	for i, addr := range s.addrs {
		storeByte(addr)
		binary.NativeEndian.PutUint32(m[uintptr(i)*pageLength()+64:], uint32(i)) // pages of which none is like another
	}
	if err := unix.Madvise(m, unix.MADV_PAGEOUT); err != nil {
		return s.cannot("pages cannot be swapped out", os.NewSyscallError("madvise MADV_PAGEOUT", err))
	}
	for range 1000 { // the disk may have to be waited for
		out, err := s.swappedOut(m)
		if err != nil {
			return err
		}
		if out == len(s.addrs) {
			s.touch = touchLoad
			s.cached, err = s.inMemory(m, pageLength())
			s.class.Major = s.cached == 0
			return err
		}
		if err := unix.Madvise(m, unix.MADV_PAGEOUT); err != nil {
			return err
		}
		runtime.Gosched()
	}
	return s.cannot("the kernel keeps pages that it was asked to swap out", nil)
}

// prepareHint asks the kernel to unmap pages for the sake of a hint. It does so by itself, where there are nodes to choose
// from, when its scheduler thinks fit (kernel.numa_balancing); the flag by which a program would ask is in its headers
// and refused by every kernel since 3.8, but this one may be another.
func prepareHint(s *scene) error {
	nodes, err := os.ReadFile("/sys/devices/system/node/online")
	if err != nil {
		return s.cannot("the kernel knows no nodes of memory", err)
	}
	if text := strings.TrimSpace(string(nodes)); !strings.ContainsAny(text, "-,") {
		return s.cannot("all memory is of one node: "+text, nil)
	}
	m, err := s.anonymous()
	if err != nil {
		return err
	}
	for _, addr := range s.addrs {
		storeByte(addr)
	}
	const bind, moveLazily = 2, 1<<1 | 1<<3 // MPOL_BIND; MPOL_MF_MOVE and MPOL_MF_LAZY of uapi/linux/mempolicy.h
	first := [1]uintptr{1}
	_, _, errno := unix.Syscall6(unix.SYS_MBIND, addressOf(m), uintptr(len(m)), bind, uintptr(unsafe.Pointer(&first)), 64, moveLazily)
	if errno != 0 {
		return s.cannot("the kernel unmaps for a hint when it thinks fit, and not when it is asked", os.NewSyscallError("mbind MPOL_MF_LAZY", errno))
	}
	s.touch = touchLoad
	return nil
}

// swappedOut reads from the page tables how many pages are on the swap device.
func (s *scene) swappedOut(m []byte) (n int, err error) {
	f, err := os.Open("/proc/self/pagemap")
	if err != nil {
		return 0, err
	}
	defer f.Close()
	entries := make([]byte, uintptr(len(m))/pageLength()*8)
	if _, err := f.ReadAt(entries, int64(addressOf(m)/pageLength()*8)); err != nil {
		return 0, err
	}
	const swapped = 1 << 62
	for ; len(entries) > 0; entries = entries[8:] {
		if binary.NativeEndian.Uint64(entries)&swapped != 0 {
			n++
		}
	}
	return n, nil
}

// swapFile makes a file with room for the pages and has the kernel swap to it.
func (s *scene) swapFile() error {
	dir := s.opts.Dir
	if dir == "" {
		dir = os.TempDir()
	}
	path := filepath.Join(dir, fmt.Sprintf("ring3-swap-%d", os.Getpid()))
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	defer f.Close()
	s.later(func() error { return os.Remove(path) })
	page := int(pageLength())
	pages := 2*len(s.addrs) + 1024
	// Written and not only declared: the kernel swaps to blocks. The first page is union swap_header of linux/swap.h.
	header := make([]byte, page)
	binary.NativeEndian.PutUint32(header[1024:], 1) // version
	binary.NativeEndian.PutUint32(header[1028:], uint32(pages-1))
	copy(header[page-10:], "SWAPSPACE2")
	if _, err := f.Write(header); err != nil {
		return err
	}
	if _, err := f.Write(make([]byte, page*(pages-1))); err != nil {
		return err
	}
	if err := f.Sync(); err != nil {
		return err
	}
	name, err := unix.BytePtrFromString(path)
	if err != nil {
		return err
	}
	if _, _, errno := unix.Syscall(unix.SYS_SWAPON, uintptr(unsafe.Pointer(name)), 0, 0); errno != 0 {
		return os.NewSyscallError("swapon", errno)
	}
	s.later(func() error {
		if _, _, errno := unix.Syscall(unix.SYS_SWAPOFF, uintptr(unsafe.Pointer(name)), 0, 0); errno != 0 {
			return os.NewSyscallError("swapoff", errno)
		}
		return nil
	})
	return nil
}

// prepareUserfault makes a region that another process serves.
func prepareUserfault(s *scene) error {
	exe, err := os.Executable()
	if err != nil {
		return err
	}
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return os.NewSyscallError("socketpair", err)
	}
	theirs := os.NewFile(uintptr(pair[1]), "theirs")
	defer theirs.Close()
	ours, err := unixConn(os.NewFile(uintptr(pair[0]), "ours"))
	if err != nil {
		return err
	}
	cmd := exec.Command(exe, childMarker, "serve", s.cause.Name)
	cmd.ExtraFiles = []*os.File{theirs}
	if err := cmd.Start(); err != nil {
		ours.Close()
		return err
	}
	theirs.Close()
	s.later(func() error { _ = cmd.Wait(); return nil })
	r, err := Serve(ServeOptions{Size: int64(len(s.addrs)+1) * int64(pageLength()), Faults: s.cause.userfault, Remote: ours})
	if err != nil {
		return s.cannot("no userfaultfd can be had", err)
	}
	s.later(r.Close)
	m, err := r.Memory()
	if err != nil {
		return err
	}
	s.pages(addressOf(m)+pageLength(), pageLength())
	s.touch = touchLoad
	if s.cause.userfault&ServeWriteProtect != 0 {
		s.touch = touchStore
		for i := 0; i < len(m); i += int(pageLength()) {
			loadByte(addressOf(m[i:])) // the page comes protected
		}
	}
	// A fault that is tried again once it was served counts as a major one, unless the first attempt was made under the
	// lock of its mapping alone (since 6.7): the page that is left over tells.
	major, err := s.majorIn(addressOf(m))
	if err == nil && !major {
		s.cached = int64(len(s.addrs))
		s.class.Major = false
	}
	return err
}

// majorIn takes one fault, with signals blocked: one that comes in between makes a fault of its own of what follows.
func (s *scene) majorIn(addr uintptr) (bool, error) {
	blocked, old := asynchronous(), unix.Sigset_t{}
	if err := unix.PthreadSigmask(unix.SIG_SETMASK, &blocked, &old); err != nil {
		return false, os.NewSyscallError("rt_sigprocmask", err)
	}
	m := &meter{times: make([]int64, 1)}
	before, after := m.count([]uintptr{addr}, s.touch)
	return after.Major > before.Major, os.NewSyscallError("rt_sigprocmask", unix.PthreadSigmask(unix.SIG_SETMASK, &old, nil))
}

// serveInChild is the process that serves, for the cause of that name.
func serveInChild(name string) error {
	c, err := CauseNamed(name)
	if err != nil {
		return err
	}
	conn, err := unixConn(os.NewFile(reportFD, "connection"))
	if err != nil {
		return err
	}
	return ServeRemote(conn, func(r *Request) error {
		if c.userfault&ServeWriteProtect != 0 && r.Faults == ServeMissing {
			r.Protect()
		}
		return nil
	}, 1)
}

// unixConn makes a connection of a descriptor, which it closes.
func unixConn(f *os.File) (*net.UnixConn, error) {
	defer f.Close()
	c, err := net.FileConn(f)
	if err != nil {
		return nil, err
	}
	u, ok := c.(*net.UnixConn)
	if !ok {
		c.Close()
		return nil, fmt.Errorf("connection to %v: %w", c.RemoteAddr(), os.ErrInvalid)
	}
	return u, nil
}
