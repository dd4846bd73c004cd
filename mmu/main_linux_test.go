package mmu

import (
	"os"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// The first argument makes this binary something else than its tests: a process that makes a bad access, one that
// makes it guarded where a handler takes no siginfo_t, one that copies until a signal comes, or one that says a byte and waits for the end of its input.
const (
	asVictim  = "ring3-victim"
	asForeign = "ring3-foreign"
	asCopier  = "ring3-copier"
	asWaiting = "ring3-waiting"
)

func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == asVictim {
		victim(os.Args[2], os.Args[3])
		os.Exit(0)
	}
	if len(os.Args) > 1 && os.Args[1] == asForeign {
		foreign()
		os.Exit(0)
	}
	if len(os.Args) > 1 && os.Args[1] == asCopier {
		copier()
		os.Exit(0)
	}
	if len(os.Args) > 1 && os.Args[1] == asWaiting {
		os.Stdout.Write([]byte{0})
		unix.Read(0, make([]byte, 1))
		os.Exit(0)
	}
	os.Exit(m.Run())
}

var pageSize = os.Getpagesize()

// soak is how long a test of endurance takes: RING3_SOAK=10s, or a moment.
func soak(t *testing.T) time.Duration {
	t.Helper()
	text := os.Getenv("RING3_SOAK")
	if text == "" {
		return 300 * time.Millisecond
	}
	d, err := time.ParseDuration(text)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// pages maps anonymous memory until the test ends.
func pages(t testing.TB, n int) []byte {
	t.Helper()
	return mapped(t, -1, n*pageSize, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANON)
}

func mapped(t testing.TB, fd, size, prot, flags int) []byte {
	t.Helper()
	b, err := unix.Mmap(fd, 0, size, prot, flags)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Munmap(b) })
	return b
}

// memfd is a file in memory, until the test ends.
func memfd(t testing.TB, size int64) *os.File {
	t.Helper()
	fd, err := unix.MemfdCreate("ring3-test", unix.MFD_CLOEXEC|unix.MFD_ALLOW_SEALING)
	if err != nil {
		t.Fatal(err)
	}
	f := os.NewFile(uintptr(fd), "ring3-test")
	t.Cleanup(func() { f.Close() })
	if err := f.Truncate(size); err != nil {
		t.Fatal(err)
	}
	return f
}
