//go:build linux

package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"runtime"
	"strconv"

	"golang.org/x/sys/unix"

	"github.com/ring3-go/ring3/iouring"
)

// uringNop compares what a ring costs when the kernel has nothing to do: submission and completion alone.
func uringNop(batch, n int) Benchmark {
	return uring("nop", batch, n, fmt.Sprintf("NOPs, %d at a time, %d of them", batch, n))
}

// uringRead compares reads of 4 KiB from a file in the page cache.
func uringRead(depth, n int) Benchmark {
	return uring("read", depth, n, fmt.Sprintf("cached 4 KiB reads, %d at a time, %d of them", depth, n))
}

func uring(what string, batch, n int, text string) Benchmark {
	return Benchmark{
		Group: "iouring", Name: fmt.Sprintf("uring-%s-%d", what, batch), What: text, Unit: Nanoseconds, Per: what,
		Ours: Subject{Label: "iouring", Measure: func(e *Env) (Sample, error) {
			runtime.LockOSThread()
			defer runtime.UnlockOSThread()
			u, err := newUringLoad(what, batch)
			if errors.Is(err, errors.ErrUnsupported) || errors.Is(err, fs.ErrPermission) {
				return Sample{}, missingError(err.Error())
			}
			if err != nil {
				return Sample{}, err
			}
			defer u.close()
			s, err := inBatches("", n, callBatches, u.run).Measure(e)
			if err == nil {
				err = u.err
			}
			return s, err
		}},
		References: []Reference{{withLibrary(c("C liburing", "uring", what, strconv.Itoa(batch), strconv.Itoa(n)), "liburing.so"), 1.05}},
	}
}

func withLibrary(s Subject, name string) Subject {
	s.Library = name
	return s
}

const (
	uringPages = 4096
	uringPage  = 4096
)

// A uringLoad is reference/uring.c in Go.
type uringLoad struct {
	ring    *iouring.Ring
	fd      int // -1: NOPs
	batch   int
	buffers []byte
	done    []iouring.Completion
	state   uint64
	err     error
}

func newUringLoad(what string, batch int) (*uringLoad, error) {
	u := &uringLoad{fd: -1, batch: batch, done: make([]iouring.Completion, 64), state: 88172645463325252}
	if what == "read" {
		f, err := os.CreateTemp("/tmp", "ring3-uring-")
		if err != nil {
			return nil, err
		}
		defer f.Close()
		os.Remove(f.Name())
		if _, err := f.Write(make([]byte, uringPages*uringPage)); err != nil {
			return nil, err
		}
		if u.fd, err = unix.Dup(int(f.Fd())); err != nil {
			return nil, os.NewSyscallError("dup", err)
		}
		u.buffers = make([]byte, batch*uringPage)
	}
	var err error
	if u.ring, err = iouring.New(iouring.Options{Entries: batch, SingleIssuer: true}); err != nil {
		u.close()
		return nil, err
	}
	// A process with threads pays for each reference to a descriptor, which C beside it, with one thread, does not.
	if err := u.ring.RegisterRingFD(); err != nil {
		u.close()
		return nil, err
	}
	return u, nil
}

func (u *uringLoad) close() {
	if u.ring != nil {
		u.ring.Close()
	}
	if u.fd >= 0 {
		unix.Close(u.fd)
	}
}

// run makes n operations, in whole batches.
func (u *uringLoad) run(n int) {
	for range n / u.batch {
		if u.err == nil {
			u.err = u.one()
		}
	}
}

func (u *uringLoad) one() error {
	want, fill := int32(uringPage), u.read
	if u.fd < 0 {
		want, fill = 0, u.nop
	}
	if err := fill(); err != nil {
		return err
	}
	if _, err := u.ring.SubmitAndWait(u.batch, -1); err != nil {
		return err
	}
	for left := u.batch; left > 0; {
		n := u.ring.Reap(u.done)
		for i := range u.done[:n] {
			if c := &u.done[i]; c.Res != want {
				return fmt.Errorf("completion %v", *c)
			}
		}
		left -= n
	}
	return nil
}

func (u *uringLoad) nop() error {
	ring := u.ring
	for range u.batch {
		e, err := ring.Get()
		if err != nil {
			return err
		}
		if err := e.Nop(); err != nil {
			return err
		}
	}
	return nil
}

func (u *uringLoad) read() error {
	for i := range u.batch {
		e, err := u.ring.Get()
		if err != nil {
			return err
		}
		u.state ^= u.state << 13
		u.state ^= u.state >> 7
		u.state ^= u.state << 17
		if err := e.Read(u.fd, u.buffers[i*uringPage:][:uringPage], int64(u.state%uringPages*uringPage)); err != nil {
			return err
		}
	}
	return nil
}
