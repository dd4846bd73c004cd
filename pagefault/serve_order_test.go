//go:build linux && (amd64 || arm64)

package pagefault

import (
	"errors"
	"io"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/ring3-go/ring3/internal/features"
)

// TestEventsAreReadUntilTheLastWorkerIsDone closes a region while memory changes and a worker is busy: the kernel says
// EAGAIN to its answer until somebody reads that event, and tells of the end of the workers before.
func TestEventsAreReadUntilTheLastWorkerIsDone(t *testing.T) {
	started, goOn := make(chan struct{}), make(chan struct{})
	told, tell := make(chan struct{}, 2), make(chan struct{})
	r := region(t, ServeOptions{Size: int64(4 * pageBytes), Events: func(MemoryEvent) {
		told <- struct{}{}
		<-tell
	}, Handler: func(r *Request) error {
		close(started)
		<-goOn
		return number(r)
	}}, features.PopulateRead)
	waiter := make(chan error)
	go func() {
		_, err := readNumber(r, 0)
		waiter <- err
	}()
	<-started
	var wg sync.WaitGroup
	change := func(page int) {
		wg.Go(func() {
			if err := unix.Madvise(r.memory[page*pageBytes:(page+1)*pageBytes], unix.MADV_DONTNEED); err != nil {
				t.Error(err)
			}
		})
	}
	change(1)
	<-told // and who reads is busy now
	change(2)
	waitForFaults(t, 2) // the waiter, and who changes memory
	wg.Go(func() {
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	})
	if err := <-waiter; !errors.Is(err, ErrClosed) {
		t.Errorf("waiter: %v; want %v", err, ErrClosed)
	}
	waitForFaults(t, 2) // the doorbell, and who changes memory
	close(tell)
	close(goOn)
	wg.Wait()
}

// TestARefusalAndADropAreOneAfterTheOther drops a page in the middle of a refusal that nobody waits for: of a second
// fault of the page, after the first was refused. A page out of reach without a failure that says why would be left.
func TestARefusalAndADropAreOneAfterTheOther(t *testing.T) {
	var calls atomic.Int64
	var workers, waiters sync.WaitGroup
	workers.Add(2)
	both, goOn, dropped := make(chan struct{}), make(chan struct{}), make(chan struct{})
	r := region(t, ServeOptions{Size: int64(3 * pageBytes), Workers: 2, Handler: func(r *Request) error {
		if r.Offset != 0 { // one for each worker
			workers.Done()
			workers.Wait()
			return number(r)
		}
		switch calls.Add(1) {
		case 1:
			<-both
		case 2:
			close(both)
			<-goOn
		}
		return io.ErrUnexpectedEOF
	}}, features.PopulateRead)
	note, noted := r.server.failed, 0
	r.server.failed = func(offset int64, faults ServeFaults, err error) {
		note(offset, faults, err)
		if noted++; noted != 2 {
			return
		}
		go func() {
			defer close(dropped)
			if err := r.Drop(0, int64(pageBytes)); err != nil {
				t.Error(err)
			}
		}()
		for range 10_000 { // longer than it takes where nothing holds it up
			select {
			case <-dropped:
				return
			default:
				runtime.Gosched()
			}
		}
	}
	read := func(page int, want error) {
		waiters.Go(func() {
			if _, err := readNumber(r, page); !errors.Is(err, want) {
				t.Errorf("page %d: %v; want %v", page, err, want)
			}
		})
	}
	read(0, io.ErrUnexpectedEOF)
	read(0, io.ErrUnexpectedEOF)
	waiters.Wait()
	close(goOn)
	<-dropped
	read(1, nil)
	read(2, nil)
	waiters.Wait() // so the refusal is over
	read(0, io.ErrUnexpectedEOF)
	waiters.Wait()
}

// TestAChangeThatCloseOvertakesIsToldSo has Close begin after a change of pages has, and take the kernel's answer away.
func TestAChangeThatCloseOvertakesIsToldSo(t *testing.T) {
	r := region(t, ServeOptions{Size: int64(pageBytes), Handler: number}, features.PopulateRead)
	var wg sync.WaitGroup
	defer wg.Wait()
	err := r.change("change", 0, int64(pageBytes), func([]byte) error {
		wg.Go(func() {
			if err := r.Close(); err != nil {
				t.Error(err)
			}
		})
		<-r.server.ctx.Done()
		return unix.ENOENT
	})
	if !errors.Is(err, ErrClosed) {
		t.Errorf("%v; want %v", err, ErrClosed)
	}
}
