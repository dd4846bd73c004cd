package mmu

import (
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"os/signal"
	"runtime"
	"runtime/pprof"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// touch accesses addr in each way that changes nothing, and stores where nothing can be mapped. It returns how
// many accesses there were.
func touch(t testing.TB, addr uintptr) int64 {
	t.Helper()
	var g Guarded
	var buf [100]byte
	_, err8 := g.Load8(addr)
	_, err64 := g.Load64(addr)
	n, errRead := g.Read(buf[:], addr)
	_, errCompare := g.Compare(addr, addr+1, 100)
	errs := []error{err8, err64, errRead, errCompare}
	if addr>>56 != 0 && addr>>56 != 0xff || addr>>63 != 0 {
		errs = append(errs, g.Store8(addr, 1), g.Store64(addr, 1))
		if errs[4] == nil || errs[5] == nil {
			if runtime.GOARCH != "arm64" { // which ignores the top byte
				t.Errorf("stored at %#x", addr)
			}
		}
	}
	for _, err := range errs {
		var fault *Fault
		if err == nil {
			continue
		}
		if !errors.As(err, &fault) || fault.Signal != unix.SIGSEGV && fault.Signal != unix.SIGBUS || fault.Code <= 0 {
			t.Fatalf("%#x: %v", addr, err)
		}
	}
	if (errRead == nil) != (n == len(buf)) {
		t.Errorf("%#x: read %d, %v", addr, n, errRead)
	}
	return int64(len(errs))
}

// anyAddress is a random one, more often than not where something is likely to happen: near an edge of the
// address space, or within a gibibyte of a mapping of ours.
func anyAddress(r *rand.Rand, near uintptr) uintptr {
	v := uintptr(r.Uint64())
	switch r.IntN(6) {
	case 0:
		return v
	case 1:
		return v >> r.IntN(64)
	case 2:
		return 1<<47 + v%(64<<10) - 32<<10
	case 3:
		return -(v % (64 << 10))
	case 4:
		return near + v%(1<<31) - 1<<30
	}
	return v % (1 << 47)
}

// TestRandomAddresses is the guard under all that disturbs it: profiles take signals, others wait for signals,
// the garbage collector stops everybody, goroutines move from thread to thread.
func TestRandomAddresses(t *testing.T) {
	if err := pprof.StartCPUProfile(io.Discard); err != nil {
		t.Logf("without a profile: %v", err)
	}
	defer pprof.StopCPUProfile()
	signals := make(chan os.Signal, 1)
	signal.Notify(signals)
	defer signal.Stop(signals)

	b := pages(t, 1)
	var done atomic.Bool
	var addresses, accesses atomic.Int64
	var work sync.WaitGroup
	for i := range 4 {
		work.Go(func() {
			if i == 0 {
				runtime.LockOSThread()
			}
			r := rand.New(rand.NewPCG(uint64(i), rand.Uint64()))
			for !done.Load() {
				for range 100 {
					accesses.Add(touch(t, anyAddress(r, address(b))))
				}
				const plain = 10_000
				for range plain {
					addr := anyAddress(r, address(b))
					if _, err := (Guarded{}).Load64(addr); err != nil && !errors.Is(err, ErrFault) {
						t.Errorf("%#x: %v", addr, err)
					}
				}
				accesses.Add(plain)
				addresses.Add(plain + 100)
				grow(r.IntN(64)) // stacks move
			}
		})
	}
	for end := time.Now().Add(soak(t)); time.Now().Before(end); {
		runtime.GC()
		time.Sleep(time.Millisecond) // so that others get some work done in between
	}
	done.Store(true)
	work.Wait()
	t.Logf("%d accesses to %d addresses", accesses.Load(), addresses.Load())
}

//go:noinline
func grow(depth int) byte {
	var frame [1024]byte
	if depth > 0 {
		frame[depth] = grow(depth - 1)
	}
	return frame[depth]
}

// TestTruncatingWriter reads and writes a file through a mapping while somebody cuts it and lets it grow.
func TestTruncatingWriter(t *testing.T) {
	const length = 8
	f := memfd(t, int64(length*pageSize))
	b := mapped(t, int(f.Fd()), length*pageSize, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	var done atomic.Bool
	var work sync.WaitGroup
	work.Go(func() {
		for r := rand.New(rand.NewPCG(1, 1)); !done.Load(); {
			if err := f.Truncate(int64(r.IntN(length*pageSize + 1))); err != nil {
				t.Error(err)
			}
		}
	})
	var faults, whole atomic.Int64
	for range 2 {
		work.Go(func() {
			var g Guarded
			p := make([]byte, length*pageSize)
			for !done.Load() {
				n, err := g.Read(p, address(b))
				m, err2 := g.Copy(address(b)+uintptr(len(b)/2), address(b), len(b)/2)
				k, err3 := g.Zero(address(b), len(b))
				_, err4 := g.Compare(address(b), address(p), len(b))
				for _, err := range []error{err, err2, err3, err4} {
					var fault *Fault
					if err == nil {
						whole.Add(1)
						continue
					}
					faults.Add(1)
					if !errors.As(err, &fault) || fault.Signal != unix.SIGBUS || fault.Code != CodeBeyondFile || fault.Addr-address(b) >= uintptr(len(b)) {
						t.Errorf("%v; want SIGBUS in the file", err)
					}
				}
				if (err == nil) != (n == len(p)) || (err2 == nil) != (m == len(b)/2) || (err3 == nil) != (k == len(b)) {
					t.Errorf("%d %v, %d %v, %d %v", n, err, m, err2, k, err3)
				}
			}
			runtime.KeepAlive(p)
		})
	}
	time.Sleep(soak(t)) // how long to keep at it; nothing is waited for
	done.Store(true)
	work.Wait()
	t.Logf("%d accesses to the end, %d faults", whole.Load(), faults.Load())
	if faults.Load() == 0 {
		t.Error("no fault: the file was never short")
	}
}

func FuzzAddresses(f *testing.F) {
	for _, addr := range []uint64{0, 4095, 1 << 47, 1<<47 - 4096, 1 << 56, 1 << 63, ^uint64(0)} {
		f.Add(addr)
	}
	f.Fuzz(func(t *testing.T, addr uint64) { touch(t, uintptr(addr)) })
}
