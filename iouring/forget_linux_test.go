package iouring

import (
	"runtime"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// TestProvidedBuffersAreKeptWhereNumbersComeTwice gives the kernel the same number for two buffers. It uses up the first
// one first, which must then be memory of nobody else's.
func TestProvidedBuffersAreKeptWhereNumbersComeTwice(t *testing.T) {
	const size, n = 1 << 10, 64
	r := newRing(t, Options{Entries: 2 * n})
	collected := make(chan struct{}, 2*n)
	for range 2 * n {
		b := make([]byte, size)
		runtime.SetFinalizer(&b[0], func(*byte) { collected <- struct{}{} })
		result(t, do(t, r, func(e Entry) error { return e.ProvideBuffers(b, size, 1, 1, 7) }), 0)
	}
	for range 5 {
		runtime.GC()
		time.Sleep(time.Millisecond) // finalizers have a goroutine
	}
	if len(collected) > 0 {
		t.Fatalf("%d of %d buffers that the kernel has were collected", len(collected), 2*n)
	}
	a, b := socketpair(t, unix.SOCK_DGRAM)
	for range 2 * n {
		a.write("data")
		result(t, do(t, r, func(e Entry) error {
			must(t, e.SetBufferGroup(1))
			return e.Recv(b.fd, nil, 0)
		}), 4)
	}
}
