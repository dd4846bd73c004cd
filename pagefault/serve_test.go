//go:build linux && (amd64 || arm64)

package pagefault

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"runtime"
	"runtime/debug"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/ring3-go/ring3/internal/features"
	"github.com/ring3-go/ring3/internal/features/featuretest"
)

var pageBytes = os.Getpagesize()

// region makes one with a handler in this process, or skips where this was tried and may not be. needs is what the
// kernel must have for it.
func region(t testing.TB, opts ServeOptions, needs features.Feature) *Region {
	t.Helper()
	r, err := Serve(opts)
	if errors.Is(err, errors.ErrUnsupported) || errors.Is(err, os.ErrPermission) {
		featuretest.Skip(t, needs, err)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := r.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return r
}

// number writes its page's number into a page, so that a page says where it belongs.
func number(r *Request) error {
	binary.NativeEndian.PutUint64(r.Page, uint64(r.Offset)/uint64(pageBytes)+1)
	return nil
}

func readNumber(r *Region, page int) (uint64, error) {
	var b [8]byte
	_, err := r.ReadAt(b[:], int64(page*pageBytes))
	return binary.NativeEndian.Uint64(b[:]), err
}

// resident asks the kernel which pages of a region are there. Only for anonymous memory without swap in use.
func resident(t testing.TB, r *Region) (pages int) {
	t.Helper()
	pagemap, err := os.Open("/proc/self/pagemap")
	if err != nil {
		t.Fatal(err)
	}
	defer pagemap.Close()
	entries := make([]byte, 8*len(r.memory)/pageBytes)
	if _, err := pagemap.ReadAt(entries, int64(addressOf(r.memory))/int64(pageBytes)*8); err != nil {
		t.Fatal(err)
	}
	const present, swapped = 1 << 63, 1 << 62
	for ; len(entries) > 0; entries = entries[8:] {
		if binary.NativeEndian.Uint64(entries)&(present|swapped) != 0 {
			pages++
		}
	}
	return pages
}

func TestMissingPagesComeFromTheHandler(t *testing.T) {
	const pages = 64
	var calls atomic.Int64
	r := region(t, ServeOptions{Size: int64(pages*pageBytes - 100), Handler: func(r *Request) error {
		calls.Add(1)
		if r.Faults != ServeMissing || len(r.Page) != pageBytes || bytes.Count(r.Page, []byte{0}) != pageBytes {
			t.Errorf("request %+v of %d bytes", r.Faults, len(r.Page))
		}
		return number(r)
	}}, features.PopulateRead)
	if n := resident(t, r); n != 0 {
		t.Errorf("%d pages before anybody asked", n)
	}
	for _, page := range []int{5, 5, 0, 63, 5} {
		if got, err := readNumber(r, page); got != uint64(page)+1 || err != nil {
			t.Errorf("page %d: %d, %v", page, got, err)
		}
	}
	if n := resident(t, r); n != 3 || calls.Load() != 3 {
		t.Errorf("%d pages are there, the handler was called %d times; want 3", n, calls.Load())
	}
	if n, err := r.WriteAt([]byte("written"), int64(pageBytes)+10); n != 7 || err != nil {
		t.Fatal(n, err)
	}
	b := make([]byte, 20)
	if _, err := r.ReadAt(b, int64(pageBytes)); err != nil || string(b[10:17]) != "written" || b[0] != 2 {
		t.Errorf("%q, %v", b, err)
	}
	// The end, as io.ReaderAt and io.WriterAt have it.
	if n, err := r.ReadAt(b, r.Size()-5); n != 5 || err != io.EOF {
		t.Errorf("read over the end: %d, %v", n, err)
	}
	if n, err := r.WriteAt(b, r.Size()-5); n != 0 || !errors.Is(err, io.ErrShortWrite) {
		t.Errorf("write over the end: %d, %v", n, err)
	}
	if _, err := r.ReadAt(b, -1); !errors.Is(err, os.ErrInvalid) {
		t.Errorf("negative offset: %v", err)
	}
	// Dropped pages are made anew.
	before := calls.Load()
	if err := r.Drop(0, int64(4*pageBytes)); err != nil {
		t.Fatal(err)
	}
	if got, err := readNumber(r, 1); got != 2 || err != nil || calls.Load() != before+1 {
		t.Errorf("after a drop: %d, %v, %d calls", got, err, calls.Load()-before)
	}
	if err := r.Drop(1, int64(pageBytes)); !errors.Is(err, os.ErrInvalid) {
		t.Errorf("drop of half pages: %v", err)
	}
	if _, err := r.Memory(); !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("memory to touch with a handler here: %v", err)
	}
	if err := r.Protect(0, int64(pageBytes)); !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("protect without asking for it: %v", err)
	}
}

