package iouring

import (
	"encoding/binary"
	"hash/crc32"
	"math"
	"math/rand/v2"
	"os"
	"runtime"
	"runtime/debug"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// soakEnv is for how long each of these tests runs, as time.ParseDuration has it: a blink in a test, minutes in a
// soak.
const soakEnv = "RING3_SOAK"

func soak(t *testing.T) time.Duration {
	t.Helper()
	text, ok := os.LookupEnv(soakEnv)
	if !ok && testing.Short() {
		return 200 * time.Millisecond
	}
	if !ok {
		return time.Second
	}
	d, err := time.ParseDuration(text)
	must(t, err)
	return d
}

// hammer collects garbage all the time and fills what was freed with poison, until the test ends. A write of the
// kernel's into freed memory then hits poison, and a read of it sends some.
func hammer(t *testing.T) {
	t.Helper()
	old := debug.SetGCPercent(1)
	var stop atomic.Bool
	done := make(chan struct{})
	go func() {
		defer close(done)
		kept := make([][]byte, 1024)
		random := rand.New(rand.NewPCG(3, 4))
		for i := 0; !stop.Load(); i++ {
			at := random.IntN(len(kept))
			for _, b := range kept[at] {
				if b != poison {
					t.Errorf("memory that nobody gave away has %#x", b)
					return
				}
			}
			kept[at] = poisoned(8 << random.IntN(11))
			if i%64 == 0 {
				runtime.GC()
			}
		}
	}()
	t.Cleanup(func() {
		stop.Store(true)
		<-done
		debug.SetGCPercent(old)
	})
}

const poison = 0xdb

func poisoned(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = poison
	}
	return b
}

// A packet is a length, a checksum and as much data, which the checksum is of.
const packetHead = 8

func packet(random *rand.Rand) []byte {
	b := make([]byte, packetHead+random.IntN(3000))
	for i := packetHead; i < len(b); i++ {
		b[i] = byte(random.Uint32())
	}
	binary.NativeEndian.PutUint32(b, uint32(len(b)))
	binary.NativeEndian.PutUint32(b[4:], crc32.ChecksumIEEE(b[packetHead:]))
	return b
}

func intact(b []byte) bool {
	return len(b) >= packetHead && int(binary.NativeEndian.Uint32(b)) == len(b) &&
		binary.NativeEndian.Uint32(b[4:]) == crc32.ChecksumIEEE(b[packetHead:])
}

// A churn is a ring with socket pairs, through which it sends itself packets; nothing but the ring refers to most of
// their memory.
type churn struct {
	t       *testing.T
	r       *Ring
	random  *rand.Rand
	pairs   [][2]int
	pending map[Token]*[]byte // receives whose data is looked at; of others only the ring knows
	packets int
	drops   int
}

// TestMemoryOutlivesItsOperations sends and receives while the collector runs all the time, drops operations, closes
// sockets under them, and closes the ring in the middle.
func TestMemoryOutlivesItsOperations(t *testing.T) {
	for _, k := range kinds[:2] {
		t.Run(k.name, func(t *testing.T) {
			hammer(t)
			packets, drops, rings := 0, 0, 0
			for until := time.Now().Add(soak(t)); time.Now().Before(until) && !t.Failed(); rings++ {
				c := &churn{t: t, r: newRing(t, k.options), random: rand.New(rand.NewPCG(uint64(rings), 9)), pending: make(map[Token]*[]byte)}
				for range 200 {
					c.step()
				}
				must(t, c.r.Close()) // whatever is in flight
				for _, p := range c.pairs {
					unix.Close(p[0])
					unix.Close(p[1])
				}
				packets, drops = packets+c.packets, drops+c.drops
			}
			t.Logf("%d rings, %d packets, %d dropped operations", rings, packets, drops)
			if packets == 0 || drops == 0 {
				t.Error("nothing happened")
			}
		})
	}
}

func (c *churn) step() {
	if len(c.pairs) < 8 {
		fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
		must(c.t, err)
		c.pairs = append(c.pairs, fds)
	}
	for range c.random.IntN(8) {
		c.begin(c.pairs[c.random.IntN(len(c.pairs))])
	}
	if c.random.IntN(8) == 0 {
		runtime.GC() // and then the hammer takes what was freed
	}
	if c.random.IntN(40) == 0 { // under the operations that wait for it
		i := c.random.IntN(len(c.pairs))
		unix.Close(c.pairs[i][0])
		unix.Close(c.pairs[i][1])
		c.pairs = append(c.pairs[:i], c.pairs[i+1:]...)
	}
	if _, err := c.r.SubmitAndWait(1, time.Duration(c.random.IntN(2))*time.Millisecond); err != nil {
		c.t.Fatal(err)
	}
	for done := range c.r.Completions() {
		b := c.pending[done.Token]
		delete(c.pending, done.Token)
		if b != nil && done.Res > 0 {
			c.packets++
			if !intact((*b)[:done.Res]) {
				c.t.Fatalf("%v: a packet is damaged: % x", done, (*b)[:min(16, done.Res)])
			}
		}
	}
}

