package mmu

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/ring3-go/ring3/syscalls"
)

// needFrames skips where the kernel hides frames from this process.
func needFrames(t *testing.T) *Frames {
	t.Helper()
	f, err := OpenFrames()
	if err != nil {
		t.Skipf("tried /proc/kpageflags: %v", err)
	}
	t.Cleanup(func() { f.Close() })
	b := pages(t, 1)
	b[0] = 1
	p := translate(t, b)
	if _, known := p.Frame.Number(); !known {
		t.Skipf("tried pagemap: frame %v", p.Frame)
	}
	return f
}

func translate(t *testing.T, b []byte) Page {
	t.Helper()
	p, err := Translate(0, address(b))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// TestPresentPagesAreThoseOfMincore compares page by page.
func TestPresentPagesAreThoseOfMincore(t *testing.T) {
	b := pages(t, 64)
	unix.Madvise(b, unix.MADV_NOHUGEPAGE)
	for i := range 64 {
		if i%3 == 0 || i > 50 {
			b[i*pageSize] = 1
		}
	}
	in := make([]byte, 64)
	if err := syscalls.Mincore(address(b), uintptr(len(b)), in); err != nil {
		t.Fatal(err)
	}
	m, err := OpenPagemap(0)
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	got := make([]Page, 64)
	if n, err := m.Pages(address(b), got); n != 64 || err != nil {
		t.Fatal(n, err)
	}
	resident := 0
	for i, p := range got {
		if p.Present != (in[i]&1 != 0) || p.Addr != address(b)+uintptr(i*pageSize) || p.File || p.Swapped || p.Guard {
			t.Errorf("page %d: %+v; mincore %d", i, p, in[i])
		}
		resident += int(in[i] & 1)
	}
	vmas, err := Maps(0)
	if err != nil && !errors.Is(err, ErrChanged) {
		t.Fatal(err)
	}
	if v := Find(vmas, address(b)); v == nil || v.Detail.Rss < uint64(resident*pageSize) {
		t.Errorf("%+v; want %d resident pages", v, resident)
	}
}

// TestMappingsOfAFileShareItsFrames maps a memfd twice.
func TestMappingsOfAFileShareItsFrames(t *testing.T) {
	frames := needFrames(t)
	f := memfd(t, int64(4*pageSize))
	one := mapped(t, int(f.Fd()), 4*pageSize, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	two := mapped(t, int(f.Fd()), 4*pageSize, unix.PROT_READ, unix.MAP_SHARED)
	seen := map[Frame]bool{}
	for at := 0; at < len(one); at += pageSize {
		one[at] = 1
		if before := translate(t, two[at:]); before.Present && at == 0 {
			t.Errorf("%+v before it was touched", before)
		}
		sink = two[at]
		p, q := translate(t, one[at:]), translate(t, two[at:])
		if p.Frame != q.Frame || !p.Present || !p.File || p.Exclusive || seen[p.Frame] {
			t.Errorf("%+v and %+v", p, q)
		}
		seen[p.Frame] = true
		if n, err := frames.MapCount(p.Frame); n != 2 || err != nil {
			t.Errorf("frame %v is mapped %d times, %v; want 2", p.Frame, n, err)
		}
	}
}

// TestFrameChangesAfterForkAndWrite forks a process that waits, and writes.
func TestFrameChangesAfterForkAndWrite(t *testing.T) {
	needFrames(t)
	b := pages(t, 1)
	unix.Madvise(b, unix.MADV_NOHUGEPAGE)
	b[0] = 1
	before := translate(t, b)
	if !before.Exclusive {
		t.Errorf("%+v: somebody has it too", before)
	}
	child := forkWaiting(t)
	shared, err := Translate(child, address(b))
	if err != nil || shared.Frame != before.Frame || shared.Exclusive {
		t.Errorf("in the child %+v, %v; before %+v", shared, err, before)
	}
	b[0] = 2
	after := translate(t, b)
	if after.Frame == before.Frame || !after.Exclusive {
		t.Errorf("%+v after the write; before %+v", after, before)
	}
	if still, err := Translate(child, address(b)); err != nil || still.Frame != before.Frame {
		t.Errorf("in the child %+v, %v; before %+v", still, err, before)
	}
}

// forkWaiting forks without exec, until the test ends. The child has one thread and no runtime: it makes one raw
// call and never returns from here.
//
//go:norace
//go:nocheckptr
func forkWaiting(t *testing.T) int {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	var all, old unix.Sigset_t
	for i := range all.Val {
		all.Val[i] = ^uint64(0)
	}
	unix.PthreadSigmask(unix.SIG_SETMASK, &all, &old)
	pid, errno := forkRaw()
	unix.PthreadSigmask(unix.SIG_SETMASK, &old, nil)
	if errno != 0 {
		t.Fatal(errno)
	}
	t.Cleanup(func() {
		unix.Kill(int(pid), unix.SIGKILL)
		unix.Wait4(int(pid), nil, 0, nil)
	})
	return int(pid)
}

//go:norace
//go:nocheckptr
//go:nosplit
func forkRaw() (uintptr, unix.Errno) {
	pid, _, errno := unix.RawSyscall6(unix.SYS_CLONE, uintptr(unix.SIGCHLD), 0, 0, 0, 0, 0)
	for pid == 0 && errno == 0 {
		unix.RawSyscall6(unix.SYS_PPOLL, 0, 0, 0, 0, 0, 0)
	}
	return pid, errno
}

func TestFlagsOfFrames(t *testing.T) {
	frames := needFrames(t)
	flagsOf := func(p Page) FrameFlags {
		t.Helper()
		f, err := frames.Flags(p.Frame)
		if err != nil {
			t.Fatalf("%+v: %v", p, err)
		}
		return f
	}
	b := pages(t, 1)
	sink = b[0]
	if p := translate(t, b); flagsOf(p)&FrameZeroPage == 0 {
		t.Errorf("read and never written: %+v, %v", p, flagsOf(p))
	}
	b[0] = 1
	if p := translate(t, b); flagsOf(p)&FrameAnon == 0 || flagsOf(p)&(FrameZeroPage|FrameTHP) != 0 {
		t.Errorf("written: %+v, %v", p, flagsOf(p))
	}
	m, err := NewAnonymous(4*int(pmdSize()), MapOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	if err := m.Advise(0, m.Len(), AdviseHuge); err != nil {
		t.Skipf("tried huge pages: %v", err)
	}
	if err := m.Populate(0, m.Len(), true); err != nil {
		t.Fatal(err)
	}
	vmas, _ := Maps(0)
	v := Find(vmas, m.Addr()+uintptr(2*pmdSize()))
	if h := v.Huge(); h.Kind != "thp" || h.PageSize != pmdSize() {
		t.Skipf("tried huge pages: the kernel gave none: %+v", h)
	}
	middle := (m.Addr() + 2*uintptr(pmdSize())) &^ (uintptr(pmdSize()) - 1)
	head, err := Translate(0, middle)
	if err != nil || flagsOf(head)&(FrameTHP|FrameHead) != FrameTHP|FrameHead {
		t.Errorf("first of a huge page: %+v, %v, %v", head, flagsOf(head), err)
	}
	tail, err := Translate(0, middle+uintptr(pageSize))
	first, _ := head.Frame.Number()
	if n, _ := tail.Frame.Number(); err != nil || n != first+1 || flagsOf(tail)&(FrameTHP|FrameTail) != FrameTHP|FrameTail {
		t.Errorf("second of a huge page: %+v, %v, %v", tail, flagsOf(tail), err)
	}
}

// TestWithoutPrivilege gives CAP_SYS_ADMIN away, on a thread that ends with the test.
func TestWithoutPrivilege(t *testing.T) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread() // and never unlock it
		header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
		var none [2]unix.CapUserData
		if err := unix.Capset(&header, &none[0]); err != nil {
			t.Error(err)
			return
		}
		b, err := unix.Mmap(-1, 0, pageSize, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANON)
		if err != nil {
			t.Error(err)
			return
		}
		defer unix.Munmap(b)
		b[0] = 1
		p, err := Translate(0, address(b))
		if n, known := p.Frame.Number(); err != nil || !p.Present || known || n != 0 || p.Frame.String() != "hidden" {
			t.Errorf("%+v, frame %v, %v", p, p.Frame, err)
		}
		if _, err := (&Frames{}).Flags(p.Frame); !errors.Is(err, ErrHidden) {
			t.Errorf("flags of a hidden frame: %v", err)
		}
		vmas, err := Maps(0)
		if v := Find(vmas, address(b)); v == nil || v.Detail == nil || err != nil && !errors.Is(err, ErrChanged) {
			t.Errorf("%+v, %v", v, err)
		}
		found := false
		for r, err := range Scan(0, ScanOptions{Start: address(b), End: address(b) + uintptr(pageSize), Return: CategoryPresent}) {
			found = err == nil && r.Categories == CategoryPresent
		}
		if !found {
			t.Error("scan did not find the page")
		}
		if node, err := Node(0, address(b)); err != nil && !errors.Is(err, errors.ErrUnsupported) {
			t.Errorf("%d, %v", node, err)
		}
	}()
	<-done
}

func TestNodeIsOneOfTheHost(t *testing.T) {
	b := pages(t, 2)
	b[0] = 1
	node, err := Node(0, address(b))
	if errors.Is(err, errors.ErrUnsupported) {
		t.Skipf("tried move_pages: %v", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(fmt.Sprintf("/sys/devices/system/node/node%d/meminfo", node)); err != nil {
		t.Errorf("node %d: %v", node, err)
	}
	if _, err := Node(0, address(b)+uintptr(pageSize)); !errors.Is(err, unix.ENOENT) && !errors.Is(err, unix.EFAULT) {
		t.Errorf("node of a page that is not there: %v", err)
	}
	if _, err := Node(0, 0); !errors.Is(err, unix.EFAULT) {
		t.Errorf("node of nothing: %v", err)
	}
	if nodes, err := Nodes(0, nil); nodes != nil || err != nil {
		t.Errorf("nodes of nothing: %v, %v", nodes, err)
	}
}

func TestAddressesThatAreNone(t *testing.T) {
	for _, addr := range []uintptr{0, 1 << 47, 1 << 63, ^uintptr(0), 0x00f2_8cb7_1571_c7a0} {
		p, err := Translate(0, addr)
		if err != nil || p.Present || p.Swapped || p.Addr != addr&^uintptr(pageSize-1) {
			t.Errorf("%#x: %+v, %v", addr, p, err)
		}
	}
	if _, err := Translate(1<<30, 0); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("nobody's: %v", err)
	}
}

func TestPagemapOfAProcessThatEnded(t *testing.T) {
	child := forkWaiting(t)
	m, err := OpenPagemap(child)
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	b := pages(t, 1)
	unix.Kill(child, unix.SIGKILL)
	unix.Wait4(child, nil, 0, nil)
	if p, err := m.Translate(address(b)); !errors.Is(err, ErrEnded) {
		t.Errorf("%+v, %v", p, err)
	}
	var scanErr error
	for _, err := range m.Scan(ScanOptions{Return: CategoryPresent}) {
		scanErr = err
	}
	if scanErr == nil {
		t.Error("scan of a process that ended: no error")
	}
	m.Close()
	if err := m.Close(); err != nil {
		t.Errorf("closed twice: %v", err)
	}
	if _, err := m.Translate(0); !errors.Is(err, os.ErrClosed) {
		t.Errorf("closed: %v", err)
	}
}

func TestEntriesOfTheDocument(t *testing.T) {
	for entry, want := range map[uint64]Page{
		0:                              {},
		1<<63 | 1<<56 | 1<<55 | 0x1234: {Present: true, Exclusive: true, SoftDirty: true, Frame: Frame{0x1234}},
		1<<63 | 1<<61:                  {Present: true, File: true},
		1<<62 | 1<<57 | 7<<5 | 3:       {Swapped: true, WriteProtected: true, Swap: Swap{7<<5 | 3}},
		1<<62 | 1<<58:                  {Guard: true},
		1<<63 | 0x007f_ffff_ffff_ffff:  {Present: true, Frame: Frame{0x7f_ffff_ffff_ffff}},
	} {
		if got := decodePage(0, entry); got != want {
			t.Errorf("%#x: %+v; want %+v", entry, got, want)
		}
	}
	if s := (Swap{7<<5 | 3}).String(); s != "3:0x7" {
		t.Error(s)
	}
	if s := (FrameAnon | FrameTHP | 1<<63).String(); s != "anon|thp|bit 63" {
		t.Error(s)
	}
}

func FuzzDecodePage(f *testing.F) {
	f.Add(uint64(1)<<63 | 5)
	f.Fuzz(func(t *testing.T, entry uint64) {
		p := decodePage(0, entry)
		if p.Present && p.Swap != (Swap{}) || !p.Present && p.Frame != (Frame{}) {
			t.Errorf("%#x: %+v", entry, p)
		}
		if n, known := p.Frame.Number(); known == (n == 0) {
			t.Errorf("%#x: frame %d known %v", entry, n, known)
		}
		_ = categories(entry).String()
	})
}
