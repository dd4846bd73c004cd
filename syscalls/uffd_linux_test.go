package syscalls

import (
	"bytes"
	"errors"
	"os"
	"runtime"
	"runtime/debug"
	"strings"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/ring3-go/ring3/internal/features"
	"github.com/ring3-go/ring3/internal/features/featuretest"
)

func addressOf(m []byte) uintptr { return uintptr(unsafe.Pointer(unsafe.SliceData(m))) }

// openUffd makes a userfaultfd for faults in user mode, which everybody may, with features, or skips what the
// kernel has not.
func openUffd(t testing.TB, wanted UffdFeatures, needs features.Feature) int {
	t.Helper()
	fd, err := Userfaultfd(unix.O_CLOEXEC | unix.O_NONBLOCK | UFFD_USER_MODE_ONLY)
	if err != nil {
		featuretest.Skip(t, features.Userfault, err)
	}
	t.Cleanup(func() { unix.Close(fd) })
	available, ioctls, err := UffdAPI(fd, wanted)
	if err != nil {
		featuretest.Skip(t, needs, err)
	}
	if available&wanted != wanted || ioctls&(UFFD_IOCTL_API|UFFD_IOCTL_REGISTER|UFFD_IOCTL_UNREGISTER) == 0 {
		t.Fatalf("features %v, operations %v", available, ioctls)
	}
	return fd
}

func registered(t testing.TB, fd int, m []byte, mode UffdRegisterMode, needs UffdIoctls) {
	t.Helper()
	ioctls, err := UffdRegister(fd, addressOf(m), uintptr(len(m)), mode)
	if err != nil {
		t.Fatal(err)
	}
	if ioctls&needs != needs {
		t.Fatalf("the range has %v; want %v", ioctls, needs)
	}
}

// A touch is a thread that reads, or writes, one byte in user mode.
type touch struct {
	tid  int
	seen chan byte // what it read
}

// touching starts a thread that meets a fault. No garbage is collected while it waits: it could not be stopped.
func touching(t testing.TB, b *byte, write bool) *touch {
	t.Helper()
	percent := debug.SetGCPercent(-1)
	procs := runtime.GOMAXPROCS(max(4, runtime.GOMAXPROCS(0)))
	t.Cleanup(func() { debug.SetGCPercent(percent); runtime.GOMAXPROCS(procs) })
	to := &touch{seen: make(chan byte, 1)}
	started := make(chan int)
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		started <- unix.Gettid()
		if write {
			*b = 'w'
		}
		to.seen <- *b
	}()
	to.tid = <-started
	return to
}

// message reads one, for which it waits. A signal takes the message of the thread that it goes to away again: the
// thread faults anew afterwards.
func message(t testing.TB, fd int) *UffdMsg {
	t.Helper()
	poll := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
	messages := make([]UffdMsg, 1)
	for {
		if n, err := retry(func() (int, error) { return unix.Poll(poll, 60_000) }); n != 1 || err != nil {
			t.Fatalf("wait for a message: %d, %v", n, err)
		}
		n, err := UffdRead(fd, messages)
		if errors.Is(err, unix.EAGAIN) {
			continue
		}
		if n != 1 || err != nil {
			t.Fatalf("read: %d, %v", n, err)
		}
		return &messages[0]
	}
}

func (to *touch) reads(t testing.TB, want byte) {
	t.Helper()
	select {
	case got := <-to.seen:
		if got != want {
			t.Errorf("the thread saw %q; want %q", got, want)
		}
	case <-time.After(time.Minute):
		t.Fatal("the thread still waits")
	}
}

// present reports what pagemap says of a page: whether it is mapped.
func present(t testing.TB, b *byte) bool {
	t.Helper()
	f, err := os.Open("/proc/self/pagemap")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var entry [8]byte
	at := int64(uintptr(unsafe.Pointer(b))) / int64(os.Getpagesize()) * 8
	if _, err := f.ReadAt(entry[:], at); err != nil {
		t.Fatal(err)
	}
	return entry[7]&0x80 != 0
}

