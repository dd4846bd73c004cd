package main

import (
	"context"
	"errors"
	"net"
	"runtime"
	"sync"
	"time"
)

// serveNet is the standard library's way: a goroutine for each connection, which waits in Read.
func serveNet(ctx context.Context, addr string, loops int, ready func(string)) error {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(loops))
	l, err := net.Listen("tcp", addr)
	if err != nil {
		return err
	}
	defer context.AfterFunc(ctx, func() { l.Close() })()
	ready(l.Addr().String())

	var conns sync.WaitGroup
	defer conns.Wait()
	for {
		c, err := l.Accept()
		if errors.Is(err, net.ErrClosed) && ctx.Err() != nil {
			return nil
		}
		if err != nil {
			return err
		}
		conns.Go(func() {
			defer c.Close()
			defer context.AfterFunc(ctx, func() { c.SetReadDeadline(time.Now().Add(grace)) })()
			for b := make([]byte, 4096); ; {
				n, err := c.Read(b)
				if _, werr := c.Write(b[:n]); werr != nil || err != nil {
					return // io.EOF as well
				}
			}
		})
	}
}
