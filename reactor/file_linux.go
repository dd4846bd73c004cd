package reactor

import (
	"os"
	"sync"
)

// A File does input and output on a file without holding up its loop: a file on disk is always ready and may block all
// the same. With the epoll driver a few goroutines of the loop's do the work, with io_uring the kernel does. Its methods
// are for functions that run on the loop, and so are their done functions.
//
// Operations are not ordered among each other. What they are given belongs to them until done is called, which happens
// for each operation, at the latest when the loop ends; closing the file before that is the caller's mistake and
// the operation's error.
type File struct {
	loop   *Loop
	f      *os.File
	onDisk bool
}

// File makes a File of an open file, which stays the caller's to close. It is for functions that run on the loop.
func (l *Loop) File(f *os.File) *File { return &File{l, f, onDisk(f)} }

// ReadAt reads len(b) bytes from an offset and calls done with how many were read; fewer come with an error, io.EOF at
// the end of the file.
func (f *File) ReadAt(b []byte, offset int64, done func(n int, err error)) {
	f.do(fileOp{what: fileRead, b: b, offset: offset, done: done, run: func() (int, error) { return f.f.ReadAt(b, offset) }})
}

// WriteAt writes b at an offset.
func (f *File) WriteAt(b []byte, offset int64, done func(n int, err error)) {
	f.do(fileOp{what: fileWrite, b: b, offset: offset, done: done, run: func() (int, error) { return f.f.WriteAt(b, offset) }})
}

// Sync has what was written put on the disk.
func (f *File) Sync(done func(err error)) {
	f.do(fileOp{what: fileSync, run: func() (int, error) { return 0, f.f.Sync() }, done: func(_ int, err error) { done(err) }})
}

// do gives an operation to the driver, or to a goroutine.
func (f *File) do(op fileOp) {
	op.file = f.f
	if f.onDisk && op.offset >= 0 && (len(op.b) > 0 || op.what == fileSync) && f.loop.driver.file(op) {
		f.loop.files.inKernel++
		return
	}
	f.loop.files.do(op)
}

// Blocking calls run on a goroutine that may block, and then done on the loop: for what has no way to wait. As many run
// at a time as files have operations. Where run panics, that is reported (Options.Report), and done is called. Blocking
// is for functions that run on the loop.
func (l *Loop) Blocking(run func(), done func()) {
	l.files.do(fileOp{run: func() (int, error) { run(); return 0, nil }, done: func(_ int, err error) {
		if err != nil {
			l.report(err)
		}
		done()
	}})
}

// maxWorkers is how many operations are under way at a time; more wait their turn.
const maxWorkers = 8

type fileOp struct {
	run  func() (int, error)
	done func(int, error)
	n    int
	err  error

	// The same for a driver.
	what   fileWhat
	file   *os.File
	b      []byte
	offset int64
}

type fileWhat uint8

const (
	fileRead fileWhat = iota
	fileWrite
	fileSync
)

// String gives the name that os has for it.
func (w fileWhat) String() string { return [...]string{"read", "write", "sync"}[w] }

// workers do what blocks. Goroutines come with work and go when there is none.
type workers struct {
	loop     *Loop
	inKernel int // operations that the driver has
	wait     sync.WaitGroup

	mu      sync.Mutex
	queue   []fileOp
	ended   []fileOp
	working int
}

func (w *workers) do(op fileOp) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.queue = append(w.queue, op)
	if w.working < maxWorkers {
		w.working++
		w.wait.Go(w.work)
	}
}

func (w *workers) work() {
	for {
		w.mu.Lock()
		if len(w.queue) == 0 {
			w.working--
			w.mu.Unlock()
			return
		}
		op := w.queue[0]
		w.queue = w.queue[1:]
		w.mu.Unlock()

		op.call()

		w.mu.Lock()
		w.ended = append(w.ended, op)
		w.mu.Unlock()
		if w.loop.asleep.Load() {
			w.loop.driver.wake()
		}
	}
}

// call runs what the program gave, which may panic: then that is the result.
func (op *fileOp) call() {
	defer func() {
		if value := recover(); value != nil {
			op.err = newPanicError(value)
		}
	}()
	op.n, op.err = op.run()
}

// reap calls done for what has ended, on the loop.
func (w *workers) reap() {
	for {
		w.mu.Lock()
		if len(w.ended) == 0 {
			w.mu.Unlock()
			return
		}
		op := w.ended[0]
		w.ended = w.ended[1:]
		w.mu.Unlock()
		w.loop.current = nil
		op.done(op.n, op.err)
	}
}

// finished is told by the driver.
func (w *workers) finished(op fileOp, n int, err error) {
	w.inKernel--
	w.loop.current = nil
	op.done(n, err)
}

// retry is told by the driver: the operation is to be done without it.
func (w *workers) retry(op fileOp) {
	w.inKernel--
	w.do(op)
}

// pending reports whether something has ended that reap has not seen.
func (w *workers) pending() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.ended) > 0
}

// busy reports whether operations are under way, or ended and not seen by reap.
func (w *workers) busy() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.working > 0 || len(w.ended) > 0 || w.inKernel > 0
}
