//go:build amd64 || arm64

package pagefault

import (
	"errors"
	"os"
	"runtime"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/ring3-go/ring3/syscalls"
)

// start begins to answer faults, with goroutines of this process.
//
// Each worker waits in read(2) on a blocking descriptor, which is one system call a fault less than poll(2) before
// it. What ends such a wait is a fault: the doorbell has a page for each worker, and each page ends the worker
// that is told of it. Its last page ends who reads for the workers.
func (r *Region) start(opts ServeOptions) error {
	workers := max(opts.Workers, 1)
	doorbell, err := mapRegion(-1, int64((workers+1)*os.Getpagesize()), unix.MAP_PRIVATE|unix.MAP_ANONYMOUS)
	if err != nil {
		return err
	}
	r.doorbell = doorbell
	if err := unix.Madvise(doorbell, unix.MADV_NOHUGEPAGE); err != nil && err != unix.EINVAL {
		return os.NewSyscallError("madvise MADV_NOHUGEPAGE", err)
	}
	if err := unix.Madvise(doorbell, unix.MADV_DONTFORK); err != nil {
		return os.NewSyscallError("madvise MADV_DONTFORK", err)
	}
	if _, err := syscalls.UffdRegister(r.server.fd, addressOf(doorbell), uintptr(len(doorbell)), syscalls.UFFDIO_REGISTER_MODE_MISSING); err != nil {
		return err
	}
	var queue *messages
	if opts.Events != nil {
		// An operation fails for as long as an event has not been read, so a goroutine that may be busy with one
		// must not be who reads, and who reads must not wait for those.
		queue = newMessages()
		r.events = true
		r.reader.Go(func() { r.dispatch(queue, opts.Events, false) })
	}
	for range workers {
		r.workers.Add(1)
		go r.work(queue)
	}
	return nil
}

// stop releases whoever waits for a page of the region, then ends the workers, and then who reads for them: until an
// event has been read that was there before, they can answer nothing.
func (r *Region) stop() {
	last := len(r.doorbell) - os.Getpagesize()
	_ = syscalls.UffdUnregister(r.server.fd, addressOf(r.memory), uintptr(len(r.memory)))
	_ = populate(r.doorbell[:last], unix.MADV_POPULATE_READ)
	r.workers.Wait()
	if r.events {
		_ = populate(r.doorbell[last:], unix.MADV_POPULATE_READ)
		r.reader.Wait()
	}
}

// work answers faults until the doorbell rings: those of the queue, and where there is none those that it reads itself.
func (r *Region) work(queue *messages) {
	rung := false
	defer func() {
		if !rung { // a handler ended this goroutine
			go r.work(queue)
			return
		}
		r.workers.Done()
	}()
	buffer, request := make([]byte, r.server.page), new(Request)
	var messages [1]syscalls.UffdMsg
	m := &messages[0]
	for served := 0; ; {
		if queue != nil {
			if !queue.take(m) {
				break
			}
		} else if n, err := syscalls.UffdRead(r.server.fd, messages[:]); n != 1 {
			if r.ended(err) {
				break
			}
			continue
		}
		if r.rings(m) {
			break
		}
		r.server.serve(m, buffer, request)
		if served++; served%yieldEvery == 0 {
			runtime.Gosched()
		}
	}
	rung = true
}

// yieldEvery is after how many pages a goroutine lets the scheduler have a turn, here and where pages are asked for: every
// few milliseconds. Two goroutines that hand each other the processor inside system calls never need one. But the
// runtime's monitor takes a P away that has seen no turn for 10 ms, and again each time it looks; and for as long as it
// takes any it looks each 20 µs, which on a virtual machine costs a fifth of the time of a page. See docs/adr/0034.
const yieldEvery = 512

// rings reports whether the message is of the doorbell, and lets the ringer go on.
func (r *Region) rings(m *syscalls.UffdMsg) bool {
	_, addr, _ := m.Pagefault()
	if addr-addressOf(r.doorbell) >= uintptr(len(r.doorbell)) {
		return false
	}
	size := uintptr(os.Getpagesize())
	_ = retried(func() error { return second(syscalls.UffdZeropage(r.server.fd, addr&^(size-1), size, 0)) })
	return true
}

// read waits for a message and takes it.
func (r *Region) read(m *syscalls.UffdMsg) bool {
	var messages [1]syscalls.UffdMsg
	for {
		n, err := syscalls.UffdRead(r.server.fd, messages[:])
		if n == 1 {
			*m = messages[0]
			return true
		}
		if r.ended(err) {
			return false
		}
	}
}

