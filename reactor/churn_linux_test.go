package reactor

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// Connections are opened and closed at random moments, in every state, by clients that reset, half-close, send a byte
// at a time, never read, or flood. Each byte carries whose it is: the client's number and where in its stream it
// stands. The server checks what it gets and sends it back, and the client checks that. Afterwards every connection
// that was opened has been closed, once, and nothing is left.
func TestChurn(t *testing.T) { eachDriver(t, testChurn) }

func testChurn(t *testing.T, driver Driver) {
	total := 3000
	switch {
	case os.Getenv("RING3_SOAK") != "":
		total = 100_000
	case testing.Short():
		total = 600
	}
	const workers = 16
	const high, buffer = 64 << 10, 16 << 10
	server := &churnServer{live: make(map[*Conn]*churnConn)}
	l := start(t, Options{Driver: driver, HighWater: high, ReadBuffer: buffer})
	s := serve(t, l, server.accept)

	var next atomic.Int64
	var clients sync.WaitGroup
	for w := range workers {
		rng := rand.New(rand.NewPCG(uint64(w), uint64(total)))
		clients.Go(func() {
			for !t.Failed() {
				n := next.Add(1)
				if n > int64(total) {
					return
				}
				if err := churnClient(s.Addr().String(), uint32(n), rng); err != nil {
					t.Errorf("client %d: %v", n, err)
				}
			}
		})
	}
	clients.Wait()
	// Every client has gone; the ends of their connections arrive.
	for deadline := time.Now().Add(patience); ; time.Sleep(time.Millisecond) {
		left := 0
		on(t, l, func() { left = len(server.live) })
		if left == 0 {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("%d connections are left", left)
		}
	}
	on(t, l, func() {
		if server.opened != server.closed || server.wrong != nil {
			t.Errorf("opened %d, closed %d, %v", server.opened, server.closed, server.wrong)
		}
		if server.opened < total/2 {
			t.Errorf("%d of %d connections arrived", server.opened, total)
		}
		if most := high + buffer; server.most > most {
			t.Errorf("%d bytes were kept for one connection; want %d at most", server.most, most)
		}
		if len(l.conns) != 0 || l.timers.count != 0 {
			t.Errorf("the loop has %d connections and %d timers", len(l.conns), l.timers.count)
		}
	})
	t.Logf("%d connections, %d bytes echoed", server.opened, server.bytes)
}

// A churnServer is owned by the loop.
type churnServer struct {
	live                        map[*Conn]*churnConn
	opened, closed, bytes, most int
	wrong                       error
}

// A churnConn checks one connection's stream: 8 bytes at a time, client's number and position.
type churnConn struct {
	server *churnServer
	owner  uint32
	at     uint32 // words seen
	part   []byte
}

func (s *churnServer) accept(c *Conn) Handler { return &churnConn{server: s} }

func (h *churnConn) fail(format string, args ...any) {
	if h.server.wrong == nil {
		h.server.wrong = fmt.Errorf(format, args...)
	}
}

func (h *churnConn) Open(c *Conn) {
	if h.server.live[c] != nil {
		h.fail("opened twice")
	}
	h.server.live[c] = h
	h.server.opened++
	c.SetReadDeadline(time.Now().Add(patience))
}

func (h *churnConn) Data(c *Conn, b []byte) {
	if h.server.live[c] != h {
		h.fail("data for a connection that is closed, or another's")
	}
	h.server.bytes += len(b)
	for _, x := range b {
		if h.part = append(h.part, x); len(h.part) < 8 {
			continue
		}
		owner, at := binary.LittleEndian.Uint32(h.part), binary.LittleEndian.Uint32(h.part[4:])
		h.part = h.part[:0]
		if h.owner == 0 {
			h.owner = owner
		}
		if owner != h.owner || at != h.at {
			h.fail("connection of client %d got word %d of client %d; want %d", h.owner, at, owner, h.at)
		}
		h.at++
	}
	c.Write(b)
	h.server.most = max(h.server.most, c.Buffered())
	switch rand.IntN(200) { // the server is not always patient either
	case 0:
		c.Close()
	case 1:
		c.Abort(errChurn)
	case 2:
		c.Pause()
		c.Loop().AfterFunc(time.Millisecond, c.Resume)
	case 3:
		c.SetReadDeadline(time.Now().Add(time.Millisecond))
	}
}

