//go:build amd64 || arm64

package pagefault

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"os"
	"runtime"
	"sync"

	"golang.org/x/sys/unix"

	"github.com/ring3-go/ring3/syscalls"
)

// A remoteServer is a server in another process than the memory's.
type remoteServer struct {
	server
	cancel context.CancelFunc
	guard  int // the socket of the guard of the memory
	stop   int // an eventfd: the region is gone
}

// accept reads an offer and makes a server of it.
func accept(conn *net.UnixConn) (_ *remoteServer, err error) {
	var o offer
	data, oob := make([]byte, binary.Size(&o)), make([]byte, unix.CmsgSpace(4*4))
	n, oobn, _, _, err := conn.ReadMsgUnix(data, oob)
	if err != nil {
		return nil, err
	}
	fds, err := descriptors(oob[:oobn])
	s := &remoteServer{guard: -1, stop: -1}
	s.fd = -1
	defer func() {
		if err != nil {
			s.end()
		}
	}()
	given := []*int{&s.fd, &s.guard}
	memfd := -1
	if len(fds) == 3 {
		given = append(given, &memfd)
		defer func() { unix.Close(memfd) }()
	}
	if err != nil || len(fds) != len(given) || n != len(data) {
		for _, fd := range fds {
			unix.Close(fd)
		}
		memfd = -1
		return nil, fmt.Errorf("no offer of a region (%d bytes, %d descriptors): %w", n, len(fds), errors.Join(err, os.ErrInvalid))
	}
	for i, fd := range fds {
		*given[i] = fd
	}
	if err := binary.Read(bytes.NewReader(data), binary.NativeEndian, &o); err != nil {
		return nil, err
	}
	if o.Magic != offerMagic {
		return nil, fmt.Errorf("offer of another version: %w", os.ErrInvalid)
	}
	if err := o.validate(); err != nil {
		return nil, err
	}
	if o.PID == int64(os.Getpid()) {
		return nil, errors.New("the region is in this process")
	}
	s.page, s.faults, s.features = int(o.Page), ServeFaults(o.Faults), syscalls.UffdFeatures(o.Features)
	s.place.set(uintptr(o.Start), uintptr(o.Length))
	s.ctx, s.cancel = context.WithCancel(context.Background())
	s.unable = s.close
	if memfd >= 0 {
		if err := checkMemory(memfd, int64(o.Length)); err != nil {
			return nil, err
		}
		if s.view, err = mapRegion(memfd, int64(o.Length), unix.MAP_SHARED); err != nil {
			return nil, err
		}
	}
	if s.stop, err = unix.Eventfd(0, unix.EFD_CLOEXEC); err != nil {
		return nil, os.NewSyscallError("eventfd", err)
	}
	// The description is shared with the other process, which does not read.
	if err := unix.SetNonblock(s.fd, true); err != nil {
		return nil, os.NewSyscallError("fcntl", err)
	}
	return s, nil
}

// validate holds an offer against what a region can be: its numbers become sizes of memory here.
func (o *offer) validate() error {
	huge, _ := hugetlbLength() // 0 where there are none
	page, known := uint64(os.Getpagesize()), uint64(ServeMissing|ServeWriteProtect|ServeMinor)
	switch {
	case o.Page != page && o.Page != uint64(huge) || o.Page == 0:
		return fmt.Errorf("offer of a region with pages of %d bytes: %w", o.Page, os.ErrInvalid)
	case o.Length == 0 || o.Length > 1<<46 || (o.Start|o.Length)%o.Page != 0 || o.Start > 1<<56:
		return fmt.Errorf("offer of a region of %d bytes at %#x: %w", o.Length, o.Start, os.ErrInvalid)
	case o.Faults == 0 || o.Faults&^known != 0:
		return fmt.Errorf("offer of a region with faults %#x: %w", o.Faults, os.ErrInvalid)
	}
	return nil
}

// checkMemory says whether shared memory is there to its end, and will be.
func checkMemory(memfd int, length int64) error {
	var st unix.Stat_t
	if err := unix.Fstat(memfd, &st); err != nil {
		return os.NewSyscallError("fstat", err)
	}
	seals, err := unix.FcntlInt(uintptr(memfd), unix.F_GET_SEALS, 0)
	if err != nil || seals&sizeSeals != sizeSeals || st.Size < length {
		return fmt.Errorf("shared memory of %d bytes with seals %#x for a region of %d: %w", st.Size, seals, length, errors.Join(err, os.ErrInvalid))
	}
	return nil
}

// descriptors takes those that came with a message.
func descriptors(oob []byte) (fds []int, err error) {
	messages, err := unix.ParseSocketControlMessage(oob)
	for i := range messages {
		got, parseErr := unix.ParseUnixRights(&messages[i])
		fds, err = append(fds, got...), errors.Join(err, parseErr)
	}
	for _, fd := range fds {
		unix.CloseOnExec(fd)
	}
	return fds, err
}

// end gives back what the server has.
func (s *remoteServer) end() {
	if s.cancel != nil {
		s.cancel()
	}
	for _, fd := range []int{s.fd, s.guard, s.stop} {
		if fd >= 0 {
			unix.Close(fd)
		}
	}
	_ = unmapRegion(s.view)
}

// close asks the guard to put a page out of reach, for a kernel or a fault that has no other way.
func (s *remoteServer) close(addr uintptr, _ int64) {
	command := binary.NativeEndian.AppendUint64(nil, uint64(addr))
	command = binary.NativeEndian.AppendUint64(command, uint64(s.page))
	for {
		// It fails where the region is gone.
		if err := unix.Sendto(s.guard, command, unix.MSG_NOSIGNAL, nil); err != unix.EINTR {
			return
		}
	}
}

// work answers faults until the region is gone.
func (s *remoteServer) work(done *sync.WaitGroup) {
	over := false
	defer func() {
		if !over { // a handler ended this goroutine
			go s.work(done)
			return
		}
		done.Done()
	}()
	buffer, request := make([]byte, s.page), new(Request)
	var messages [1]syscalls.UffdMsg
	for served, more := 0, true; more; {
		n, err := syscalls.UffdRead(s.fd, messages[:])
		switch {
		case err != nil || n != 1: // mostly EAGAIN: nobody waits
			more = s.wait()
		case messages[0].Event == syscalls.UFFD_EVENT_PAGEFAULT:
			s.serve(&messages[0], buffer, request)
			if served++; served%yieldEvery == 0 {
				runtime.Gosched()
			}
		}
	}
	over = true
}

// wait returns when there may be a message, or false when there will be none any more.
func (s *remoteServer) wait() bool {
	poll := []unix.PollFd{{Fd: int32(s.fd), Events: unix.POLLIN}, {Fd: int32(s.stop), Events: unix.POLLIN}}
	for {
		_, err := unix.Poll(poll, -1)
		if err == nil {
			return poll[1].Revents == 0
		}
		if err != unix.EINTR {
			return false
		}
	}
}
