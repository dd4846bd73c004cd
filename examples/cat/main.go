//go:build linux

// Cat writes files to standard output, by io_uring: all are opened by one call, and each call after that reads a
// part of a file and writes the part before.
//
// Synopsis:
//
//	cat FILE...
//
// It ends at the first file that cannot be read. Exit codes: 0 done, 1 error, 2 usage.
package main

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"syscall"

	"github.com/ring3-go/ring3/iouring"
)

func main() {
	if len(os.Args) < 2 {
		fmt.Fprintln(os.Stderr, "usage: cat FILE...")
		os.Exit(2)
	}
	if err := run(os.Args[1:], int(os.Stdout.Fd())); err != nil {
		fmt.Fprintln(os.Stderr, "cat:", err)
		os.Exit(1)
	}
}

const (
	part     = 256 << 10 // bytes of one read
	together = 64        // files that are open at a time
	atFDCWD  = -100      // AT_FDCWD: paths begin at the working directory
)

func run(paths []string, out int) error {
	runtime.LockOSThread() // the ring belongs to this thread
	defer runtime.UnlockOSThread()
	ring, err := iouring.New(iouring.Options{Entries: together, SingleIssuer: true})
	if err != nil {
		return err
	}
	defer ring.Close() // which would also cancel and await what an error leaves behind
	c := &cat{ring: ring, out: out, fills: make(map[iouring.Token]func(iouring.Entry) error)}
	c.buffers[0], c.buffers[1] = make([]byte, part), make([]byte, part)
	for len(paths) > 0 {
		n := min(len(paths), together)
		if err := c.files(paths[:n]); err != nil {
			return err
		}
		paths = paths[n:]
	}
	return nil
}

type cat struct {
	ring    *iouring.Ring
	out     int
	buffers [2][]byte
	fills   map[iouring.Token]func(iouring.Entry) error // what is under way, should it have to be done again
}

// files opens files together and writes them out one after the other.
func (c *cat) files(paths []string) error {
	opens := make([]iouring.Token, len(paths))
	for i, path := range paths {
		tok, err := c.start(func(e iouring.Entry) error {
			return e.Openat(atFDCWD, path, syscall.O_RDONLY|syscall.O_CLOEXEC, 0)
		})
		if err != nil {
			return err
		}
		opens[i] = tok
	}
	opened, err := c.wait(len(paths))
	if err != nil {
		return err
	}
	for _, tok := range opens {
		if fd := opened[tok]; fd >= 0 {
			defer syscall.Close(int(fd))
		}
	}
	for i, path := range paths {
		fd := opened[opens[i]]
		if fd < 0 {
			return fmt.Errorf("open %s: %w", path, syscall.Errno(-fd))
		}
		if err := c.file(int(fd)); err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
	}
	return nil
}

// file writes out one file: a part is read while the one before is written.
func (c *cat) file(fd int) error {
	have, next := c.buffers[0][:0], c.buffers[1]
	for {
		read, err := c.start(func(e iouring.Entry) error { return e.Read(fd, next, -1) })
		if err != nil {
			return err
		}
		operations := 1
		var write iouring.Token
		if len(have) > 0 {
			if write, err = c.start(func(e iouring.Entry) error { return e.Write(c.out, have, -1) }); err != nil {
				return err
			}
			operations++
		}
		results, err := c.wait(operations)
		if err != nil {
			return err
		}
		if err := c.rest(have, results[write]); err != nil {
			return err
		}
		n := results[read]
		if n < 0 {
			return fmt.Errorf("read: %w", syscall.Errno(-n))
		}
		if n == 0 {
			return nil
		}
		have, next = next[:n], have[:part]
	}
}

// rest writes what a first write, whose result is n, has left of b: a pipe may take less.
func (c *cat) rest(b []byte, n int32) error {
	for n >= 0 && int(n) < len(b) {
		b = b[n:]
		tok, err := c.start(func(e iouring.Entry) error { return e.Write(c.out, b, -1) })
		if err != nil {
			return err
		}
		results, err := c.wait(1)
		if err != nil {
			return err
		}
		n = results[tok]
	}
	if n < 0 {
		return fmt.Errorf("write: %w", syscall.Errno(-n))
	}
	return nil
}

// start fills in an entry, which the next wait submits.
func (c *cat) start(fill func(iouring.Entry) error) (iouring.Token, error) {
	e, err := c.ring.Get()
	if err != nil {
		return 0, err
	}
	c.fills[e.Token()] = fill
	return e.Token(), fill(e)
}

// wait submits, waits for all n operations that are under way, and returns their results. One for which the kernel wanted
// a thread and got none is done again: see the documentation of iouring. Nobody else cancels here.
func (c *cat) wait(n int) (map[iouring.Token]int32, error) {
	results := make(map[iouring.Token]int32, n)
	first := make(map[iouring.Token]iouring.Token) // of what is done again
	for len(results) < n {
		if _, err := c.ring.SubmitAndWait(1, -1); err != nil {
			return nil, err
		}
		for done := range c.ring.Completions() {
			tok, fill := done.Token, c.fills[done.Token]
			if t, ok := first[tok]; ok {
				tok = t
			}
			if !errors.Is(done.Err(), syscall.ECANCELED) {
				results[tok] = done.Res
				continue
			}
			again, err := c.start(fill)
			if err != nil {
				return nil, err
			}
			first[again] = tok
		}
	}
	clear(c.fills)
	return results, nil
}