func TestAnswersBesideTheCopy(t *testing.T) {
	given, err := unix.Mmap(-1, 0, 2*pageBytes, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANON)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Munmap(given)
	copy(given, "given")
	copy(given[pageBytes:], "moved")
	r := region(t, ServeOptions{Size: int64(8 * pageBytes), Handler: func(r *Request) error {
		copy(r.Page, "stale")
		switch r.Offset / int64(pageBytes) {
		case 0:
			r.Zero()
		case 1:
			r.Give(given[:pageBytes])
		case 2:
			r.Give(given[pageBytes:])
		case 3:
			r.Give(given[:10])
		}
		return nil
	}}, features.PopulateRead)
	for page, want := range []string{"\x00\x00\x00\x00\x00", "given", "moved"} {
		b := make([]byte, 5)
		if _, err := r.ReadAt(b, int64(page*pageBytes)); string(b) != want || err != nil {
			t.Errorf("page %d: %q, %v; want %q", page, b, err, want)
		}
	}
	if _, err := readNumber(r, 3); !errors.Is(err, os.ErrInvalid) {
		t.Errorf("a page of 10 bytes: %v", err)
	}
}

func TestWritesToProtectedPagesAreFaults(t *testing.T) {
	const pages = 16
	var mu sync.Mutex
	written := map[int64]int{}
	r := region(t, ServeOptions{Size: int64(pages * pageBytes), Faults: ServeMissing | ServeWriteProtect, Handler: func(r *Request) error {
		if r.Faults == ServeMissing {
			r.Protect()
			return number(r)
		}
		mu.Lock()
		defer mu.Unlock()
		written[r.Offset/int64(pageBytes)]++
		if r.Access != AccessWrite {
			t.Errorf("%v of a protected page", r.Access)
		}
		if r.Offset == int64(9*pageBytes) {
			return io.ErrUnexpectedEOF
		}
		return nil
	}}, features.UserfaultProtect)
	for page := range pages { // reads are not noticed
		if got, err := readNumber(r, page); got != uint64(page)+1 || err != nil {
			t.Fatalf("page %d: %d, %v", page, got, err)
		}
	}
	for range 2 { // only the first write of a page is
		for _, page := range []int{3, 7} {
			if _, err := r.WriteAt([]byte("x"), int64(page*pageBytes)+9); err != nil {
				t.Fatal(err)
			}
		}
	}
	if len(written) != 2 || written[3] != 1 || written[7] != 1 {
		t.Errorf("written: %v; want 3 and 7 once", written)
	}
	if err := r.Protect(0, r.Size()); err != nil {
		t.Fatal(err)
	}
	if _, err := r.WriteAt([]byte("x"), int64(3*pageBytes)); err != nil || written[3] != 2 {
		t.Errorf("protected again: %v, %v", err, written)
	}
	// A refused write leaves the page as it was, and readable.
	for range 2 {
		if _, err := r.WriteAt([]byte("xxxxxxxx"), int64(9*pageBytes)); !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("refused write: %v", err)
		}
		if got, err := readNumber(r, 9); got != 10 || err != nil {
			t.Errorf("page of a refused write: %d, %v", got, err)
		}
	}
}

