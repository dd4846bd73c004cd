// Package reactor is an event loop for network programs: one thread that waits for many connections, timers and
// posted functions, and calls handlers as things happen. The same handlers run over epoll (readiness) or
// io_uring (completion); Options.Driver chooses, and [Auto] picks by trying.
//
//	loop, err := reactor.New(reactor.Options{})
//	if err != nil {
//		return err
//	}
//	_, err = loop.Listen("tcp", "127.0.0.1:0", func(*reactor.Conn) reactor.Handler { return echo{} })
//	if err != nil {
//		return err
//	}
//	return loop.Run() // until Close or Shutdown
//
// where a handler says what a connection does:
//
//	type echo struct{ reactor.Base }
//
//	func (echo) Data(c *reactor.Conn, b []byte) { c.Write(b) }
//
// # Who may call what
//
// Handlers, timers and posted functions run on the goroutine that is in [Loop.Run], one at a time. A [Conn] and
// a [Timer] belong to it: their methods are for these functions alone. From elsewhere a function is posted
// ([Loop.Post], [Conn.Post]): calling a connection from another goroutine is a data race, and is not noticed but by the
// race detector. Methods of [Loop], but for AfterFunc, File and Blocking, and of [Listener] are safe for concurrent use. A
// handler that blocks holds up its whole loop; one that panics loses its connection, and the loop goes on; one that ends
// the goroutine (runtime.Goexit) ends the loop.
//
// # Buffers
//
// The bytes that [Handler.Data] gets are lent until it returns. [Conn.Write] sends what the kernel takes at once
// and keeps a copy of the rest; when more than Options.HighWater bytes are kept, the connection is not read from
// until they are down to Options.LowWater. So a peer that does not read cannot make the program grow.
//
// The package is not for files on disk under epoll, which are always ready, nor for protocols: it moves bytes.
// Minimum kernel: 5.11, as for package epoll. Privilege: none. Errors match os.ErrDeadlineExceeded, [ErrClosed],
// or the errno of a system call.
package reactor
