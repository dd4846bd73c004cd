//go:build linux && (amd64 || arm64)

package pagefault

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"os"
	"os/exec"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/ring3-go/ring3/internal/features"
)

// TestEventsAreReadWhileEveryWorkerIsBusy has more faults wait than there are workers, and then changes memory: the
// kernel lets no page be made until that event has been read.
func TestEventsAreReadWhileEveryWorkerIsBusy(t *testing.T) {
	const pages = 16
	started, goOn := make(chan struct{}, pages), make(chan struct{})
	events := make(chan MemoryEvent, 1)
	r := region(t, ServeOptions{Size: int64(pages * pageBytes), Events: func(e MemoryEvent) { events <- e }, Handler: func(r *Request) error {
		started <- struct{}{}
		<-goOn
		return number(r)
	}}, features.PopulateRead)
	var wg sync.WaitGroup
	for page := 1; page < pages; page++ {
		wg.Go(func() {
			if got, err := readNumber(r, page); got != uint64(page)+1 || err != nil {
				t.Errorf("page %d: %d, %v", page, got, err)
			}
		})
	}
	<-started
	waitForFaults(t, pages-1)
	wg.Go(func() { // as a library does that knows the memory's address
		if err := unix.Madvise(r.memory[:pageBytes], unix.MADV_DONTNEED); err != nil {
			t.Error(err)
		}
	})
	if e := <-events; e.Kind != MemoryRemove {
		t.Errorf("%+v; want a remove", e)
	}
	close(goOn)
	wg.Wait()
}

// waitForFaults returns when that many threads of this process sleep in a fault that a userfaultfd serves, or after
// five seconds, where the kernel does not tell where threads sleep.
func waitForFaults(t *testing.T, threads int) {
	t.Helper()
	for range 5000 {
		tasks, err := os.ReadDir("/proc/self/task")
		if err != nil {
			t.Fatal(err)
		}
		waiting := 0
		for _, task := range tasks {
			where, err := os.ReadFile("/proc/self/task/" + task.Name() + "/wchan")
			if err != nil && !errors.Is(err, os.ErrNotExist) && !errors.Is(err, unix.ESRCH) {
				t.Fatal(err)
			}
			if strings.Contains(string(where), "userfault") {
				waiting++
			}
		}
		if waiting >= threads {
			return
		}
		unix.Nanosleep(&unix.Timespec{Nsec: 1e6}, nil)
	}
}

// TestARequestIsTheHandlersToFillAlone has handlers do to their request what they may not.
func TestARequestIsTheHandlersToFillAlone(t *testing.T) {
	own := make([]byte, 2*pageBytes)
	r := region(t, ServeOptions{Size: int64(8 * pageBytes), Handler: func(r *Request) error {
		switch r.Offset / int64(pageBytes) {
		case 0:
			r.Page = own
		case 1:
			r.Page = nil
		case 2:
			r.Page = r.Page[:10]
		case 3: // what it says is no answer
			r.Offset, r.Faults, r.Access, r.Thread = 0, ServeWriteProtect, AccessUnknown, -1
			r.Page[0] = 4
		case 4:
			r.Offset, r.Faults = 5*int64(pageBytes), ServeWriteProtect
			return io.ErrUnexpectedEOF
		default:
			return number(r)
		}
		return nil
	}}, features.PopulateRead)
	for page := range 3 {
		_, err := readNumber(r, page)
		if serve := new(ServeError); !errors.As(err, &serve) || !errors.Is(err, os.ErrInvalid) || serve.Offset != int64(page*pageBytes) {
			t.Errorf("page %d replaced: %v", page, err)
		}
	}
	if got, err := readNumber(r, 3); got != 4 || err != nil {
		t.Errorf("fields written to: %d, %v", got, err)
	}
	if _, err := readNumber(r, 4); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("refused by another name: %v", err)
	}
	if got, err := readNumber(r, 5); got != 6 || err != nil {
		t.Errorf("page that was named: %d, %v", got, err)
	}
	if err := r.Use(0, 1, AccessRead, nil); !errors.Is(err, os.ErrInvalid) {
		t.Errorf("use for nothing: %v", err)
	}
}