// begin starts a send or a receive, and forgets the memory.
func (c *churn) begin(pair [2]int) {
	e, err := c.r.Get()
	if err != nil {
		return // full, with drops
	}
	switch c.random.IntN(8) {
	case 0, 1: // waits where the socket is full: the data is nobody's but the ring's
		must(c.t, e.Send(pair[0], packet(c.random), 0))
	case 2:
		b := packet(c.random)
		must(c.t, e.Sendmsg(pair[0], &Msg{Buffers: [][]byte{b[:5], b[5:]}}, 0))
	case 3:
		b := poisoned(4096)
		must(c.t, e.Recv(pair[1], b, 0))
		c.pending[e.Token()] = &b
	case 4:
		b := poisoned(4096)
		must(c.t, e.Recvmsg(pair[1], &Msg{Buffers: [][]byte{b}, Address: new(Address), Control: make([]byte, 64)}, 0))
		c.pending[e.Token()] = &b
	case 5: // nobody looks: what matters is that it is not written to when it is somebody else's
		must(c.t, e.Recv(pair[1], poisoned(4096), 0))
	case 6:
		must(c.t, e.Recvmsg(pair[1], &Msg{Buffers: [][]byte{poisoned(8), poisoned(4096)}}, 0))
	case 7:
		must(c.t, e.Recv(pair[1], poisoned(4096), 0))
		if c.r.Drop(e.Token()) == nil {
			c.drops++
		}
	}
}

// TestPathsAndTimesOutliveTheCall uses every kind of argument that the ring copies, from a stack that moves and is
// overwritten before it is submitted.
func TestPathsAndTimesOutliveTheCall(t *testing.T) {
	hammer(t)
	r := newRing(t, Options{Entries: 64})
	path := t.TempDir() + "/f"
	must(t, os.WriteFile(path, []byte("x"), 0o600))
	for until := time.Now().Add(soak(t) / 2); time.Now().Before(until); {
		attributes := make(map[Token]*unix.Statx_t)
		open := make(map[Token]bool)
		for range 16 {
			e := get(t, r)
			at := new(unix.Statx_t)
			must(t, e.Statx(unix.AT_FDCWD, string([]byte(path)), 0, unix.STATX_SIZE, at))
			attributes[e.Token()] = at
			e = get(t, r)
			must(t, e.Openat2(unix.AT_FDCWD, string([]byte(path)), unix.OpenHow{Flags: unix.O_CLOEXEC}))
			open[e.Token()] = true
			must(t, get(t, r).Timeout(time.Microsecond, 0, 0))
		}
		overwriteStack(50)
		runtime.GC()
		for range 48 {
			c := next(t, r)
			switch at := attributes[c.Token]; {
			case at != nil:
				if c.Err() != nil || at.Size != 1 {
					t.Fatalf("%v: size %d", c, at.Size)
				}
			case open[c.Token]:
				must(t, c.Err())
				unix.Close(int(c.Res))
			default:
				failed(t, c, unix.ETIME)
			}
		}
	}
}

//go:noinline
func overwriteStack(depth int) byte {
	var b [1024]byte
	for i := range b {
		b[i] = poison
	}
	if depth == 0 {
		return b[len(b)-1]
	}
	return overwriteStack(depth-1) ^ b[depth]
}

// TestNoTokenIsMisdelivered runs NOPs through slots whose generations run out all the time.
func TestNoTokenIsMisdelivered(t *testing.T) {
	r := newRing(t, Options{Entries: 64, SingleIssuer: true})
	random := rand.New(rand.NewPCG(5, 6))
	done := make([]Completion, 64)
	var expected []Token
	nops, retired := 0, 0
	for until := time.Now().Add(soak(t)); time.Now().Before(until); {
		for range 1000 {
			// A slot is brought to its last generation before it is handed out again.
			if s := &r.slots[r.free]; r.free != 0 && random.IntN(50) == 0 && retired < maxSlots/2 {
				s.generation = math.MaxUint32
				retired++
			}
			expected = expected[:0]
			for range 1 + random.IntN(64) {
				e := get(t, r)
				expected = append(expected, e.Token())
			}
			n, err := r.SubmitAndWait(len(expected), longest)
			if err != nil || n != len(expected) {
				t.Fatal(n, err)
			}
			for i, c := range done[:r.Reap(done)] {
				if c.Token != expected[i] || c.Res != 0 || r.InFlight(c.Token) {
					t.Fatalf("%v; want %v", c, expected[i])
				}
			}
			nops += n
		}
	}
	t.Logf("%d NOPs, %d slots retired", nops, retired)
}