func TestUffdFaultIsServedForAnotherThread(t *testing.T) {
	fd := openUffd(t, UFFD_FEATURE_THREAD_ID, features.Userfault)
	page := os.Getpagesize()
	m := mapTest(t, -1, 0, 2*page)
	registered(t, fd, m, UFFDIO_REGISTER_MODE_MISSING, UFFD_IOCTL_COPY|UFFD_IOCTL_ZEROPAGE|UFFD_IOCTL_WAKE)

	if n, err := UffdRead(fd, make([]UffdMsg, 1)); n != 0 || !errors.Is(err, unix.EAGAIN) {
		t.Errorf("no message yet: %d, %v", n, err)
	}
	to := touching(t, &m[page+1], false)
	msg := message(t, fd)
	flags, addr, tid := msg.Pagefault()
	if msg.Event != UFFD_EVENT_PAGEFAULT || flags != 0 || addr != addressOf(m[page:]) || tid != to.tid {
		t.Errorf("%v %v at %#x by %d; want a read at %#x by %d", msg.Event, flags, addr, tid, addressOf(m[page:]), to.tid)
	}
	src := bytes.Repeat([]byte{'c'}, page)
	if n, err := UffdCopy(fd, addressOf(m[page:]), src, UFFDIO_COPY_MODE_DONTWAKE); n != page || err != nil {
		t.Fatalf("copied %d, %v", n, err)
	}
	if err := UffdWake(fd, addressOf(m[page:]), uintptr(page)); err != nil {
		t.Fatal(err)
	}
	to.reads(t, 'c')
	if !present(t, &m[page]) || present(t, &m[0]) {
		t.Error("pagemap does not show the second page alone")
	}

	for name, tt := range map[string]struct{ got, want error }{
		"a page is there":    {second(UffdCopy(fd, addressOf(m[page:]), src, 0)), unix.EEXIST},
		"part of a page":     {second(UffdCopy(fd, addressOf(m), src[1:], 0)), unix.EINVAL},
		"wake part of it":    {UffdWake(fd, addressOf(m), 1), unix.EINVAL},
		"other memory":       {second(UffdCopy(fd, addressOf(mapTest(t, -1, 0, page)), src, 0)), unix.ENOENT},
		"nothing to read at": {second(UffdRead(fd, nil)), unix.EINVAL},
	} {
		if !errors.Is(tt.got, tt.want) {
			t.Errorf("%s: %v; want %v", name, tt.got, tt.want)
		}
	}
}

// second returns the error of two results.
func second[T any](_ T, err error) error { return err }

// TestUffdCopyReturnsWhatItDid has it end early, at a page that is there already.
func TestUffdCopyReturnsWhatItDid(t *testing.T) {
	fd := openUffd(t, 0, features.Userfault)
	page := os.Getpagesize()
	m := mapTest(t, -1, 0, 3*page)
	registered(t, fd, m, UFFDIO_REGISTER_MODE_MISSING, UFFD_IOCTL_COPY)
	src := bytes.Repeat([]byte{'c'}, 3*page)
	if n, err := UffdCopy(fd, addressOf(m[2*page:]), src[:page], 0); n != page || err != nil {
		t.Fatalf("copied %d, %v", n, err)
	}
	if n, err := UffdCopy(fd, addressOf(m), src, 0); n != 2*page || !errors.Is(err, unix.EAGAIN) {
		t.Errorf("copied %d, %v; want %d and EAGAIN", n, err, 2*page)
	}
	if !bytes.Equal(m, src) {
		t.Error("the pages have other bytes")
	}
}

func TestUffdZeropage(t *testing.T) {
	fd := openUffd(t, 0, features.Userfault)
	m := mapTest(t, -1, 0, os.Getpagesize())
	registered(t, fd, m, UFFDIO_REGISTER_MODE_MISSING, UFFD_IOCTL_ZEROPAGE)
	to := touching(t, &m[0], false)
	message(t, fd)
	if n, err := UffdZeropage(fd, addressOf(m), uintptr(len(m)), 0); n != len(m) || err != nil {
		t.Fatalf("zeroed %d, %v", n, err)
	}
	to.reads(t, 0)
	if n, err := UffdZeropage(fd, addressOf(m), uintptr(len(m)), 0); n != 0 || !errors.Is(err, unix.EEXIST) {
		t.Errorf("again: %d, %v", n, err)
	}
}

func TestUffdUnregisterWakes(t *testing.T) {
	fd := openUffd(t, 0, features.Userfault)
	m := mapTest(t, -1, 0, os.Getpagesize())
	registered(t, fd, m, UFFDIO_REGISTER_MODE_MISSING, 0)
	if _, err := UffdRegister(fd, addressOf(m), 1, UFFDIO_REGISTER_MODE_MISSING); !errors.Is(err, unix.EINVAL) {
		t.Errorf("part of a page: %v", err)
	}
	to := touching(t, &m[0], false)
	message(t, fd)
	if err := UffdUnregister(fd, addressOf(m), uintptr(len(m))); err != nil {
		t.Fatal(err)
	}
	to.reads(t, 0) // the kernel's own page
	if err := UffdUnregister(fd, addressOf(m), 1); !errors.Is(err, unix.EINVAL) {
		t.Errorf("part of a page: %v", err)
	}
}

