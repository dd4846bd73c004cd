package iouring

import (
	"net/netip"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/ring3-go/ring3/syscalls"
)

func TestFlagsOfSendsReceivesAndAccepts(t *testing.T) {
	eachKind(t, func(t *testing.T, r *Ring) {
		client, server := tcp(t)
		b := make([]byte, 4)
		tok := start(t, r, func(e Entry) error {
			must(t, e.SetSendRecvFlags(syscalls.IORING_RECVSEND_POLL_FIRST))
			return e.Recv(server.fd, b, unix.MSG_WAITALL)
		})
		client.write("ab")
		none(t, r) // not all is there
		client.write("cd")
		if c := next(t, r); c.Token != tok || c.Res != 4 || string(b) != "abcd" {
			t.Fatalf("%v, %q", c, b)
		}
		l, _ := listener(t)
		k := running(t)
		c := do(t, r, func(e Entry) error {
			if k.Release.Major == 6 && k.Release.Minor < 10 {
				return e.Accept(-1, nil, 0)
			}
			must(t, e.SetAcceptFlags(syscalls.IORING_ACCEPT_DONTWAIT))
			return e.Accept(l.fd, nil, 0)
		})
		if c.Err() != unix.EAGAIN && c.Err() != unix.EBADF {
			t.Errorf("accept without a connection: %v", c)
		}
	})
}

// TestANotificationSaysWhetherItWasACopy sends over the loopback interface, where it always is one.
func TestANotificationSaysWhetherItWasACopy(t *testing.T) {
	r := newRing(t, Options{})
	client, server := tcp(t)
	c := do(t, r, func(e Entry) error { return e.SendZC(client.fd, []byte("x"), 0, syscalls.IORING_SEND_ZC_REPORT_USAGE) })
	if c.Err() != nil {
		missing(t, 6, 2, c.Err())
	}
	server.read()
	c = next(t, r)
	if !c.Notification() || uint32(c.Res)&syscalls.IORING_NOTIF_USAGE_ZC_COPIED == 0 || c.Err() != nil {
		t.Error(c)
	}
}

// TestLevelTriggeredPollsAreRefused says when that changes: then the flag gets a test of what it does.
func TestLevelTriggeredPollsAreRefused(t *testing.T) {
	r := newRing(t, Options{})
	_, w := pipe(t)
	failed(t, do(t, r, func(e Entry) error {
		return e.PollMultishot(w.fd, unix.POLLIN, syscalls.IORING_POLL_ADD_LEVEL)
	}), unix.EINVAL)
}

func TestAMultishotTimeoutEndsAfterItsNumber(t *testing.T) {
	r := newRing(t, Options{})
	tok := start(t, r, func(e Entry) error { return e.Timeout(time.Millisecond, 3, syscalls.IORING_TIMEOUT_MULTISHOT) })
	for i := range 3 {
		c := next(t, r)
		if c.Err() == unix.EINVAL {
			missing(t, 6, 4, c.Err())
		}
		if c.Token != tok || c.Err() != unix.ETIME || c.More() != (i < 2) {
			t.Fatalf("%d: %v", i, c)
		}
	}
	none(t, r)
}

func TestPrioritiesOfReads(t *testing.T) {
	r := newRing(t, Options{})
	f := file(t, "x")
	read := func(priority uint16) Completion {
		return do(t, r, func(e Entry) error {
			must(t, e.SetPriority(priority))
			return e.Read(f.fd, make([]byte, 1), 0)
		})
	}
	const bestEffort, none = 2 << 13, 7 << 13
	result(t, read(bestEffort|4), 1)
	failed(t, read(none), unix.EINVAL) // no such class
}

func TestAddressesOfVersion6(t *testing.T) {
	at := netip.MustParseAddrPort("[fe80::1%3]:80")
	a := AddressOf(at)
	if a.Family() != unix.AF_INET6 || a.AddrPort() != at { // with the zone, or there is no way back
		t.Errorf("%v", a.AddrPort())
	}
	fd, err := unix.Socket(unix.AF_INET6, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Skipf("no IPv6: %v", err)
	}
	s := newEnd(t, fd, err)
	r := newRing(t, Options{})
	c := do(t, r, func(e Entry) error { return e.Connect(s.fd, AddressOf(netip.MustParseAddrPort("[::1]:1"))) })
	if c.Err() != unix.ECONNREFUSED && c.Err() != unix.EADDRNOTAVAIL { // nobody listens, or there is no loopback address
		t.Error(c)
	}
}
