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
// and keeps a copy of the rest (with io_uring: keeps a copy, and sends with all that the batch of events causes); when more than Options.HighWater bytes are kept, the connection is not read from
// until they are down to Options.LowWater. So a peer that does not read cannot make the program grow.
//
// # Drivers
//
// With io_uring the kernel accepts and receives by itself, into buffers that all connections of the loop share, and one
// call submits what a batch of events has caused and brings the next batch. It is the faster one, by a fifth for small messages
// of many connections, and does the work of [File] as well. Where it is missing (kernels before 6.0), or forbidden by a seccomp
// filter, as in most containers, or by the sysctl kernel.io_uring_disabled, or allowed in part, [Auto] takes epoll, and
// [Loop.Driver] says why. A handler cannot tell the two apart but by time: see [Conn.Release]. See [decision 32].
//
// The package is not for protocols: it moves bytes. Minimum kernel: 5.11, as for package epoll, and 6.0 for
// io_uring; tested are 6.1 and later. Privilege: none. Errors match os.ErrDeadlineExceeded, [ErrClosed],
// or the errno of a system call.
//
// [decision 32]: https://github.com/ring3-go/ring3/blob/main/docs/adr/0032-the-ring-driver-submits-once-a-batch.md
package reactor