func TestUffdWriteprotect(t *testing.T) {
	fd := openUffd(t, UFFD_FEATURE_PAGEFAULT_FLAG_WP, features.UserfaultProtect)
	m := mapTest(t, -1, 0, os.Getpagesize())
	m[0] = 'r'
	registered(t, fd, m, UFFDIO_REGISTER_MODE_WP, UFFD_IOCTL_WRITEPROTECT)
	if err := UffdWriteprotect(fd, addressOf(m), uintptr(len(m)), UFFDIO_WRITEPROTECT_MODE_WP); err != nil {
		t.Fatal(err)
	}
	if m[0] != 'r' { // reading is allowed
		t.Errorf("the page has %q", m[0])
	}
	to := touching(t, &m[0], true)
	flags, addr, tid := message(t, fd).Pagefault()
	if flags != UFFD_PAGEFAULT_FLAG_WP|UFFD_PAGEFAULT_FLAG_WRITE || addr != addressOf(m) || tid != 0 {
		t.Errorf("%v at %#x by %d", flags, addr, tid)
	}
	if err := UffdWriteprotect(fd, addressOf(m), uintptr(len(m)), 0); err != nil {
		t.Fatal(err)
	}
	to.reads(t, 'w')
	other := mapTest(t, -1, 0, os.Getpagesize())
	if err := UffdWriteprotect(fd, addressOf(other), uintptr(len(other)), 0); !errors.Is(err, unix.ENOENT) {
		t.Errorf("other memory: %v", err)
	}
}

func TestUffdContinueMapsTheCachedPage(t *testing.T) {
	fd := openUffd(t, UFFD_FEATURE_MINOR_SHMEM, features.UserfaultMinor)
	page := os.Getpagesize()
	file, err := unix.MemfdCreate("minor", unix.MFD_CLOEXEC)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(file)
	if err := unix.Ftruncate(file, int64(2*page)); err != nil {
		t.Fatal(err)
	}
	if _, err := unix.Pwrite(file, []byte("minor"), 0); err != nil {
		t.Fatal(err)
	}
	m, err := unix.Mmap(file, 0, 2*page, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Munmap(m)
	registered(t, fd, m, UFFDIO_REGISTER_MODE_MINOR, UFFD_IOCTL_CONTINUE)
	to := touching(t, &m[0], false)
	if flags, addr, _ := message(t, fd).Pagefault(); flags != UFFD_PAGEFAULT_FLAG_MINOR || addr != addressOf(m) {
		t.Errorf("%v at %#x", flags, addr)
	}
	if n, err := UffdContinue(fd, addressOf(m), uintptr(page), 0); n != page || err != nil {
		t.Fatalf("mapped %d, %v", n, err)
	}
	to.reads(t, 'm')
	if n, err := UffdContinue(fd, addressOf(m[page:]), uintptr(page), 0); n != 0 || !errors.Is(err, unix.EFAULT) {
		t.Errorf("a page that no cache has: %d, %v", n, err)
	}
}

func TestUffdPoisonedPageCannotBeRead(t *testing.T) {
	fd := openUffd(t, UFFD_FEATURE_POISON, features.UserfaultPoison)
	m := mapTest(t, -1, 0, os.Getpagesize())
	registered(t, fd, m, UFFDIO_REGISTER_MODE_MISSING, UFFD_IOCTL_POISON)
	if n, err := UffdPoison(fd, addressOf(m), uintptr(len(m)), 0); n != len(m) || err != nil {
		t.Fatalf("poisoned %d, %v", n, err)
	}
	if err := kernelReads(t, m); !errors.Is(err, unix.EFAULT) && !errors.Is(err, unix.EHWPOISON) {
		t.Errorf("the kernel reads it: %v", err)
	}
	if n, err := UffdPoison(fd, addressOf(m), uintptr(len(m)), 0); n != 0 || !errors.Is(err, unix.EEXIST) {
		t.Errorf("again: %d, %v", n, err)
	}
}

// kernelReads has the kernel read the first byte as this thread, and returns its error.
func kernelReads(t testing.TB, m []byte) error {
	t.Helper()
	var pipe [2]int
	if err := unix.Pipe2(pipe[:], unix.O_CLOEXEC); err != nil {
		t.Fatal(err)
	}
	defer unix.Close(pipe[0])
	defer unix.Close(pipe[1])
	_, err := unix.Write(pipe[1], m[:1])
	return err
}

func TestUffdMoveLeavesNothingBehind(t *testing.T) {
	fd := openUffd(t, UFFD_FEATURE_MOVE, features.UserfaultMove)
	dst, src := mapTest(t, -1, 0, os.Getpagesize()), mapTest(t, -1, 0, os.Getpagesize())
	src[0] = 'm'
	registered(t, fd, dst, UFFDIO_REGISTER_MODE_MISSING, UFFD_IOCTL_MOVE)
	if n, err := UffdMove(fd, addressOf(dst), addressOf(src), uintptr(len(src)), 0); n != len(src) || err != nil {
		t.Fatalf("moved %d, %v", n, err)
	}
	if present(t, &src[0]) || !present(t, &dst[0]) || dst[0] != 'm' {
		t.Errorf("source there %v, target there %v with %q", present(t, &src[0]), present(t, &dst[0]), dst[0])
	}
	src[0] = 'n'
	if n, err := UffdMove(fd, addressOf(dst), addressOf(src), uintptr(len(src)), 0); n != 0 || !errors.Is(err, unix.EEXIST) {
		t.Errorf("where a page is: %d, %v", n, err)
	}
}

// eventsOf returns the messages that a change of memory sends. The call returns only when they are read.
func eventsOf(t testing.TB, fd int, change func() error) (messages []UffdMsg) {
	t.Helper()
	var pipe [2]int
	if err := unix.Pipe2(pipe[:], unix.O_CLOEXEC); err != nil {
		t.Fatal(err)
	}
	defer unix.Close(pipe[0])
	done := make(chan error, 1)
	go func() { done <- change(); unix.Close(pipe[1]) }()
	poll := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}, {Fd: int32(pipe[0])}}
	for poll[1].Revents == 0 {
		if n, err := retry(func() (int, error) { return unix.Poll(poll, 60_000) }); n < 1 || err != nil {
			t.Fatalf("wait for a message: %d, %v", n, err)
		}
		for poll[0].Revents != 0 {
			some := make([]UffdMsg, 1)
			n, err := UffdRead(fd, some)
			if errors.Is(err, unix.EAGAIN) {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
			messages = append(messages, some[:n]...)
		}
	}
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	return messages
}

