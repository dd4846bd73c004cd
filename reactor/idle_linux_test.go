package reactor

import (
	"errors"
	"io"
	"net"
	"runtime"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// connectMany makes connections to a listener, by the kernel's calls alone, and closes them at the end: 10,000, or as
// many as descriptors are allowed for both ends. Each has been echoed a byte.
func connectMany(t testing.TB, s *Listener) int {
	t.Helper()
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		t.Fatal(err)
	}
	const others = 100
	n := 10_000
	if limit.Cur < uint64(2*n+others) {
		n = max((int(limit.Cur)-others)/2, 1)
	}
	port := s.Addr().(*net.TCPAddr).Port
	fds := make([]int, 0, n)
	t.Cleanup(func() {
		for _, fd := range fds {
			unix.Close(fd)
		}
	})
	b := []byte{'x'}
	for range n {
		fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			t.Fatal(err)
		}
		fds = append(fds, fd)
		err = errors.Join(unix.Connect(fd, &unix.SockaddrInet4{Port: port, Addr: [4]byte{127, 0, 0, 1}}),
			unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &unix.Timeval{Sec: int64(patience / time.Second)}))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := unix.Write(fd, b); err != nil {
			t.Fatal(err)
		}
		got, err := unix.Read(fd, b)
		for err == unix.EINTR { // with a timeout the kernel does not go on after a signal by itself
			got, err = unix.Read(fd, b)
		}
		if got != 1 {
			t.Fatalf("a connection got no answer: %v", err)
		}
	}
	return n
}

// Connections that say nothing cost nothing: the thread of their loop sleeps once, and for good.
func TestIdleConnectionsCostNoTime(t *testing.T) { eachDriver(t, testIdleConnectionsCostNoTime) }

func testIdleConnectionsCostNoTime(t *testing.T, driver Driver) {
	l := start(t, Options{Driver: driver})
	n := connectMany(t, serve(t, l, echoes))
	var before, after unix.Rusage
	on(t, l, func() { unix.Getrusage(unix.RUSAGE_THREAD, &before) })
	const idle = 200 * time.Millisecond
	time.Sleep(idle) // that nothing happens is the point
	on(t, l, func() { unix.Getrusage(unix.RUSAGE_THREAD, &after) })
	used := time.Duration(after.Utime.Nano() + after.Stime.Nano() - before.Utime.Nano() - before.Stime.Nano())
	switches := after.Nvcsw - before.Nvcsw
	t.Logf("%d connections, idle for %v: %v of processor time, %d voluntary switches", n, idle, used, switches)
	// It goes to sleep after the first question; waking for the second, and giving the processor to the collector
	// now and then, are the rest.
	if switches > 5 {
		t.Errorf("%d voluntary switches of a thread that had nothing to do", switches)
	}
	if used > idle/20 {
		t.Errorf("%v of processor time in %v of idleness", used, idle)
	}
}

// What a connection that does nothing takes of the heap.
func BenchmarkIdleConnection(b *testing.B) {
	l := start(b, Options{})
	s := serve(b, l, echoes)
	heap := func() int64 {
		var m runtime.MemStats
		runtime.GC()
		runtime.GC()
		runtime.ReadMemStats(&m)
		return int64(m.HeapAlloc)
	}
	from := heap()
	n := connectMany(b, s)
	on(b, l, func() {})
	used := float64(heap()-from) / float64(n)
	for b.Loop() { // the memory is the figure
	}
	b.ReportMetric(used, "heap-B/conn")
	b.ReportMetric(float64(n), "conns")
	b.ReportMetric(0, "ns/op") // no time is meant
}

// Requests that are answered allocate nothing, by the count of the allocator: neither the loop nor the standard
// library's end of the connections.
func TestRequestsAllocateNothing(t *testing.T) { eachDriver(t, testRequestsAllocateNothing) }

func testRequestsAllocateNothing(t *testing.T, driver Driver) {
	const rounds, conns = 300, 8
	l := start(t, Options{Driver: driver})
	s := serve(t, l, echoes)
	all := make([]net.Conn, conns)
	for i := range all {
		all[i] = dial(t, s)
	}
	b := make([]byte, 128)
	exchange := func() {
		for range rounds {
			for _, c := range all {
				if _, err := c.Write(b); err != nil {
					t.Fatal(err)
				}
			}
			for _, c := range all {
				if _, err := io.ReadFull(c, b); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	exchange()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	exchange()
	runtime.ReadMemStats(&after)
	if n := after.Mallocs - before.Mallocs; n > rounds {
		t.Errorf("%d allocations for %d requests", n, rounds*conns)
	}
}