// TestBufferGroupsSurviveStorms has many sockets compete for few buffers, and their clients die: every byte arrives
// that was sent on a connection that lived.
func TestBufferGroupsSurviveStorms(t *testing.T) {
	eachKind(t, func(t *testing.T, r *Ring) {
		const sockets, buffers, size = 16, 4, 64
		g := bufRing(t, r, BufRingOptions{Group: 1, Buffers: buffers, Size: size})
		random := rand.New(rand.NewPCG(7, 8))
		type peer struct {
			client, server    *end
			counter, expected int // bytes that were sent, and that arrived
			closed            bool
		}
		peers := make(map[Token]*peer)
		arm := func(p *peer) {
			peers[start(t, r, func(e Entry) error { return e.RecvMultishot(p.server.fd, 0, 1) })] = p
		}
		for range sockets {
			a, b := socketpair(t, unix.SOCK_STREAM)
			arm(&peer{client: a, server: b})
		}
		exhausted := 0
		for until := time.Now().Add(soak(t) / 2); len(peers) > 0; {
			over := time.Now().After(until)
			for _, p := range peers {
				if p.closed {
					continue
				}
				b := make([]byte, 1+random.IntN(4*size))
				for i := range b {
					b[i] = byte(p.counter)
					p.counter++
				}
				n, err := unix.SendmsgN(p.client.fd, b, nil, nil, unix.MSG_DONTWAIT)
				p.counter -= len(b) - max(n, 0)
				if err != nil && err != unix.EAGAIN {
					t.Fatal(err)
				}
				if over {
					p.closed = true
					p.client.close()
				}
			}
			if _, err := r.SubmitAndWait(1, longest); err != nil {
				t.Fatal(err)
			}
			for c := range r.Completions() {
				p := peers[c.Token]
				if c.Res > 0 {
					b, err := g.Bytes(c)
					must(t, err)
					for _, x := range b {
						if x != byte(p.expected) {
							t.Fatalf("%v: byte %d is %d", c, p.expected, x)
						}
						p.expected++
					}
					must(t, g.Release(c))
				}
				if c.More() {
					continue
				}
				delete(peers, c.Token)
				switch {
				case c.Err() == unix.ENOBUFS:
					exhausted++
					arm(p)
				case c.Err() != nil:
					t.Fatal(c)
				case c.Res > 0:
					arm(p)
				case p.expected != p.counter:
					t.Fatalf("%d bytes of %d arrived", p.expected, p.counter)
				}
			}
		}
		t.Logf("the group was empty %d times", exhausted)
		if exhausted == 0 {
			t.Error("no storm")
		}
	})
}

// TestOperationsAllocateNothing counts allocations of operations whose slots have been used before.
func TestOperationsAllocateNothing(t *testing.T) {
	r := newRing(t, Options{Entries: 8, SingleIssuer: true})
	f := file(t, "0123456789")
	a, b := socketpair(t, unix.SOCK_STREAM)
	buffer, second := make([]byte, 10), make([]byte, 10)
	vector := [][]byte{buffer[:5], buffer[5:]}
	message := &Msg{Buffers: vector}
	attributes := new(unix.Statx_t)
	at := AddressOf(local(t, func() *end { s, _ := udp(t); return s }()))
	done := make([]Completion, 8)
	for name, fill := range map[string]func(Entry) error{
		"NOP":     Entry.Nop,
		"Read":    func(e Entry) error { return e.Read(f.fd, buffer, 0) },
		"Readv":   func(e Entry) error { return e.Readv(f.fd, vector, 0, 0) },
		"Statx":   func(e Entry) error { return e.Statx(unix.AT_FDCWD, "/", 0, 0, attributes) },
		"Send":    func(e Entry) error { return e.Send(a.fd, second, unix.MSG_DONTWAIT) },
		"Recv":    func(e Entry) error { return e.Recv(b.fd, second, unix.MSG_DONTWAIT) },
		"Sendmsg": func(e Entry) error { return e.Sendmsg(a.fd, message, unix.MSG_DONTWAIT) },
		"Recvmsg": func(e Entry) error { return e.Recvmsg(b.fd, message, unix.MSG_DONTWAIT) },
		"Timeout": func(e Entry) error { return e.Timeout(time.Nanosecond, 0, 0) },
		"Sendto":  func(e Entry) error { return e.Sendto(a.fd, second, unix.MSG_DONTWAIT, at) },
		"wait": func(e Entry) error {
			must(t, e.Timeout(time.Millisecond, 0, 0))
			_, err := r.SubmitAndWait(2, 2*time.Millisecond)
			return err
		},
	} {
		allocations := testing.AllocsPerRun(50, func() {
			e, err := r.Get()
			if err == nil {
				err = fill(e)
			}
			if err == nil {
				_, err = r.SubmitAndWait(1, longest)
			}
			if err != nil || r.Reap(done) != 1 || done[0].Token != e.Token() {
				t.Fatal(name, err, done[0])
			}
		})
		if allocations != 0 {
			t.Errorf("%s: %v allocations an operation", name, allocations)
		}
	}
	allocations := testing.AllocsPerRun(50, func() {
		for range 4 {
			r.Get()
		}
		r.SubmitAndWait(4, longest)
		for c := range r.Completions() {
			if c.Res != 0 {
				t.Fatal(c)
			}
		}
	})
	if allocations != 0 {
		t.Errorf("Completions: %v allocations a loop", allocations)
	}
}
