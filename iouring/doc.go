// Package iouring gives Go all of io_uring: rings, every operation, buffers that the kernel chooses, registered
// files and buffers. Linux only.
//
// A [Ring] is mechanism: one owner, no goroutine, no callback, no allocation per operation. The owner gets an
// [Entry], fills it in with the method that is named as the operation, submits, and takes [Completion]s.
//
//	r, err := iouring.New(iouring.Options{})
//	if err != nil {
//		return err
//	}
//	defer r.Close()
//	e, err := r.Get()
//	if err != nil {
//		return err
//	}
//	if err := e.Read(fd, buf, 0); err != nil {
//		return err
//	}
//	if _, err := r.SubmitAndWait(1, -1); err != nil {
//		return err
//	}
//	for c := range r.Completions() {
//		fmt.Println(c.Token == e.Token(), c.Res, c.Err())
//	}
//
// # Memory
//
// The kernel reads and writes the caller's memory long after the call that asked for it. So the ring keeps
// everything that an operation points at (buffers, and its own copies of paths, vectors, addresses, times)
// reachable until the completion that is the operation's last, whatever the caller forgets. Go's heap does not
// move, and what a slot refers to is on the heap: the compiler sees to that. [Ring.Close] cancels what is in
// flight and waits for its completions; a ring that is dropped without it keeps its memory. What the caller still
// must not do is use a buffer while the kernel has it.
//
// A [Token] is a slot and its generation. It comes back in the completion, and no completion reaches another
// operation than its own.
//
// # Who may
//
// A Ring is used by one goroutine at a time. With [Options.SingleIssuer], which is faster, it belongs to one
// thread: the goroutine calls runtime.LockOSThread before [New], and from another thread submitting fails with
// [ErrWrongThread]. When a thread ends the kernel cancels what it has submitted, at the latest when that would go on.
//
// What would block goes to a worker thread of the kernel. Kernels before 6.15 give up making one when three signals
// interrupt it, and Go sends its threads signals: then the operation that needed it completes with ECANCELED though
// nobody cancelled it, and is to be tried again. Sockets and ordinary files need no worker.
//
// Minimum kernel: 5.19, and each operation says since when there is one; tested are 6.1 and later. Privilege:
// none, where seccomp and the sysctl kernel.io_uring_disabled allow it; [New] says which does not. Errors match
// [ErrClosed], [ErrFull], [ErrStale], [ErrWrongThread] or the errno of the system call. Sources: io_uring(7),
// io_uring_setup(2), io_uring_enter(2), io_uring_register(2), linux/io_uring.h.
package iouring