// TestSharedPagesAreAnsweredInPlace asks for what does not go with ServeMinor.
func TestSharedPagesAreAnsweredInPlace(t *testing.T) {
	r := region(t, ServeOptions{Size: int64(3 * pageBytes), Faults: ServeMissing | ServeMinor, Handler: func(r *Request) error {
		switch r.Offset / int64(pageBytes) {
		case 0:
			r.Zero()
		case 1:
			r.Give(r.Page)
		} // and what nobody touches is zeros
		return nil
	}}, features.UserfaultMinor)
	if got, err := readNumber(r, 2); got != 0 || err != nil {
		t.Errorf("untouched page: %d, %v", got, err)
	}
	for page := range 2 {
		if _, err := readNumber(r, page); !errors.Is(err, errors.ErrUnsupported) {
			t.Errorf("page %d: %v", page, err)
		}
	}
}

// TestCloseEndsALongUse closes a region while more of it is asked for than anybody wants to pay for.
func TestCloseEndsALongUse(t *testing.T) {
	const size = 1 << 34
	started := make(chan struct{})
	var once sync.Once
	r := region(t, ServeOptions{Size: size, Handler: func(r *Request) error {
		once.Do(func() { close(started) })
		<-r.Context().Done()
		return nil
	}}, features.PopulateRead)
	before := faultsOfProcess(t)
	done := make(chan error)
	go func() { done <- r.Use(0, size, AccessRead, func([]byte) error { return nil }) }()
	<-started
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	if err := <-done; !errors.Is(err, ErrClosed) {
		t.Errorf("use: %v", err)
	}
	if n := faultsOfProcess(t) - before; n > 4*yieldEvery {
		t.Errorf("%d pages came after all", n)
	}
}

// faultsOfProcess is how many pages the kernel has put into this process.
func faultsOfProcess(t *testing.T) int64 {
	t.Helper()
	var u unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &u); err != nil {
		t.Fatal(err)
	}
	return u.Minflt + u.Majflt
}

// TestServeClosesTheConnectionWhereItFails looks at the other end.
func TestServeClosesTheConnectionWhereItFails(t *testing.T) {
	for name, opts := range map[string]ServeOptions{
		"options": {Size: -1}, "workers": {Size: 1, Workers: -1}, "two handlers": {Size: 1, Handler: number},
	} {
		ours, theirs := connected(t)
		opts.Remote = ours
		if r, err := Serve(opts); err == nil {
			r.Close()
			t.Errorf("%s: made a region", name)
		}
		if n, err := theirs.Read(make([]byte, 1)); n != 0 || !errors.Is(err, io.EOF) {
			t.Errorf("%s: the other end reads %d, %v; want its end", name, n, err)
		}
		theirs.Close()
		ours.Close()
	}
}

// TestAnOfferIsChecked has somebody offer a region that no sound process has.
func TestAnOfferIsChecked(t *testing.T) {
	for name, o := range map[string]offer{
		"page larger than memory": {offerMagic, 1, 0, 1 << 46, 1 << 46, uint64(ServeMissing), 0},
		"page of a byte":          {offerMagic, 1, 0, 1 << 20, 1, uint64(ServeMissing), 0},
		"no whole pages":          {offerMagic, 1, 1, uint64(pageBytes), uint64(pageBytes), uint64(ServeMissing), 0},
		"unknown faults":          {offerMagic, 1, 0, uint64(pageBytes), uint64(pageBytes), 1 << 9, 0},
	} {
		t.Run(name, func(t *testing.T) {
			if err := offered(t, &o); !errors.Is(err, os.ErrInvalid) {
				t.Errorf("%v", err)
			}
		})
	}
	// Shared memory that can be made smaller would be SIGBUS to the handler.
	memfd, err := unix.MemfdCreate("ring3-unsealed", unix.MFD_CLOEXEC|unix.MFD_ALLOW_SEALING)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(memfd)
	if err := unix.Ftruncate(memfd, int64(pageBytes)); err != nil {
		t.Fatal(err)
	}
	o := offer{offerMagic, 1, 0, uint64(pageBytes), uint64(pageBytes), uint64(ServeMissing | ServeMinor), 0}
	if err := offered(t, &o, memfd); !errors.Is(err, os.ErrInvalid) {
		t.Errorf("memory without seals: %v", err)
	}
	if _, err := unix.FcntlInt(uintptr(memfd), unix.F_ADD_SEALS, sizeSeals); err != nil {
		t.Fatal(err)
	}
	o.Length *= 2
	if err := offered(t, &o, memfd); !errors.Is(err, os.ErrInvalid) {
		t.Errorf("memory that is too small: %v", err)
	}
}

