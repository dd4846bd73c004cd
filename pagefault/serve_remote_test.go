//go:build linux && (amd64 || arm64)

package pagefault

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"runtime/debug"
	"strings"
	"sync"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/ring3-go/ring3/internal/features"
	"github.com/ring3-go/ring3/internal/features/featuretest"
)

const remoteMarker = "ring3-serve-remote"

// remoteHandler is the other process of tests: it serves numbers, and fails as its argument says.
func remoteHandler() bool {
	if len(os.Args) != 3 || os.Args[1] != remoteMarker {
		return false
	}
	conn, err := unixConn(os.NewFile(reportFD, "connection"))
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	err = ServeRemote(conn, func(r *Request) error {
		switch {
		case r.Offset != 0 || r.Faults == ServeMinor:
		case os.Args[2] == "exit":
			os.Exit(0)
		case os.Args[2] == "block":
			<-r.Context().Done()
		default:
			for _, refusal := range refusals {
				if refusal.name == os.Args[2] {
					return refusal.refuse()
				}
			}
		}
		if r.Faults == ServeWriteProtect {
			return nil
		}
		return number(r)
	}, 2)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	return true
}

// remoteRegion makes one whose handler is another process.
func remoteRegion(t *testing.T, opts ServeOptions, how string, needs features.Feature) *Region {
	t.Helper()
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	theirs := os.NewFile(uintptr(pair[1]), "theirs")
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(exe, remoteMarker, how)
	cmd.ExtraFiles, cmd.Stderr = []*os.File{theirs}, os.Stderr
	err = cmd.Start()
	theirs.Close()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := cmd.Wait(); err != nil && how != "exit" && !t.Skipped() {
			t.Errorf("handler's process: %v", err)
		}
	})
	if opts.Remote, err = unixConn(os.NewFile(uintptr(pair[0]), "ours")); err != nil {
		t.Fatal(err)
	}
	defer func() {
		if t.Skipped() {
			opts.Remote.Close()
		}
	}()
	return region(t, opts, needs)
}

func TestRemoteHandlerServesTheMemoryItself(t *testing.T) {
	const pages = 512
	r := remoteRegion(t, ServeOptions{Size: int64(pages * pageBytes)}, "serve", features.Userfault)
	memory, err := r.Memory()
	if err != nil {
		t.Fatal(err)
	}
	defer debug.SetGCPercent(debug.SetGCPercent(1))
	var wg sync.WaitGroup
	for g := range 4 {
		wg.Go(func() {
			var garbage []byte
			for page := g; page < pages; page += 4 {
				var b [8]byte
				copy(b[:], memory[page*pageBytes:]) // the way that stands still with a handler here
				if got := binary.NativeEndian.Uint64(b[:]); got != uint64(page)+1 {
					t.Errorf("page %d: %d", page, got)
				}
				garbage = make([]byte, 1<<16)
			}
			_ = garbage
		})
	}
	wg.Wait()
	if n := resident(t, r); n != pages {
		t.Errorf("%d pages are there; want %d", n, pages)
	}
	if got, err := readNumber(r, 7); got != 8 || err != nil {
		t.Errorf("%d, %v", got, err)
	}
}

func TestRemoteHandlerServesMinorFaultsAndWrites(t *testing.T) {
	r := remoteRegion(t, ServeOptions{Size: int64(4 * pageBytes), Faults: ServeMissing | ServeMinor}, "serve", features.UserfaultMinor)
	for range 2 {
		if got, err := readNumber(r, 2); got != 3 || err != nil {
			t.Errorf("%d, %v", got, err)
		}
		if err := r.Evict(0, r.Size()); err != nil {
			t.Fatal(err)
		}
	}
	w := remoteRegion(t, ServeOptions{Size: int64(4 * pageBytes), Faults: ServeMissing | ServeWriteProtect}, "serve", features.UserfaultProtect)
	if _, err := readNumber(w, 2); err != nil {
		t.Fatal(err)
	}
	if err := w.Protect(0, w.Size()); err != nil {
		t.Fatal(err)
	}
	if _, err := w.WriteAt([]byte{9}, int64(2*pageBytes)); err != nil {
		t.Fatal(err)
	}
	if got, err := readNumber(w, 2); got != 9 || err != nil {
		t.Errorf("%d, %v", got, err)
	}
}

