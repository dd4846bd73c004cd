package main

import (
	"context"
	"errors"

	"github.com/ring3-go/ring3/reactor"
)

// echo is what each connection does; one serves all, because it has no state.
type echo struct{ reactor.Base }

func (echo) Data(c *reactor.Conn, b []byte) { c.Write(b) }

func serveEpoll(ctx context.Context, addr string, loops int, ready func(string)) error {
	return serveReactor(ctx, reactor.Epoll, addr, loops, ready)
}

func serveIOURing(ctx context.Context, addr string, loops int, ready func(string)) error {
	return serveReactor(ctx, reactor.IOURing, addr, loops, ready)
}

// serveReactor runs loops that share the port.
func serveReactor(ctx context.Context, driver reactor.Driver, addr string, loops int, ready func(string)) error {
	g, err := reactor.NewGroup(loops, reactor.Options{Driver: driver})
	if err != nil {
		return err
	}
	listeners, err := g.Listen(reactor.ListenConfig{}, "tcp", addr, func(*reactor.Conn) reactor.Handler { return echo{} })
	if err != nil {
		return errors.Join(err, g.Close())
	}
	stopped := make(chan error, 1)
	defer context.AfterFunc(ctx, func() {
		late, cancel := context.WithTimeout(context.Background(), grace)
		defer cancel()
		stopped <- g.Shutdown(late)
	})()
	ready(listeners[0].Addr().String())
	if err := g.Run(); err != nil && !errors.Is(err, reactor.ErrClosed) || ctx.Err() == nil {
		return err
	}
	if err := <-stopped; !errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	return nil // some clients stayed to the end of the grace
}
