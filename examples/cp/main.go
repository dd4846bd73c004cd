//go:build linux

// Cp copies a file, by io_uring: each block is a chain of a read and the write of what was read, several chains are
// under way, and with O_DIRECT nothing goes through the page cache.
//
// Synopsis:
//
//	cp [-cached] FROM TO
//
// TO is made, or overwritten. Where a file system has no O_DIRECT, the page cache is used. Exit codes: 0 done, 1
// error, 2 usage.
//
// Options:
//
//	-cached  do not try O_DIRECT
package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"runtime"
	"syscall"

	"github.com/ring3-go/ring3/iouring"
	"github.com/ring3-go/ring3/syscalls"
)

func main() {
	cached := flag.Bool("cached", false, "do not try O_DIRECT")
	flag.Parse()
	if flag.NArg() != 2 {
		fmt.Fprintln(os.Stderr, "usage: cp [-cached] FROM TO")
		os.Exit(2)
	}
	if err := run(flag.Arg(0), flag.Arg(1), !*cached); err != nil {
		fmt.Fprintln(os.Stderr, "cp:", err)
		os.Exit(1)
	}
}

const (
	block = 128 << 10 // bytes of a chain
	depth = 16        // chains under way
	align = 4096      // what O_DIRECT asks of addresses, offsets and lengths, at the most
)

func run(from, to string, direct bool) (err error) {
	runtime.LockOSThread() // the ring belongs to this thread
	defer runtime.UnlockOSThread()
	ring, err := iouring.New(iouring.Options{Entries: 2 * depth, SingleIssuer: true})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, ring.Close()) }() // also cancels and awaits what an error leaves behind
	if same(from, to) {
		return fmt.Errorf("%s and %s are one file", from, to)
	}
	in, err := open(from, syscall.O_RDONLY, direct)
	if err != nil {
		return err
	}
	defer syscall.Close(in)
	out, err := open(to, syscall.O_WRONLY|syscall.O_CREAT|syscall.O_TRUNC, direct)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.NewSyscallError("close", syscall.Close(out))) }()
	var stat syscall.Stat_t
	if err := syscall.Fstat(in, &stat); err != nil {
		return os.NewSyscallError("fstat", err)
	}
	if stat.Mode&syscall.S_IFMT != syscall.S_IFREG {
		return fmt.Errorf("%s is no ordinary file", from)
	}
	buffers, err := ring.NewArena(block, depth) // aligned to pages
	if err != nil {
		return err
	}
	c := &copier{ring: ring, buffers: buffers, in: in, out: out, size: stat.Size, chains: make(map[iouring.Token]chain)}
	if err := c.blocks(); err != nil {
		return err
	}
	return c.tail()
}

// same reports whether two paths are of one file, which a copy onto itself would lose.
func same(a, b string) bool {
	x, errX := os.Stat(a)
	y, errY := os.Stat(b)
	return errX == nil && errY == nil && os.SameFile(x, y)
}

// open opens a file, without O_DIRECT where the file system has none.
func open(path string, flags int, direct bool) (int, error) {
	if direct {
		flags |= syscall.O_DIRECT
	}
	fd, err := syscall.Open(path, flags|syscall.O_CLOEXEC, 0o666)
	if direct && errors.Is(err, syscall.EINVAL) {
		return open(path, flags&^syscall.O_DIRECT, false)
	}
	if err != nil {
		return -1, &os.PathError{Op: "open", Path: path, Err: err}
	}
	return fd, nil
}

type copier struct {
	ring    *iouring.Ring
	buffers *iouring.Arena
	in, out int
	size    int64
	chains  map[iouring.Token]chain // by both tokens of each
}

// A chain is a read and a write of one block.
type chain struct {
	buffer []byte
	offset int64
	write  bool // this half of it
}

// blocks copies the whole blocks.
func (c *copier) blocks() error {
	next, end := int64(0), c.size/block*block
	for running := 0; next < end || running > 0; {
		for ; next < end && running < depth; running, next = running+1, next+block {
			if err := c.start(next); err != nil {
				return err
			}
		}
		if _, err := c.ring.SubmitAndWait(1, -1); err != nil {
			return err
		}
		for done := range c.ring.Completions() {
			half := c.chains[done.Token]
			delete(c.chains, done.Token)
			again := noWorker(done) // both halves, or the second alone
			switch {
			case done.Res != block && !again:
				return half.failed(done)
			case !half.write:
				continue
			}
			if err := c.buffers.Put(half.buffer); err != nil {
				return err
			}
			if again {
				if err := c.start(half.offset); err != nil {
					return err
				}
				continue
			}
			running--
		}
	}
	return nil
}

// start begins a chain: the write runs when the read is complete, and not at all where that is short.
func (c *copier) start(offset int64) error {
	b, err := c.buffers.Get()
	if err != nil {
		return err
	}
	read, err := c.ring.Get()
	if err != nil {
		return err
	}
	if err := errors.Join(read.SetFlags(syscalls.IOSQE_IO_LINK), read.Read(c.in, b, offset)); err != nil {
		return err
	}
	write, err := c.ring.Get()
	if err != nil {
		return err
	}
	if err := write.Write(c.out, b, offset); err != nil {
		return err
	}
	c.chains[read.Token()] = chain{b, offset, false}
	c.chains[write.Token()] = chain{b, offset, true}
	return nil
}

// noWorker reports whether the kernel wanted a thread for an operation, was interrupted, and cancelled it: see the
// documentation of iouring. Nobody else cancels here.
func noWorker(done iouring.Completion) bool { return errors.Is(done.Err(), syscall.ECANCELED) }

func (h chain) failed(done iouring.Completion) error {
	what := "read"
	if h.write {
		what = "write"
	}
	if err := done.Err(); err != nil {
		return fmt.Errorf("%s at %d: %w", what, h.offset, err)
	}
	return fmt.Errorf("%s at %d: %d bytes of %d: the file has changed, or the disk is full", what, h.offset, done.Res, block)
}

// tail copies what is left. O_DIRECT writes no part of a sector, so it writes more and cuts that off.
func (c *copier) tail() error {
	n := int(c.size % block)
	if n == 0 {
		return nil
	}
	b, err := c.buffers.Get()
	if err != nil {
		return err
	}
	clear(b)
	b = b[:(n+align-1)/align*align]
	offset := c.size - int64(n)
	got, err := c.one(func(e iouring.Entry) error { return e.Read(c.in, b, offset) })
	if err != nil || got != n {
		return fmt.Errorf("read at %d: %d bytes of %d: %w", offset, got, n, err)
	}
	got, err = c.one(func(e iouring.Entry) error { return e.Write(c.out, b, offset) })
	if err != nil || got != len(b) {
		return fmt.Errorf("write at %d: %d bytes of %d: %w", offset, got, len(b), err)
	}
	return os.NewSyscallError("ftruncate", syscall.Ftruncate(c.out, c.size))
}

// one runs one operation to its end.
func (c *copier) one(fill func(iouring.Entry) error) (int, error) {
	e, err := c.ring.Get()
	if err == nil {
		err = fill(e)
	}
	if err == nil {
		_, err = c.ring.SubmitAndWait(1, -1)
	}
	if err != nil {
		return 0, err
	}
	for done := range c.ring.Completions() {
		if noWorker(done) {
			return c.one(fill)
		}
		return int(done.Res), done.Err()
	}
	return 0, errors.New("no completion")
}