func TestEveryWaiterIsToldWhatBecameOfTheRemoteHandler(t *testing.T) {
	want := map[string]string{"exit": ErrHandlerGone.Error(), "block": ErrClosed.Error()}
	for _, tt := range refusals {
		want[tt.name] = tt.want
	}
	for how, want := range want {
		t.Run(how, func(t *testing.T) {
			r := remoteRegion(t, ServeOptions{Size: int64(4 * pageBytes)}, how, features.Userfault)
			if got, err := readNumber(r, 1); got != 2 || err != nil {
				t.Fatalf("another page: %d, %v", got, err)
			}
			var wg sync.WaitGroup
			for range 8 {
				wg.Go(func() {
					if _, err := readNumber(r, 0); !strings.Contains(fmt.Sprint(err), want) {
						t.Errorf("waiter: %v; want %q", err, want)
					}
				})
			}
			if how == "block" {
				if err := r.Close(); err != nil {
					t.Error(err)
				}
			}
			wg.Wait()
			_, err := r.WriteAt([]byte{1}, 0)
			if !strings.Contains(fmt.Sprint(err), want) {
				t.Errorf("later: %v; want %q", err, want)
			}

		})
	}
}

func TestRemoteHandlerIsAnotherProcess(t *testing.T) {
	for name, serve := range map[string]func(*net.UnixConn){
		"this one": func(c *net.UnixConn) { _ = ServeRemote(c, number, 1) },
		"nobody":   func(c *net.UnixConn) { c.Close() },
		"a stranger": func(c *net.UnixConn) {
			b, oob := make([]byte, 1000), make([]byte, 1000)
			_, n, _, _, _ := c.ReadMsgUnix(b, oob)
			fds, _ := descriptors(oob[:n])
			for _, fd := range fds {
				unix.Close(fd)
			}
			io.WriteString(c, "HTTP/1.1 400 Bad Request\r\n\r\n")
			c.Close()
		},
	} {
		t.Run(name, func(t *testing.T) {
			ours, theirs := connected(t)
			done := make(chan struct{})
			go func() { serve(theirs); close(done) }()
			r, err := Serve(ServeOptions{Size: 1 << 20, Remote: ours})
			if err == nil {
				r.Close()
				t.Error("made a region")
			} else if errors.Is(err, errors.ErrUnsupported) {
				ours.Close()
				featuretest.Skip(t, features.Userfault, err)
			}
			<-done
		})
	}
	ours, theirs := connected(t)
	io.WriteString(ours, "no offer at all")
	if err := ServeRemote(theirs, number, 1); !errors.Is(err, os.ErrInvalid) {
		t.Errorf("no offer: %v", err)
	}
	ours.Close()
}

// TestRemoteRegionLeavesNothing counts descriptors around regions that were
// closed, whose handler was gone, and that never came to be.
func TestRemoteRegionLeavesNothing(t *testing.T) {
	count := func() int {
		list, err := os.ReadDir("/proc/self/fd")
		if err != nil {
			t.Fatal(err)
		}
		return len(list)
	}
	once := func(t *testing.T) {
		for _, how := range []string{"serve", "exit"} {
			t.Run(how, func(t *testing.T) {
				r := remoteRegion(t, ServeOptions{Size: int64(4 * pageBytes), Faults: ServeMissing | ServeMinor}, how, features.UserfaultMinor)
				if _, err := readNumber(r, 0); (err == nil) != (how == "serve") {
					t.Error(err)
				}
			})
		}
		ours, theirs := connected(t)
		theirs.Close()
		if r, err := Serve(ServeOptions{Size: 1, Remote: ours}); err == nil {
			r.Close()
			t.Error("made a region with nobody")
		}
	}
	once(t)
	before := count()
	for range 5 {
		once(t)
	}
	if after := count(); after != before {
		t.Errorf("%d descriptors; before %d", after, before)
	}
}

// connected makes both ends of a connection here.
func connected(t *testing.T) (ours, theirs *net.UnixConn) {
	t.Helper()
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	for i, c := range []**net.UnixConn{&ours, &theirs} {
		if *c, err = unixConn(os.NewFile(uintptr(pair[i]), "end")); err != nil {
			t.Fatal(err)
		}
	}
	return ours, theirs
}