func TestUffdChangesAreReported(t *testing.T) {
	page := uintptr(os.Getpagesize())
	place := mapTest(t, -1, 0, int(2*page)) // outlives the descriptor: unmapping it sends a message
	fd := openUffd(t, UFFD_FEATURE_EVENT_REMAP|UFFD_FEATURE_EVENT_REMOVE|UFFD_FEATURE_EVENT_UNMAP, features.Userfault)
	m, err := unix.Mmap(-1, 0, int(2*page), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANON)
	if err != nil {
		t.Fatal(err)
	}
	registered(t, fd, m, UFFDIO_REGISTER_MODE_MISSING, 0)
	from := addressOf(m)
	has := func(event UffdEvent, start, end uintptr, in []UffdMsg) {
		t.Helper()
		for _, msg := range in {
			if s, e := msg.Remove(); msg.Event == event && s == start && e == end {
				return
			}
		}
		t.Errorf("no %v of %#x to %#x in %+v", event, start, end, in)
	}

	has(UFFD_EVENT_REMOVE, from, from+page, eventsOf(t, fd, func() error { return unix.Madvise(m[:page], unix.MADV_DONTNEED) }))

	// There is no telling where a mapping goes, unless a place is asked for that was one's own.
	to := addressOf(place)
	events := eventsOf(t, fd, func() error {
		_, _, errno := unix.Syscall6(unix.SYS_MREMAP, from, 2*page, 2*page, unix.MREMAP_MAYMOVE|unix.MREMAP_FIXED, to, 0)
		return asError(errno)
	})
	moved := false
	for _, msg := range events {
		if was, is, length := msg.Remap(); msg.Event == UFFD_EVENT_REMAP {
			moved = was == from && is == to && length == 2*page
		}
	}
	if !moved {
		t.Errorf("no move of %#x to %#x in %+v", from, to, events)
	}

	has(UFFD_EVENT_UNMAP, to, to+page, eventsOf(t, fd, func() error {
		_, _, errno := unix.Syscall(unix.SYS_MUNMAP, to, page, 0)
		return asError(errno)
	}))

	fork := UffdMsg{Event: UFFD_EVENT_FORK, Arg: [3]uint64{7}}
	if fork.Fork() != 7 {
		t.Error("the descriptor of a fork is elsewhere")
	}
}

