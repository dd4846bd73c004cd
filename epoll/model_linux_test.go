package epoll

import (
	"errors"
	"slices"
	"testing"

	"golang.org/x/sys/unix"

	"pgregory.net/rapid"
)

// The model: socket pairs that come and go, in any order with their registrations. After each step the poller
// must report exactly what poll(2) says of the descriptors that are registered, and nothing of others.
type model struct {
	p     *Poller
	ends  []*modelEnd
	stale []Token
	spare []int // duplicates, which keep files open whose descriptors are closed
}

type modelEnd struct {
	fd, peer int
	tok      Token // 0: not registered
	events   Events
	fired    bool // a one-shot that is disabled
}

func TestPollerAgreesWithPoll(t *testing.T) {
	before := descriptors(t)
	rapid.Check(t, func(t *rapid.T) {
		p, err := New()
		if err != nil {
			t.Fatal(err)
		}
		m := &model{p: p}
		defer m.closeAll(t)
		t.Repeat(map[string]func(*rapid.T){
			"open":                 m.open,
			"add":                  m.add,
			"modify":               m.modify,
			"remove":               m.remove,
			"write":                m.write,
			"drain":                m.drain,
			"shut down":            m.shutdown,
			"remove and close":     m.removeAndClose,
			"close without remove": m.closeWithoutRemove,
			"":                     m.check,
		})
	})
	if after := descriptors(t); !slices.Equal(before, after) {
		t.Errorf("descriptors before: %v; after: %v", before, after)
	}
}

func (m *model) closeAll(t *rapid.T) {
	if err := m.p.Close(); err != nil {
		t.Error(err)
	}
	for _, e := range m.ends {
		unix.Close(e.fd)
		unix.Close(e.peer)
	}
	for _, fd := range m.spare {
		unix.Close(fd)
	}
}

// pick returns an end for which ok holds, or nil where there is none.
func (m *model) pick(t *rapid.T, ok func(*modelEnd) bool) *modelEnd {
	var fit []*modelEnd
	for _, e := range m.ends {
		if ok(e) {
			fit = append(fit, e)
		}
	}
	if len(fit) == 0 {
		return nil
	}
	return rapid.SampledFrom(fit).Draw(t, "end")
}

func registered(e *modelEnd) bool { return e.tok != 0 }
func anyEnd(*modelEnd) bool       { return true }

func drawEvents(t *rapid.T) Events {
	e := rapid.SampledFrom([]Events{0, In, Out, In | Out, In | RdHup, Pri}).Draw(t, "conditions")
	return e | rapid.SampledFrom([]Events{0, 0, EdgeTriggered, OneShot, OneShot | EdgeTriggered}).Draw(t, "mode")
}

func (m *model) open(t *rapid.T) {
	if len(m.ends) > 8 {
		return
	}
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		t.Fatal(err)
	}
	m.ends = append(m.ends, &modelEnd{fd: fds[0], peer: fds[1]})
}

func (m *model) add(t *rapid.T) {
	e := m.pick(t, anyEnd)
	if e == nil {
		return
	}
	events := drawEvents(t)
	tok, err := m.p.Add(e.fd, events)
	if e.tok != 0 {
		if !errors.Is(err, unix.EEXIST) {
			t.Fatalf("Add of what is there: %v", err)
		}
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	if slices.Contains(m.stale, tok) {
		t.Fatalf("token %v was another's", tok)
	}
	e.tok, e.events, e.fired = tok, events, false
}

func (m *model) modify(t *rapid.T) {
	e := m.pick(t, registered)
	if e == nil {
		return
	}
	events := drawEvents(t)
	if err := m.p.Modify(e.tok, events); err != nil {
		t.Fatal(err)
	}
	e.events, e.fired = events, false
}

func (m *model) remove(t *rapid.T) {
	e := m.pick(t, registered)
	if e == nil {
		return
	}
	if err := m.p.Remove(e.tok); err != nil {
		t.Fatal(err)
	}
	m.forget(e)
}

func (m *model) forget(e *modelEnd) {
	if e.tok != 0 {
		m.stale = append(m.stale, e.tok)
		e.tok = 0
	}
}

func (m *model) write(t *rapid.T) {
	e := m.pick(t, anyEnd)
	if e == nil {
		return
	}
	unix.Write(e.peer, []byte("x")) // EPIPE where it was shut down
}

func (m *model) drain(t *rapid.T) {
	e := m.pick(t, anyEnd)
	if e == nil {
		return
	}
	unix.Read(e.fd, make([]byte, 4096))
}

func (m *model) shutdown(t *rapid.T) {
	e := m.pick(t, anyEnd)
	if e == nil {
		return
	}
	unix.Shutdown(rapid.SampledFrom([]int{e.fd, e.peer}).Draw(t, "which"), unix.SHUT_WR)
}

func (m *model) drop(e *modelEnd) {
	unix.Close(e.fd)
	unix.Close(e.peer)
	m.ends = slices.DeleteFunc(m.ends, func(x *modelEnd) bool { return x == e })
}

func (m *model) removeAndClose(t *rapid.T) {
	e := m.pick(t, registered)
	if e == nil {
		return
	}
	if err := m.p.Remove(e.tok); err != nil {
		t.Fatal(err)
	}
	m.forget(e)
	m.drop(e)
}

// closeWithoutRemove is what a user of the Poller must not do, with and without a duplicate of the descriptor.
func (m *model) closeWithoutRemove(t *rapid.T) {
	e := m.pick(t, registered)
	if e == nil {
		return
	}
	if rapid.Bool().Draw(t, "duplicate") {
		if fd, err := unix.FcntlInt(uintptr(e.fd), unix.F_DUPFD_CLOEXEC, 100); err == nil {
			m.spare = append(m.spare, fd)
		}
	}
	tok := e.tok
	m.drop(e)
	m.forget(e)
	if err := m.p.Remove(tok); err == nil {
		t.Fatal("Remove after close succeeded")
	}
}

// check compares with poll(2).
func (m *model) check(t *rapid.T) {
	events := make([]Event, 32)
	n, err := m.p.Wait(events, 0)
	if err != nil {
		t.Fatal(err)
	}
	reported := make(map[Token]Events)
	for i := range events[:n] {
		reported[events[i].Token()] = events[i].Events()
	}
	for _, e := range m.ends {
		if e.tok == 0 {
			continue
		}
		got, seen := reported[e.tok]
		delete(reported, e.tok)
		want := pollOnce(t, e.fd, e.events)
		switch {
		case e.fired && seen:
			t.Fatalf("%v: reported %v after its one shot", e.tok, got)
		case seen && got != want:
			t.Fatalf("%v: reported %v; poll has %v", e.tok, got, want)
		case !seen && want != 0 && !e.fired && e.events&EdgeTriggered == 0:
			t.Fatalf("%v: nothing reported; poll has %v", e.tok, want)
		}
		e.fired = e.fired || seen && e.events&OneShot != 0
	}
	if len(reported) > 0 {
		t.Fatalf("events of nobody: %v", reported)
	}
}

func pollOnce(t *rapid.T, fd int, events Events) Events {
	const conditions = In | Pri | Out | RdHup // the numbers are the same for both calls
	fds := []unix.PollFd{{Fd: int32(fd), Events: int16(events & conditions)}}
	if _, err := unix.Poll(fds, 0); err != nil {
		t.Fatal(err)
	}
	return Events(uint16(fds[0].Revents))
}
