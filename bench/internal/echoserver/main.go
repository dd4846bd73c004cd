//go:build linux

// Echoserver is an echo server on one processor, by each of the libraries that are compared:
//
//	echoserver ring3|iouring|net|netpoll|gnet
//
// It prints the address that it listens on, serves until it is killed, and ends with its standard input. The processor
// is that which it was started on: the runtime takes its number of threads from there. ring3 is the reactor on epoll,
// iouring the same on io_uring. Exit codes: 0 done, 1 something broke, 2 usage, 3 this kernel has not what the library needs.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"

	"github.com/cloudwego/netpoll"
	"github.com/panjf2000/gnet/v2"

	"github.com/ring3-go/ring3/reactor"
)

func main() {
	servers := map[string]func() error{
		"ring3":   func() error { return serveRing3(reactor.Epoll) },
		"iouring": func() error { return serveRing3(reactor.IOURing) },
		"net":     serveNet, "netpoll": serveNetpoll, "gnet": serveGnet,
	}
	if len(os.Args) != 2 || servers[os.Args[1]] == nil {
		fmt.Fprintln(os.Stderr, "echoserver: want ring3, iouring, net, netpoll or gnet")
		os.Exit(2)
	}
	go func() {
		io.Copy(io.Discard, os.Stdin)
		os.Exit(0)
	}()
	if err := servers[os.Args[1]](); err != nil {
		fmt.Fprintln(os.Stderr, "echoserver:", err)
		if errors.Is(err, errors.ErrUnsupported) || errors.Is(err, fs.ErrPermission) {
			os.Exit(3)
		}
		os.Exit(1)
	}
}

type echo struct{ reactor.Base }

func (echo) Data(c *reactor.Conn, b []byte) { c.Write(b) }

func serveRing3(d reactor.Driver) error {
	l, err := reactor.New(reactor.Options{Driver: d})
	if err != nil {
		return err
	}
	s, err := l.Listen("tcp", "127.0.0.1:0", func(*reactor.Conn) reactor.Handler { return echo{} })
	if err != nil {
		return err
	}
	fmt.Println(s.Addr())
	return l.Run()
}

func serveNet() error {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	fmt.Println(l.Addr())
	for {
		c, err := l.Accept()
		if err != nil {
			return err
		}
		go func() {
			defer c.Close()
			for b := make([]byte, 4096); ; {
				n, err := c.Read(b)
				if err != nil {
					return
				}
				if _, err := c.Write(b[:n]); err != nil {
					return
				}
			}
		}()
	}
}

func serveNetpoll() error {
	l, err := netpoll.CreateListener("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	fmt.Println(l.Addr())
	loop, err := netpoll.NewEventLoop(func(_ context.Context, c netpoll.Connection) error {
		r, w := c.Reader(), c.Writer()
		b, err := r.Next(r.Len())
		if err != nil {
			return err
		}
		if _, err := w.WriteBinary(b); err != nil {
			return err
		}
		if err := w.Flush(); err != nil {
			return err
		}
		return r.Release()
	})
	if err != nil {
		return err
	}
	return loop.Serve(l)
}

type gnetEcho struct{ gnet.BuiltinEventEngine }

func (*gnetEcho) OnTraffic(c gnet.Conn) gnet.Action {
	b, err := c.Next(-1)
	if err != nil {
		return gnet.Close
	}
	c.Write(b)
	return gnet.None
}

// serveGnet finds a port first: gnet does not tell which it got.
func serveGnet() error {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	addr := l.Addr().String()
	l.Close()
	return gnet.Run(&announce{addr: addr}, "tcp://"+addr)
}

type announce struct {
	gnetEcho
	addr string
}

func (a *announce) OnBoot(gnet.Engine) gnet.Action {
	fmt.Println(a.addr)
	return gnet.None
}
