package reactor

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"sync"
	"sync/atomic"

	"golang.org/x/sys/unix"
)

// A Group is several loops that serve the same listeners, as a rule one for each processor. A connection stays on the
// loop that accepted it. Its methods are safe for concurrent use.
type Group struct {
	loops []*Loop
	next  atomic.Uint32
}

// NewGroup makes n loops, or one for each processor that the calling thread may use if n is 0. With opts.Pin each is
// kept on one of those, in turn from opts.CPU on.
func NewGroup(n int, opts Options) (*Group, error) {
	var allowed unix.CPUSet
	if err := unix.SchedGetaffinity(0, &allowed); err != nil {
		return nil, os.NewSyscallError("sched_getaffinity", err)
	}
	var cpus []int
	for cpu := range len(allowed) * 64 {
		if allowed.IsSet(cpu) && cpu >= opts.CPU {
			cpus = append(cpus, cpu)
		}
	}
	switch {
	case n < 0:
		return nil, fmt.Errorf("reactor: a group of %d loops", n)
	case len(cpus) == 0:
		return nil, fmt.Errorf("reactor: no processor from %d on is to be used here", opts.CPU)
	case n == 0:
		n = len(cpus)
	}
	g := &Group{}
	for i := range n {
		o := opts
		if o.Pin {
			o.CPU = cpus[i%len(cpus)]
		}
		l, err := New(o)
		if err != nil {
			return nil, errors.Join(err, g.Close())
		}
		g.loops = append(g.loops, l)
	}
	return g, nil
}

// Loops returns the loops. The slice is the caller's.
func (g *Group) Loops() []*Loop { return append([]*Loop(nil), g.loops...) }

// Next returns the loops in turn, for connections that are not accepted: [Loop.Dial], [Loop.Adopt].
func (g *Group) Next() *Loop { return g.loops[int(g.next.Add(1)-1)%len(g.loops)] }

// Listen listens on every loop, see [Loop.Listen]. TCP listeners share the port by SO_REUSEPORT, and the kernel
// spreads connections by a hash of the addresses; so another program of the same user may come to share it as well, and
// is not told EADDRINUSE. A unix socket is one, and whichever loop is first accepts. accept is called on each loop: for
// different connections at a time.
func (g *Group) Listen(cfg ListenConfig, network, address string, accept func(*Conn) Handler) (all []*Listener, err error) {
	cfg.ReusePort = cfg.ReusePort || len(g.loops) > 1
	defer func() {
		if err != nil {
			for _, s := range all {
				s.Close()
			}
			all = nil
		}
	}()
	for i, l := range g.loops {
		var s *Listener
		if i > 0 && network == "unix" {
			s, err = all[0].share(l)
		} else {
			s, err = l.ListenConfig(cfg, network, address, accept)
		}
		if err != nil {
			return all, err
		}
		all = append(all, s)
		if a, ok := s.addr.(*net.TCPAddr); ok {
			address = a.String() // the others get the port that the kernel chose
		}
	}
	return all, nil
}

// share makes a listener of the same socket on another loop.
func (s *Listener) share(l *Loop) (*Listener, error) {
	s.mu.Lock()
	fd, err := s.dup()
	s.mu.Unlock()
	if err != nil {
		return nil, err
	}
	return l.listenFD(fd, s.tls, s.accept, socketPath{})
}

// Run runs every loop on a goroutine of its own, and returns when all have ended. When one fails, all are closed. It
// returns nil after Close or Shutdown, and [ErrClosed] where they came before any loop ran.
func (g *Group) Run() error {
	errs := make([]error, len(g.loops))
	var ran atomic.Bool
	var wait sync.WaitGroup
	for i, l := range g.loops {
		wait.Go(func() {
			switch err := l.Run(); {
			case err == nil:
				ran.Store(true)
			case errors.Is(err, ErrClosed): // before its turn came
			default:
				errs[i] = err
				g.Close()
			}
		})
	}
	wait.Wait()
	if err := errors.Join(errs...); err != nil || ran.Load() {
		return err
	}
	return ErrClosed
}

// Close closes every loop, see [Loop.Close].
func (g *Group) Close() error {
	var errs []error
	for _, l := range g.loops {
		errs = append(errs, l.Close())
	}
	return errors.Join(errs...)
}

// Shutdown ends every loop gently and waits for them, see [Loop.Shutdown].
func (g *Group) Shutdown(ctx context.Context) error {
	errs := make([]error, len(g.loops))
	var wait sync.WaitGroup
	for i, l := range g.loops {
		wait.Go(func() { errs[i] = l.Shutdown(ctx) })
	}
	wait.Wait()
	return errors.Join(errs...)
}