// offered is what becomes of an offer with descriptors that are none of a region's.
func offered(t *testing.T, o *offer, memory ...int) error {
	t.Helper()
	ours, theirs := connected(t)
	defer ours.Close()
	null, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	header, err := binary.Append(nil, binary.NativeEndian, o)
	if err != nil {
		t.Fatal(err)
	}
	fds := append([]int{int(null.Fd()), int(null.Fd())}, memory...)
	if _, _, err := ours.WriteMsgUnix(header, unix.UnixRights(fds...), nil); err != nil {
		t.Fatal(err)
	}
	if err := ours.CloseWrite(); err != nil {
		t.Fatal(err)
	}
	return ServeRemote(theirs, number, 1)
}

const memoryMarker = "ring3-remote-memory"

// remoteMemory is a process whose memory another one serves: it touches it, and waits.
func remoteMemory() bool {
	if len(os.Args) != 2 || os.Args[1] != memoryMarker {
		return false
	}
	conn, err := unixConn(os.NewFile(reportFD, "connection"))
	if err == nil {
		var r *Region
		if r, err = Serve(ServeOptions{Size: int64(pageBytes), Remote: conn}); err == nil {
			_, err = readNumber(r, 0)
		}
	}
	fmt.Fprintln(os.Stderr, "the page came, or not:", err)
	os.Exit(1)
	return true
}

// TestARemoteHandlerOutlivesTheMemory kills the process that waits for a page while the handler is at it.
func TestARemoteHandlerOutlivesTheMemory(t *testing.T) {
	region(t, ServeOptions{Size: 1, Handler: number}, features.PopulateRead) // or skips
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	theirs := os.NewFile(uintptr(pair[1]), "theirs")
	conn, err := unixConn(os.NewFile(uintptr(pair[0]), "ours"))
	if err != nil {
		t.Fatal(err)
	}
	var stderr bytes.Buffer
	cmd := exec.Command(exe, memoryMarker)
	cmd.ExtraFiles, cmd.Stderr = []*os.File{theirs}, &stderr
	err = cmd.Start()
	theirs.Close()
	if err != nil {
		t.Fatal(err)
	}
	err = ServeRemote(conn, func(r *Request) error {
		if err := cmd.Process.Kill(); err != nil {
			t.Error(err)
		}
		<-r.Context().Done()
		return number(r) // for nobody
	}, 1)
	if err != nil {
		t.Errorf("serve: %v", err)
	}
	var exit *exec.ExitError
	if err := cmd.Wait(); !errors.As(err, &exit) || exit.Sys().(syscall.WaitStatus).Signal() != unix.SIGKILL {
		t.Errorf("the process with the memory: %v, %s; want its end by SIGKILL", err, stderr.String())
	}
}

// TestAnEndOfTheGoroutineOfEventsIsNotTheEnd has the function that is told of events end its goroutine, as t.FailNow does.
func TestAnEndOfTheGoroutineOfEventsIsNotTheEnd(t *testing.T) {
	told := make(chan MemoryEvent, 4)
	r := region(t, ServeOptions{Size: int64(4 * pageBytes), Handler: number, Events: func(e MemoryEvent) {
		told <- e
		runtime.Goexit()
	}}, features.PopulateRead)
	for range 3 {
		if got, err := readNumber(r, 1); got != 2 || err != nil {
			t.Errorf("%d, %v", got, err)
		}
		if err := r.Drop(0, r.Size()); err != nil {
			t.Fatal(err)
		}
		if e := <-told; e.Kind != MemoryRemove {
			t.Errorf("%+v", e)
		}
	}
}
