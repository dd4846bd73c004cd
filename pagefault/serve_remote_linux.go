//go:build amd64 || arm64

package pagefault

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"sync"

	"golang.org/x/sys/unix"
)

// An offer goes to the process of a remote handler, with descriptors: of the userfaultfd, of the guard's
// socket, and of the memory where that is shared.
type offer struct {
	Magic    [8]byte
	PID      int64 // whose memory it is
	Start    uint64
	Length   uint64
	Page     uint64
	Faults   uint64
	Features uint64
}

var offerMagic = [8]byte{'r', 'i', 'n', 'g', '3', 'u', 'f', '1'}

// A report comes back, a line of JSON each: first that the handler is ready or why not, then the pages that cannot
// be had, each before who waits for it is released.
type report struct {
	PID    int         `json:"pid,omitempty"` // of a handler that is ready
	Offset int64       `json:"offset,omitempty"`
	Faults ServeFaults `json:"faults,omitempty"`
	Error  string      `json:"error,omitempty"`
}

// A remoteEnd is the region's end of the connection to a remote handler.
type remoteEnd struct {
	conn  *net.UnixConn
	guard *guard
	done  sync.WaitGroup // who listens

	mu   sync.Mutex
	news sync.Cond // a report came, or the handler went
	gone bool
}

// handOver gives the faults of a region to the process at the other end of a connection.
func handOver(r *Region, conn *net.UnixConn, memfd int) (_ *remoteEnd, err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("hand over to a remote handler: %w", err)
		}
	}()
	s := r.server
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, os.NewSyscallError("socketpair", err)
	}
	defer unix.Close(pair[1])
	e := &remoteEnd{conn: conn}
	e.news.L = &e.mu
	if e.guard, err = startGuard(pair[0], s.fd, r.memory); err != nil {
		unix.Close(pair[0])
		return nil, err
	}
	defer func() {
		if err != nil {
			e.guard.stop()
		}
	}()
	o := offer{offerMagic, int64(os.Getpid()), uint64(addressOf(r.memory)), uint64(len(r.memory)),
		uint64(s.page), uint64(s.faults), uint64(s.features)}
	fds := []int{s.fd, pair[1]}
	if memfd >= 0 {
		fds = append(fds, memfd)
	}
	header, err := binary.Append(nil, binary.NativeEndian, &o)
	if err != nil {
		return nil, err
	}
	if _, _, err := conn.WriteMsgUnix(header, unix.UnixRights(fds...), nil); err != nil {
		return nil, err
	}
	reports := json.NewDecoder(conn)
	var first report
	if err := reports.Decode(&first); err != nil {
		return nil, errors.Join(ErrHandlerGone, err)
	}
	if first.Error != "" {
		return nil, errors.New(first.Error)
	}
	if first.PID == os.Getpid() {
		return nil, errors.New("the remote handler is in this process")
	}
	e.done.Go(func() { e.listen(r, reports) })
	return e, nil
}

// listen keeps what the handler says of pages, until it is gone.
func (e *remoteEnd) listen(r *Region, reports *json.Decoder) {
	for {
		var p report
		err := reports.Decode(&p)
		e.mu.Lock()
		if err != nil {
			e.gone = true
		} else {
			r.noteFailure(p.Offset, p.Faults, errors.New(p.Error))
		}
		e.news.Broadcast()
		e.mu.Unlock()
		if err != nil {
			return
		}
	}
}

// why returns the reason for a signal at an offset of the region. The report was written before the signal was
// made, but may not have been read yet.
func (e *remoteEnd) why(r *Region, offset int64) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	for {
		if r.closing.Load() {
			return ErrClosed
		}
		if err := r.failure(offset, offset+1, AccessWrite); err != nil {
			return err
		}
		if e.gone {
			return ErrHandlerGone
		}
		e.news.Wait()
	}
}

// close ends the conversation: whoever waits for a page meets the guard's refusal, and is told by [remoteEnd.why].
func (e *remoteEnd) close(*Region) error {
	e.guard.stop()
	err := e.conn.Close()
	e.done.Wait()
	return err
}

// ServeRemote answers the faults of a region of another process, which called [Serve] with the other end of the
// connection, until that closes it or its process ends; then, when the handlers under way have returned, it returns nil. Up to
// workers calls of the handler run at once; 0 is 1. ServeRemote closes the connection.
//
// The process must be another one, and must not share the memory. It needs no privilege. Where the process with
// the region cannot go on without an answer, it can be killed all the same.
func ServeRemote(conn *net.UnixConn, handler Handler, workers int) error {
	defer conn.Close()
	if handler == nil || workers < 0 || workers > 1024 {
		return fmt.Errorf("serve page faults: handler %t, %d workers: %w", handler != nil, workers, os.ErrInvalid)
	}
	s, err := accept(conn)
	if err != nil {
		err = fmt.Errorf("serve page faults of another process: %w", err)
		_ = json.NewEncoder(conn).Encode(report{Error: err.Error()})
		return err
	}
	defer s.end()
	s.handler = handler
	reports := json.NewEncoder(conn)
	if err := reports.Encode(report{PID: os.Getpid()}); err != nil {
		return fmt.Errorf("serve page faults of another process: %w", err)
	}
	var mu sync.Mutex
	s.failed = func(offset int64, faults ServeFaults, err error) {
		mu.Lock()
		defer mu.Unlock()
		// Nobody reads it where the region is gone, and then nobody misses it.
		_ = reports.Encode(report{Offset: offset, Faults: faults, Error: err.Error()})
	}
	var done sync.WaitGroup
	for range max(workers, 1) {
		done.Add(1)
		go s.work(&done)
	}
	_, err = io.Copy(io.Discard, conn) // it says nothing more; this returns when it is gone
	s.cancel()
	hang := make([]byte, 8)
	hang[0] = 1
	_, _ = unix.Write(s.stop, hang)
	done.Wait()
	if err != nil && !errors.Is(err, unix.ECONNRESET) {
		return fmt.Errorf("serve page faults of another process: %w", err)
	}
	return nil
}