func TestMinorFaultsShowThePageInPlace(t *testing.T) {
	const pages = 8
	var missing, minor atomic.Int64
	r := region(t, ServeOptions{Size: int64(pages * pageBytes), Faults: ServeMissing | ServeMinor, Handler: func(r *Request) error {
		if r.Faults == ServeMissing {
			missing.Add(1)
			return number(r)
		}
		minor.Add(1)
		r.Page[8]++ // seen by who touches
		return nil
	}}, features.UserfaultMinor)
	for page := range pages {
		if got, err := readNumber(r, page); got != uint64(page)+1 || err != nil {
			t.Fatalf("page %d: %d, %v", page, got, err)
		}
	}
	for range 3 {
		if err := r.Evict(0, r.Size()); err != nil {
			t.Fatal(err)
		}
		if got, err := readNumber(r, 2); got != 3 || err != nil {
			t.Fatal(got, err)
		}
	}
	b := make([]byte, 9)
	if _, err := r.ReadAt(b, int64(2*pageBytes)); b[8] != 3 || err != nil {
		t.Errorf("the handler's mark is %d, %v; want 3", b[8], err)
	}
	if missing.Load() != pages || minor.Load() != 3 {
		t.Errorf("%d missing, %d minor; want %d and 3", missing.Load(), minor.Load(), pages)
	}
	if err := r.Drop(0, r.Size()); err != nil {
		t.Fatal(err)
	}
	if got, err := readNumber(r, 2); got != 3 || err != nil || missing.Load() != pages+1 {
		t.Errorf("after a drop: %d, %v, %d missing", got, err, missing.Load())
	}
}

// refusals are the ways in which a handler can fail, and what must be found in the error.
var refusals = []struct {
	name   string
	refuse func() error
	want   string
}{
	{"error", func() error { return io.ErrUnexpectedEOF }, io.ErrUnexpectedEOF.Error()},
	{"panic", func() error { panic("told to") }, "told to"},
	{"nil dereference", func() error { return *(*error)(nil) }, "nil pointer"},
	{"end of the goroutine", func() error { runtime.Goexit(); return nil }, errHandlerEnded.Error()},
}

func TestEveryWaiterIsToldWhatBecameOfTheHandler(t *testing.T) {
	for _, tt := range refusals {
		t.Run(tt.name, func(t *testing.T) {
			const waiters = 8
			waiting := make(chan struct{})
			r := region(t, ServeOptions{Size: int64(4 * pageBytes), Workers: 2, Handler: func(r *Request) error {
				if r.Offset != 0 {
					return number(r)
				}
				<-waiting
				return tt.refuse()
			}}, features.PopulateRead)
			var wg sync.WaitGroup
			for range waiters {
				wg.Go(func() {
					_, err := readNumber(r, 0)
					if serve := new(ServeError); !errors.As(err, &serve) || !strings.Contains(err.Error(), tt.want) || serve.Offset != 0 {
						t.Errorf("waiter: %v; want %q", err, tt.want)
					}
				})
			}
			close(waiting)
			wg.Wait()
			for range 3 { // nobody who comes later waits either, and the other pages are served
				if _, err := r.WriteAt([]byte{1}, 0); !strings.Contains(fmt.Sprint(err), tt.want) {
					t.Errorf("later: %v", err)
				}
				if got, err := readNumber(r, 3); got != 4 || err != nil {
					t.Errorf("another page: %d, %v", got, err)
				}
			}
		})
	}
}

func TestDropForgetsAFailure(t *testing.T) {
	fail := true
	r := region(t, ServeOptions{Size: int64(pageBytes), Handler: func(r *Request) error {
		if fail {
			return io.ErrUnexpectedEOF
		}
		return number(r)
	}}, features.PopulateRead)
	if _, err := readNumber(r, 0); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("%v", err)
	}
	fail = false
	if err := r.Drop(0, int64(pageBytes)); err != nil {
		t.Fatal(err)
	}
	if got, err := readNumber(r, 0); got != 1 || err != nil {
		t.Errorf("%d, %v", got, err)
	}
}

func TestCloseReleasesEveryWaiter(t *testing.T) {
	const waiters = 8
	started := make(chan struct{}, waiters)
	r := region(t, ServeOptions{Size: int64(waiters * pageBytes), Workers: 3, Handler: func(r *Request) error {
		started <- struct{}{}
		<-r.Context().Done() // as a handler does whose answer comes from far away
		return r.Context().Err()
	}}, features.PopulateRead)
	var wg sync.WaitGroup
	for page := range waiters {
		wg.Go(func() {
			if _, err := readNumber(r, page); !errors.Is(err, ErrClosed) {
				t.Errorf("waiter: %v; want %v", err, ErrClosed)
			}
		})
	}
	for range 3 {
		<-started
	}
	for range 2 {
		wg.Go(func() {
			if err := r.Close(); err != nil {
				t.Errorf("close: %v", err)
			}
		})
	}
	wg.Wait()
	_, readErr := readNumber(r, 0)
	for _, err := range []error{readErr, r.Drop(0, int64(pageBytes)), r.Use(0, 1, AccessRead, nil)} {
		if !errors.Is(err, ErrClosed) {
			t.Errorf("after close: %v", err)
		}
	}
}