var errChurn = errors.New("at random")

func (h *churnConn) EOF(c *Conn)     { c.Close() }
func (h *churnConn) Drained(c *Conn) {}

func (h *churnConn) Closed(c *Conn, err error) {
	if h.server.live[c] != h {
		h.fail("closed twice, or never opened: %v", err)
	}
	delete(h.server.live, c)
	h.server.closed++
	switch {
	case err == nil, err == errChurn, errors.Is(err, os.ErrDeadlineExceeded), errors.Is(err, unix.ECONNRESET),
		errors.Is(err, unix.EPIPE), errors.Is(err, unix.ETIMEDOUT):
	default:
		h.fail("closed with %v", err)
	}
}

// churnClient is one connection. An error is a wrong byte; that a connection ends early is as it should be.
func churnClient(addr string, number uint32, rng *rand.Rand) error {
	c, err := net.Dial("tcp", addr)
	if err != nil {
		if errors.Is(err, unix.ECONNRESET) {
			return nil
		}
		return err
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(patience))
	stream := func(words int) []byte {
		var b []byte
		for i := range words {
			b = binary.LittleEndian.AppendUint32(b, number)
			b = binary.LittleEndian.AppendUint32(b, uint32(i))
		}
		return b
	}
	reset := func() { c.(*net.TCPConn).SetLinger(0); c.Close() }
	switch rng.IntN(8) {
	case 0: // says nothing
	case 1: // resets at once
		reset()
	case 2: // half-closes at once
		c.(*net.TCPConn).CloseWrite()
		return churnRead(c, nil)
	case 3: // a byte at a time
		sent := stream(1 + rng.IntN(5))
		for i := range sent {
			if _, err := c.Write(sent[i : i+1]); err != nil {
				return nil
			}
		}
		c.(*net.TCPConn).CloseWrite()
		return churnRead(c, sent)
	case 4: // sends and resets
		c.Write(stream(1 + rng.IntN(1000)))
		reset()
	case 5: // floods and does not read
		c.SetWriteDeadline(time.Now().Add(5 * time.Millisecond))
		c.Write(stream(1 << 17))
		if rng.IntN(2) == 0 {
			reset()
		}
	case 6: // requests and answers
		sent := stream(1 + rng.IntN(64))
		for round := range 1 + rng.IntN(10) {
			_ = round
			part := sent[:8*(1+rng.IntN(len(sent)/8))]
			sent = sent[len(part):]
			if _, err := c.Write(part); err != nil {
				return nil
			}
			got := make([]byte, len(part))
			if n, err := io.ReadFull(c, got); string(got[:n]) != string(part[:n]) {
				return fmt.Errorf("other bytes came back")
			} else if err != nil {
				return nil
			}
			if len(sent) == 0 {
				break
			}
		}
	default: // much, read while it is written
		sent := stream(1 + rng.IntN(1<<14))
		go func() {
			c.Write(sent)
			c.(*net.TCPConn).CloseWrite()
		}()
		return churnRead(c, sent)
	}
	return nil
}

// churnRead reads to the end, which must be a beginning of what was sent.
func churnRead(c net.Conn, sent []byte) error {
	got, _ := io.ReadAll(c) // the server may have reset it
	if len(got) > len(sent) || string(got) != string(sent[:len(got)]) {
		return fmt.Errorf("got %d bytes back that are not the %d that were sent", len(got), len(sent))
	}
	return nil
}
