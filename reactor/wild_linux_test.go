package reactor

import (
	"crypto/tls"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// Handlers do anything that a connection offers, at random, inside of each callback and often several at a time, and
// panic now and then; their peers come and go. Whatever they do, each hears at most one Open and no call after the end,
// which comes once; the loop lives, and nothing is left behind.
func TestHandlersMayDoAnything(t *testing.T) { eachDriver(t, testHandlersMayDoAnything) }

func testHandlersMayDoAnything(t *testing.T, driver Driver) {
	server, client := identity()
	total := 600
	if os.Getenv("RING3_SOAK") != "" {
		total = 10_000
	}
	for _, network := range []string{"tcp", "unix", "tls"} {
		t.Run(network, func(t *testing.T) {
			l := start(t, Options{Driver: driver, HighWater: 50_000, WriteLimit: 1 << 20, ReadBuffer: 5000})
			z := &zoo{t: t, loop: l, rng: rand.New(rand.NewPCG(7, uint64(total)))}
			if network == "tls" {
				z.client = client
			}
			var cfg ListenConfig
			address := "127.0.0.1:0"
			switch network {
			case "unix":
				address = filepath.Join(t.TempDir(), "s")
			case "tls":
				cfg.TLS = server
			}
			z.network = map[string]string{"tls": "tcp"}[network]
			if z.network == "" {
				z.network = network
			}
			listener, err := l.ListenConfig(cfg, z.network, address, func(c *Conn) Handler {
				w := z.catch()
				w.act(c)
				if z.rng.IntN(20) == 0 {
					w.ended = true // nil refuses: it hears nothing
					return nil
				}
				return w
			})
			if err != nil {
				t.Fatal(err)
			}
			on(t, l, func() { z.address = listener.Addr().String() })
			rng := rand.New(rand.NewPCG(8, 8))
			for range total {
				z.visit(listener, rng)
			}
			on(t, l, func() { z.tame = true })
			for deadline, left := time.Now().Add(patience), 1; left > 0; time.Sleep(time.Millisecond) {
				on(t, l, func() {
					left = len(l.conns)
					for c := range l.conns { // each other's peers
						c.Abort(nil)
					}
				})
				if time.Now().After(deadline) {
					t.Fatalf("%d connections are left", left)
				}
			}
			on(t, l, func() {
				for _, w := range z.all {
					if w.opened && !w.ended {
						t.Errorf("opened and not closed; last was %s", w.last)
					}
				}
				if l.timers.count > 1000 {
					t.Errorf("%d timers", l.timers.count)
				}
			})
		})
	}
}

type zoo struct {
	t       *testing.T
	loop    *Loop
	network string
	client  *tls.Config

	// The loop's.
	address string
	rng     *rand.Rand
	all     []*wild
	dialed  int
	tame    bool
}

// visit is a client that says something, or not, and leaves in one way or another.
func (z *zoo) visit(s *Listener, rng *rand.Rand) {
	c, err := net.Dial(z.network, s.Addr().String())
	if errors.Is(err, unix.ECONNRESET) || errors.Is(err, unix.EPIPE) {
		return // by accept
	}
	if err != nil {
		z.t.Fatal(err)
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(time.Duration(rng.IntN(4)) * time.Millisecond))
	if z.client != nil && rng.IntN(4) > 0 {
		c.SetDeadline(time.Now().Add(30 * time.Millisecond)) // for the handshake
		c = tls.Client(c, z.client)
	}
	c.Write(make([]byte, 1+rng.IntN(20_000)))
	if rng.IntN(2) == 0 {
		if h, ok := c.(interface{ CloseWrite() error }); ok {
			h.CloseWrite()
		}
	}
	if rng.IntN(2) == 0 {
		io.Copy(io.Discard, c)
	}
	if tcp, ok := c.(*net.TCPConn); ok && rng.IntN(2) == 0 {
		tcp.SetLinger(0)
	}
}

func (z *zoo) catch() *wild {
	w := &wild{zoo: z}
	z.all = append(z.all, w)
	return w
}

// A wild is one connection's handler.
type wild struct {
	zoo           *zoo
	opened, ended bool
	last          string
}

var errWild = errors.New("a wild one")

func (w *wild) hear(what string, c *Conn) {
	if w.ended {
		w.zoo.t.Errorf("%s after the end, which was %s", what, w.last)
	}
	w.last = what
	w.act(c)
}

func (w *wild) Open(c *Conn) {
	if w.opened {
		w.zoo.t.Error("opened twice")
	}
	w.opened = true
	w.hear("Open", c)
}
func (w *wild) Data(c *Conn, _ []byte) { w.hear("Data", c) }
func (w *wild) EOF(c *Conn)            { w.hear("EOF", c) }
func (w *wild) Drained(c *Conn)        { w.hear("Drained", c) }
func (w *wild) Closed(c *Conn, _ error) {
	if w.ended {
		w.zoo.t.Errorf("Closed after the end, which was %s", w.last)
	}
	w.ended, w.last = true, "Closed"
	w.act(c)
}

// act does a few things.
func (w *wild) act(c *Conn) {
	z := w.zoo
	if z.tame {
		return
	}
	for range z.rng.IntN(4) {
		switch z.rng.IntN(24) {
		case 0:
			c.Close()
		case 1:
			c.Abort(errWild)
		case 2:
			c.CloseWrite()
		case 3, 4, 5:
			c.Write(make([]byte, z.rng.IntN(100_000)))
		case 6:
			c.Write(nil)
		case 7:
			c.Pause()
		case 8, 9:
			c.Resume()
		case 10:
			c.SetReadDeadline(time.Now().Add(time.Duration(z.rng.IntN(6)-2) * time.Millisecond))
		case 11:
			c.SetWriteDeadline(time.Now().Add(time.Duration(z.rng.IntN(6)-2) * time.Millisecond))
		case 12:
			c.SetReadDeadline(time.Time{})
		case 13:
			c.Release(func(c net.Conn, err error) {
				if err != nil {
					return
				}
				c.Close()
				if w.ended {
					z.t.Error("released after the end")
				}
				w.ended, w.last = true, "Release"
			})
		case 14:
			if z.dialed++; z.dialed < 500 {
				other := z.catch()
				if d, err := z.loop.DialTLS(z.network, z.address, 50*time.Millisecond, z.client, other); err == nil {
					other.act(d)
				} else {
					other.ended = true
				}
			}
		case 15:
			c.Post(func(c *Conn) { w.act(c) })
		case 16:
			z.loop.AfterFunc(time.Millisecond, func() { w.act(c) })
		case 17:
			z.loop.Blocking(func() {}, func() { w.act(c) })
		case 18:
			if s, err := z.loop.Listen("tcp", "127.0.0.1:0", echoes); err == nil {
				s.Close()
			}
		case 19:
			c.SetHandler(w)
		case 20:
			_ = c.String()
			c.TLS()
			c.Buffered()
		case 21:
			if z.rng.IntN(3) == 0 {
				panic(errWild)
			}
		}
	}
}