// ended reports whether a read that failed was the last.
func (r *Region) ended(err error) bool {
	if errors.Is(err, unix.EINTR) || errors.Is(err, unix.EAGAIN) {
		return false
	}
	r.giveUp()
	return true
}

// giveUp closes the region for want of messages, which no documentation allows for. The doorbell must not wait for
// an answer any more.
func (r *Region) giveUp() {
	r.closing.Store(true)
	_ = syscalls.UffdUnregister(r.server.fd, addressOf(r.memory), uintptr(len(r.memory)))
	_ = syscalls.UffdUnregister(r.server.fd, addressOf(r.doorbell), uintptr(len(r.doorbell)))
}

// dispatch reads messages, tells events and gives faults to workers, until the doorbell has rung for it.
func (r *Region) dispatch(queue *messages, tell func(MemoryEvent), rung bool) {
	over := false
	defer func() {
		if !over { // who was told ended this goroutine
			r.reader.Go(func() { r.dispatch(queue, tell, rung) })
			return
		}
		queue.end()
	}()
	last := addressOf(r.doorbell[len(r.doorbell)-os.Getpagesize():])
	for !rung || !r.letGo(last) {
		var m syscalls.UffdMsg
		if !r.read(&m) {
			break
		}
		if m.Event == syscalls.UFFD_EVENT_PAGEFAULT {
			if _, addr, _ := m.Pagefault(); addr >= last && addr < last+uintptr(os.Getpagesize()) {
				rung = true
				continue
			}
			queue.put(m)
			continue
		}
		if e, ok := r.event(&m); ok {
			tell(e)
		}
	}
	over = true
}

// letGo lets the last ringer go on. It reports false where an event is still to be read: faults come before those.
func (r *Region) letGo(bell uintptr) bool {
	_, err := syscalls.UffdZeropage(r.server.fd, bell, uintptr(os.Getpagesize()), 0)
	return !errors.Is(err, unix.EAGAIN)
}

// messages are a queue without a limit of its own: there are never more than threads that wait for pages.
type messages struct {
	mu    sync.Mutex
	news  sync.Cond
	list  []syscalls.UffdMsg
	ended bool
}

func newMessages() *messages {
	q := new(messages)
	q.news.L = &q.mu
	return q
}

func (q *messages) put(m syscalls.UffdMsg) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.list = append(q.list, m)
	q.news.Signal()
}

// end lets those who take go, when nothing is left.
func (q *messages) end() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.ended = true
	q.news.Broadcast()
}

// take waits for a message; false says that there will be none any more.
func (q *messages) take(m *syscalls.UffdMsg) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	for len(q.list) == 0 {
		if q.ended {
			return false
		}
		q.news.Wait()
	}
	*m = q.list[0]
	q.list = q.list[1:]
	return true
}

// event is what a message tells of the region's memory.
func (r *Region) event(m *syscalls.UffdMsg) (e MemoryEvent, ok bool) {
	place := &r.server.place
	switch m.Event {
	case syscalls.UFFD_EVENT_FORK:
		return MemoryEvent{Kind: MemoryFork, Child: os.NewFile(uintptr(m.Fork()), "userfaultfd")}, true
	case syscalls.UFFD_EVENT_REMAP:
		from, to, length := m.Remap()
		offset, ok := place.offset(from)
		place.move(from, to, length)
		base := place.base()
		return MemoryEvent{Kind: MemoryRemap, Start: offset, End: offset + int64(length), To: int64(to - base)}, ok
	case syscalls.UFFD_EVENT_REMOVE, syscalls.UFFD_EVENT_UNMAP:
		start, end := m.Remove()
		offset, ok := place.offset(start)
		kind := MemoryRemove
		if m.Event == syscalls.UFFD_EVENT_UNMAP {
			kind = MemoryUnmap
		}
		return MemoryEvent{Kind: kind, Start: offset, End: offset + int64(end-start)}, ok
	}
	return MemoryEvent{}, false
}

// populate has the kernel make the pages.
func populate(m []byte, advice int) error {
	for {
		errno := advise(m, advice)
		if errno == 0 {
			return nil
		}
		if !again(errno) {
			return errno
		}
	}
}

// advise is madvise(2), a system call that the scheduler knows of.
func advise(m []byte, advice int) unix.Errno {
	_, _, errno := syscall.Syscall(unix.SYS_MADVISE, addressOf(m), uintptr(len(m)), uintptr(advice))
	return errno
}

// again reports whether a call is to be made again.
func again(errno unix.Errno) bool { return errno == unix.EINTR || errno == unix.EAGAIN }
