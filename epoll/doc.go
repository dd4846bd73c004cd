// Package epoll waits until descriptors are ready: a [Poller] over epoll(7), and the kernel objects that turn
// other things into descriptors (timers, signals, processes, counters, file changes).
//
// It is mechanism alone: no goroutine, no buffer, no callback. A registration is named by a [Token] of slot
// and generation, and [Poller.Wait] passes on no event whose registration has ended, so what happened to a
// descriptor never reaches the one that got its number next.
//
//	p, err := epoll.New()
//	if err != nil {
//		return err
//	}
//	defer p.Close()
//	tok, err := p.Add(fd, epoll.In|epoll.RdHup)
//	// ...
//	events := make([]epoll.Event, 128)
//	n, err := p.Wait(events, time.Second)
//	for _, ev := range events[:n] {
//		if ev.Token() == tok && ev.Events()&epoll.In != 0 { // read until EAGAIN }
//	}
//
// For servers, package reactor builds on this one; files on disk are always ready, and io_uring is for them.
//
// Minimum kernel: 5.11 for waits in nanoseconds, else they round up to milliseconds. Privilege: none. All
// methods are safe for concurrent use. Errors match [ErrClosed], [ErrStale] or the errno of the system call;
// on other systems than Linux [New] fails with errors.ErrUnsupported.
package epoll