func TestUffdRefuses(t *testing.T) {
	fd := openUffd(t, 0, features.Userfault)
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	m := mapTest(t, -1, 0, os.Getpagesize())
	n := uintptr(len(m))
	third := func(_ UffdFeatures, _ UffdIoctls, err error) error { return err }
	for name, tt := range map[string]struct{ got, want error }{
		"unknown flag":   {second(Userfaultfd(1<<30 | UFFD_USER_MODE_ONLY)), unix.EINVAL},
		"API again":      {third(UffdAPI(fd, 0)), unix.EINVAL},
		"no device":      {second(UserfaultfdDevice(int(null.Fd()), 0)), unix.ENOTTY},
		"no API":         {third(UffdAPI(int(null.Fd()), 0)), unix.ENOTTY},
		"no mode":        {second(UffdRegister(fd, addressOf(m), n, 0)), unix.EINVAL},
		"no descriptor":  {second(UffdRegister(-1, addressOf(m), n, UFFDIO_REGISTER_MODE_MISSING)), unix.EBADF},
		"protect":        {UffdWriteprotect(-1, addressOf(m), n, 0), unix.EBADF},
		"move":           {second(UffdMove(-1, addressOf(m), addressOf(m), n, 0)), unix.EBADF},
		"poison":         {second(UffdPoison(-1, addressOf(m), n, 0)), unix.EBADF},
		"continue":       {second(UffdContinue(-1, addressOf(m), n, 0)), unix.EBADF},
		"read no such":   {second(UffdRead(-1, make([]UffdMsg, 1))), unix.EBADF},
		"zero, but what": {second(UffdZeropage(fd, addressOf(m), n, 0)), unix.ENOENT},
	} {
		if !errors.Is(tt.got, tt.want) {
			t.Errorf("%s: %v; want %v", name, tt.got, tt.want)
		}
	}
}

func TestUffdOfTheDevice(t *testing.T) {
	device, err := os.OpenFile("/dev/userfaultfd", os.O_RDWR, 0)
	if err != nil {
		featuretest.Skip(t, features.UserfaultDevice, err)
	}
	defer device.Close()
	fd, err := UserfaultfdDevice(int(device.Fd()), unix.O_CLOEXEC|unix.O_NONBLOCK)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	if _, _, err := UffdAPI(fd, 0); err != nil {
		t.Fatal(err)
	}
	// It is told of faults in the kernel too, which one with UFFD_USER_MODE_ONLY is not.
	m := mapTest(t, -1, 0, os.Getpagesize())
	registered(t, fd, m, UFFDIO_REGISTER_MODE_MISSING, UFFD_IOCTL_ZEROPAGE)
	done := make(chan error, 1)
	go func() { done <- kernelReads(t, m) }()
	message(t, fd)
	if _, err := UffdZeropage(fd, addressOf(m), uintptr(len(m)), 0); err != nil {
		t.Fatal(err)
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
}

func TestUffdLayouts(t *testing.T) {
	type names = map[string]string
	for kernelType, tt := range map[string]struct {
		mirror any
		fields names
	}{
		"uffd_msg":            {UffdMsg{}, nil},
		"uffdio_api":          {uffdioAPI{}, nil},
		"uffdio_range":        {uffdioRange{}, nil},
		"uffdio_register":     {uffdioRegister{}, names{"rng": "range"}},
		"uffdio_copy":         {uffdioCopy{}, names{"done": "copy"}},
		"uffdio_move?":        {uffdioCopy{}, names{"done": "move"}},
		"uffdio_zeropage":     {uffdioFill{}, names{"rng": "range", "done": "zeropage"}},
		"uffdio_continue":     {uffdioFill{}, names{"rng": "range", "done": "mapped"}},
		"uffdio_poison?":      {uffdioFill{}, names{"rng": "range", "done": "updated"}},
		"uffdio_writeprotect": {uffdioWriteprotect{}, names{"rng": "range"}},
	} {
		t.Run(strings.TrimSuffix(kernelType, "?"), func(t *testing.T) { checkLayout(t, tt.mirror, kernelType, tt.fields) })
	}
}

func TestUffdNames(t *testing.T) {
	for got, want := range map[string]string{
		(UFFD_FEATURE_MOVE | UFFD_FEATURE_SIGBUS).String():         "UFFD_FEATURE_SIGBUS|UFFD_FEATURE_MOVE",
		(UFFD_IOCTL_API | UFFD_IOCTL_COPY).String():                "UFFDIO_COPY|UFFDIO_API",
		UffdFlags(unix.O_CLOEXEC | UFFD_USER_MODE_ONLY).String():   "UFFD_USER_MODE_ONLY|O_CLOEXEC",
		UFFD_EVENT_UNMAP.String() + " " + UffdEvent(0x11).String(): "UFFD_EVENT_UNMAP 17",
	} {
		if got != want {
			t.Errorf("%s; want %s", got, want)
		}
	}
}
