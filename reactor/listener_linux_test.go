package reactor

import (
	"errors"
	"net"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func TestAcceptPausesWithoutDescriptors(t *testing.T) {
	eachDriver(t, testAcceptPausesWithoutDescriptors)
}

func testAcceptPausesWithoutDescriptors(t *testing.T, driver Driver) {
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		t.Fatal(err)
	}
	var paused atomic.Int32
	l := start(t, Options{Driver: driver, Report: func(err error) {
		if errors.Is(err, unix.EMFILE) {
			paused.Add(1)
		}
	}})
	s := serve(t, l, echoes)
	first := dial(t, s)
	say(t, first, "x")
	hear(t, first, "x")
	// The second connection's own socket is made before the limit, the other end would be beyond it.
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	// io_uring looks at the limit when it begins to accept.
	accepting := func(yes bool) {
		if err := l.driver.accept(s, yes); err != nil {
			t.Error(err)
		}
	}
	on(t, l, func() { accepting(false) })
	tight := limit
	tight.Cur = uint64(fd + 1) // numbers below fd are all taken: the lowest free one was fd
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &tight); err != nil {
		t.Fatal(err)
	}
	defer unix.Setrlimit(unix.RLIMIT_NOFILE, &limit)
	defer unix.Close(fd)
	on(t, l, func() { accepting(true) })
	port := s.Addr().(*net.TCPAddr).Port
	if err := unix.Connect(fd, &unix.SockaddrInet4{Port: port, Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		t.Fatal(err) // the kernel has made the connection; it waits to be accepted
	}
	if _, err := unix.Write(fd, []byte("patient")); err != nil {
		t.Fatal(err)
	}
	for paused.Load() == 0 {
		time.Sleep(time.Millisecond)
	}
	say(t, first, "y") // the others go on
	hear(t, first, "y")
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		t.Fatal(err)
	}
	got := make([]byte, 7)
	if n, err := unix.Read(fd, got); n != 7 || err != nil || string(got) != "patient" {
		t.Errorf("%q, %v", got[:max(n, 0)], err)
	}
	if n := paused.Load(); n > 100 {
		t.Errorf("%d attempts: accepting was not paused", n)
	}
}

func TestListenReportsWhatTheKernelSays(t *testing.T) {
	eachDriver(t, testListenReportsWhatTheKernelSays)
}

func testListenReportsWhatTheKernelSays(t *testing.T, driver Driver) {
	l := start(t, Options{Driver: driver})
	s := serve(t, l, echoes)
	for _, tt := range []struct {
		network, address string
		want             error
	}{
		{"tcp", s.Addr().String(), unix.EADDRINUSE},
		{"unix", "/nowhere/s", unix.ENOENT},
		{"udp", "127.0.0.1:0", net.UnknownNetworkError("udp")},
	} {
		if _, err := l.Listen(tt.network, tt.address, echoes); !errors.Is(err, tt.want) {
			t.Errorf("%s %s: %v; want %v", tt.network, tt.address, err, tt.want)
		}
	}
	f, err := os.CreateTemp(t.TempDir(), "")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := l.ListenFile(ListenConfig{}, f, echoes); !errors.Is(err, unix.ENOTSOCK) {
		t.Errorf("a file: %v", err)
	}
	for _, o := range []Options{{CPU: -1}, {HighWater: 1, LowWater: 2}, {HighWater: 2, WriteLimit: 1}, {Driver: 99}} {
		if _, err := New(o); err == nil {
			t.Errorf("%+v: no error", o)
		}
	}
}

func TestFileOfAListener(t *testing.T) { eachDriver(t, testFileOfAListener) }

func testFileOfAListener(t *testing.T, driver Driver) {
	l := start(t, Options{Driver: driver})
	s := serve(t, l, echoes)
	on(t, l, func() { // from a handler as well
		f, err := s.File()
		if err != nil {
			t.Error(err)
			return
		}
		f.Close()
	})
	s.Close()
	on(t, l, func() {})
	if _, err := s.File(); !errors.Is(err, ErrClosed) {
		t.Errorf("of a closed one: %v", err)
	}
	for _, listen := range []func() (*Listener, error){
		func() (*Listener, error) { return l.Listen("tcp", "127.0.0.1:0", nil) },
		func() (*Listener, error) { return l.ListenFile(ListenConfig{}, os.Stdin, nil) },
		func() (*Listener, error) { return l.ListenFile(ListenConfig{}, nil, echoes) },
	} {
		if _, err := listen(); err == nil {
			t.Error("no error")
		}
	}
}

// A socket that was handed over blocking, as one of a service manager is.
func TestListenFileOfABlockingSocket(t *testing.T) { eachDriver(t, testListenFileOfABlockingSocket) }

func testListenFileOfABlockingSocket(t *testing.T, driver Driver) {
	l := start(t, Options{Driver: driver})
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	f := os.NewFile(uintptr(fd), "listener")
	defer f.Close()
	if err := errors.Join(unix.Bind(fd, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}), unix.Listen(fd, 10)); err != nil {
		t.Fatal(err)
	}
	s, err := l.ListenFile(ListenConfig{}, f, echoes)
	if err != nil {
		t.Fatal(err)
	}
	c := dial(t, s)
	say(t, c, "x")
	hear(t, c, "x")
	on(t, l, func() {}) // it is not in accept
}

// A successor may have put its socket where ours was.
func TestUnixListenerRemovesItsOwnFileAlone(t *testing.T) {
	eachDriver(t, testUnixListenerRemovesItsOwnFileAlone)
}

func testUnixListenerRemovesItsOwnFileAlone(t *testing.T, driver Driver) {
	l := start(t, Options{Driver: driver})
	path := filepath.Join(t.TempDir(), "s")
	s, err := l.Listen("unix", path, echoes)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	successor, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer successor.Close()
	s.Close()
	on(t, l, func() {})
	if _, err := os.Stat(path); err != nil {
		t.Errorf("the successor's file: %v", err)
	}
	l.Close()
	<-l.done
	if _, err := l.Listen("unix", path+"2", echoes); !errors.Is(err, ErrClosed) {
		t.Errorf("Listen: %v", err)
	}
	if _, err := os.Stat(path + "2"); err == nil {
		t.Error("a file of a listener that there is not")
	}
}
