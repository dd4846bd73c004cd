package doctor

import (
	"context"
	"fmt"
	"os"

	"golang.org/x/sys/unix"

	"github.com/ring3-go/ring3/internal/target"
)

// pages is memory that nobody touched yet.
type pages struct {
	mem []byte
	n   uint64
}

// newPages maps 64 base pages.
func newPages() (pages, error) {
	const n = 64
	mem, err := unix.Mmap(-1, 0, n*os.Getpagesize(), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANON)
	if err != nil {
		return pages{}, os.NewSyscallError("mmap", err)
	}
	// One fault must not fill several pages. A kernel without huge pages refuses, and cannot do so anyway.
	unix.Madvise(mem, unix.MADV_NOHUGEPAGE)
	return pages{mem, n}, nil
}

// touch writes to each page: a fault each, and nothing in between that could cause another.
func (p pages) touch() {
	for i := 0; i < len(p.mem); i += len(p.mem) / int(p.n) {
		p.mem[i] = 1
	}
}

func (p pages) free() { unix.Munmap(p.mem) }

// sleep makes the calling thread leave its CPU of its own accord, n times at least.
func sleep(ctx context.Context, n uint64) error {
	start, err := switchesOf(unix.RUSAGE_THREAD)
	if err != nil {
		return err
	}
	// A timer can fire before the thread is off the CPU, and then it was no switch: hence some to spare.
	for range 20 * n {
		if err := ctx.Err(); err != nil {
			return err
		}
		millisecond := unix.Timespec{Nsec: 1e6}
		unix.Nanosleep(&millisecond, nil) // a signal that ends it early does not matter
		now, err := switchesOf(unix.RUSAGE_THREAD)
		if err != nil || now-start >= n {
			return err
		}
	}
	return fmt.Errorf("%d sleeps gave fewer than %d voluntary switches", 20*n, n)
}

func faultsOf(who int) (uint64, error) {
	var ru unix.Rusage
	err := unix.Getrusage(who, &ru)
	return uint64(ru.Minflt + ru.Majflt), os.NewSyscallError("getrusage", err)
}

func switchesOf(who int) (uint64, error) {
	var ru unix.Rusage
	err := unix.Getrusage(who, &ru)
	return uint64(ru.Nvcsw), os.NewSyscallError("getrusage", err)
}

// A tally is what an observer counted while a known number of events was caused, between what the kernel
// says: at least what the causing thread had meanwhile, at most what the target had in the slightly longer
// time around it.
type tally struct {
	seen, least, most uint64
}

// A subject is what the observers are pointed at, and whose rusage holds them to account.
type subject struct {
	target target.Target
	who    int // for getrusage
}

// self is the calling thread, which must be locked, or where its number means nothing to the kernel's side,
// the whole process.
func self() subject {
	if initialNamespace("pid", initialPidNamespace) {
		return subject{target.Target{TID: unix.Gettid()}, unix.RUSAGE_THREAD}
	}
	return subject{target.Target{PID: os.Getpid(), NoFollow: true}, unix.RUSAGE_SELF}
}

// measure causes events between two readings of an observer of s.
func (s subject) measure(observed func() (uint64, error), kernel func(who int) (uint64, error),
	cause func() error) (t tally, err error) {
	read := func(from func() (uint64, error)) (n uint64) {
		if err == nil {
			n, err = from()
		}
		return n
	}
	whole := func() (uint64, error) { return kernel(s.who) }
	thread := func() (uint64, error) { return kernel(unix.RUSAGE_THREAD) }

	mostFrom, seenFrom, leastFrom := read(whole), read(observed), read(thread)
	if err == nil {
		err = cause()
	}
	leastTo, seenTo, mostTo := read(thread), read(observed), read(whole)
	return tally{seenTo - seenFrom, leastTo - leastFrom, mostTo - mostFrom}, err
}

func (t tally) exact() bool { return t.least <= t.seen && t.seen <= t.most }

func (t tally) String() string {
	if t.least == t.most {
		return fmt.Sprintf("%d seen, %d by rusage", t.seen, t.least)
	}
	return fmt.Sprintf("%d seen, %d to %d by rusage", t.seen, t.least, t.most)
}