// TestCollectorDoesNotStopTheHandler has the collector stop the world all the time, while goroutines wait for
// pages and the handler allocates. With RING3_SOAK it is a loop of 100 with a hundred thousand faults each.
func TestCollectorDoesNotStopTheHandler(t *testing.T) {
	const goroutines = 8
	rounds, faults := 1, 20_000
	if os.Getenv("RING3_SOAK") != "" {
		rounds, faults = 100, 100_000
	}
	defer debug.SetGCPercent(debug.SetGCPercent(1))
	pages := faults / goroutines
	for range rounds {
		var garbage [][]byte
		var served atomic.Int64
		r := region(t, ServeOptions{Size: int64(goroutines * pages * pageBytes), Handler: func(r *Request) error {
			garbage = append(garbage[:len(garbage)&15], make([]byte, 4096))
			served.Add(1)
			return number(r)
		}}, features.PopulateRead)
		var wg sync.WaitGroup
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		for g := range goroutines {
			wg.Go(func() {
				for i := range pages {
					page := i*goroutines + g
					if got, err := readNumber(r, page); got != uint64(page)+1 || err != nil {
						t.Errorf("page %d: %d, %v", page, got, err)
						return
					}
				}
			})
		}
		wg.Wait()
		runtime.ReadMemStats(&after)
		if served.Load() != int64(goroutines*pages) {
			t.Errorf("%d faults served; want %d", served.Load(), goroutines*pages)
		}
		if after.NumGC == before.NumGC {
			t.Error("no collection: nothing was tested")
		}
		if err := r.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

func TestOptionsThatMakeNoSenseAreRefused(t *testing.T) {
	for name, opts := range map[string]ServeOptions{
		"no size":        {Handler: number},
		"too large":      {Size: 1 << 60, Handler: number},
		"no handler":     {Size: 1},
		"two handlers":   {Size: 1, Handler: number, Remote: new(net.UnixConn)},
		"unknown faults": {Size: 1, Handler: number, Faults: 1 << 7},
		"workers":        {Size: 1, Handler: number, Workers: -1},
	} {
		if r, err := Serve(opts); !errors.Is(err, os.ErrInvalid) {
			if err == nil {
				r.Close()
			}
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestRegionLeavesNothing(t *testing.T) {
	count := func() (fds, maps int) {
		list, _ := os.ReadDir("/proc/self/fd")
		text, _ := os.ReadFile("/proc/self/maps")
		return len(list), strings.Count(string(text), "ring3-region")
	}
	region(t, ServeOptions{Size: 1, Handler: number}, features.PopulateRead).Close()
	fds, maps := count()
	for range 10 {
		r := region(t, ServeOptions{Size: 1 << 20, Handler: number, Workers: 3, Faults: ServeMissing | ServeMinor}, features.UserfaultMinor)
		if _, err := readNumber(r, 0); err != nil {
			t.Fatal(err)
		}
		if err := r.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if f, m := count(); f != fds || m != maps {
		t.Errorf("%d descriptors and %d mappings; before %d and %d", f, m, fds, maps)
	}
}

// BenchmarkMissing is the time of a page that nobody has touched, from one read to the next.
func BenchmarkMissing(b *testing.B) {
	const pages = 1 << 14
	r := region(b, ServeOptions{Size: int64(pages * pageBytes), Handler: number}, features.PopulateRead)
	b.ReportAllocs()
	page := 0
	for b.Loop() {
		if page == pages {
			b.StopTimer()
			if err := r.Drop(0, r.Size()); err != nil {
				b.Fatal(err)
			}
			page = 0
			b.StartTimer()
		}
		if _, err := readNumber(r, page); err != nil {
			b.Fatal(err)
		}
		page++
	}
}
