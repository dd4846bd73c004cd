package bpf

import (
	"encoding/binary"
	"fmt"
	"io"
	"runtime"
	"unsafe"

	"github.com/cilium/ebpf"
	"golang.org/x/sys/unix"

	"github.com/ring3-go/ring3/internal/procfs"
)

// perfEvent is one software event on one CPU, with a program on it.
type perfEvent struct {
	fd     int
	config uint64
}

// AttachPerf runs the program at every occurrence of a software event (a PERF_COUNT_SW_ constant) on
// every CPU that is online now, for every task. Occurrences on a CPU that comes online later are not
// seen. The program has the cookie from bpf_get_attach_cookie, and can tell by it what it runs for.
// Source: perf_event_open(2).
func (s *Session) AttachPerf(program string, config, cookie uint64) error {
	cpus, err := procfs.OnlineCPUs()
	if err != nil {
		return fmt.Errorf("attach %s: %w", program, err)
	}
	for _, cpu := range cpus {
		if err := s.attachPerfOn(cpu, program, config, cookie); err != nil {
			return err
		}
	}
	return nil
}

func (s *Session) attachPerfOn(cpu int, program string, config, cookie uint64) error {
	attr := unix.PerfEventAttr{
		Type:        unix.PERF_TYPE_SOFTWARE,
		Size:        uint32(unsafe.Sizeof(unix.PerfEventAttr{})),
		Config:      config,
		Sample:      1, // every occurrence; a period of one is never throttled
		Sample_type: unix.PERF_SAMPLE_ADDR,
		Bits:        unix.PerfBitDisabled,
	}
	fd, err := unix.PerfEventOpen(&attr, -1, cpu, -1, unix.PERF_FLAG_FD_CLOEXEC)
	if err == unix.EACCES || err == unix.EPERM {
		// Debian's kernels take perf_event_paranoid 3 to mean that CAP_PERFMON is not enough.
		return &NotPermittedError{
			Op:    "open software perf event",
			Needs: "CAP_PERFMON and kernel.perf_event_paranoid at most 2, or CAP_SYS_ADMIN",
			Err:   err,
		}
	} else if err != nil {
		return explain("open software perf event", err)
	}
	s.mu.Lock()
	s.events = append(s.events, perfEvent{fd, config})
	s.mu.Unlock()

	l, err := linkPerf(s.coll.Programs[program], fd, cookie)
	if err != nil {
		return explain("attach "+program, err)
	}
	s.keep(l)
	if err := unix.IoctlSetInt(fd, unix.PERF_EVENT_IOC_ENABLE, 0); err != nil {
		return fmt.Errorf("enable software perf event: %w", err)
	}
	return nil
}

// linkPerf is BPF_LINK_CREATE for a perf event, which the library makes without a cookie. Since Linux 5.15.
// Source: include/uapi/linux/bpf.h.
func linkPerf(program *ebpf.Program, event int, cookie uint64) (io.Closer, error) {
	attr := struct { // the part of union bpf_attr that is read
		program, target, attachType, flags uint32
		cookie                             uint64
	}{uint32(program.FD()), uint32(event), uint32(ebpf.AttachPerfEvent), 0, cookie}
	// attr is ours until the call returns, and has no pointers in it.
	fd, _, errno := unix.Syscall(unix.SYS_BPF, unix.BPF_LINK_CREATE, uintptr(unsafe.Pointer(&attr)), unsafe.Sizeof(attr))
	runtime.KeepAlive(program) // or its descriptor could be closed meanwhile
	if errno != 0 {
		return nil, errno
	}
	return descriptor(fd), nil
}

type descriptor int

func (fd descriptor) Close() error { return unix.Close(int(fd)) }

// PerfCount returns how often the event occurred since it was attached, as the kernel counts it. The
// kernel skips a program while another one runs on that CPU, so this can exceed the program's runs.
func (s *Session) PerfCount(config uint64) (uint64, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var total uint64
	for _, e := range s.events {
		if e.config != config {
			continue
		}
		var buf [8]byte
		if _, err := unix.Read(e.fd, buf[:]); err != nil {
			return 0, fmt.Errorf("read software perf event: %w", err)
		}
		total += binary.NativeEndian.Uint64(buf[:])
	}
	return total, nil
}

// PausePerf stops an event, or lets it occur again. While it is stopped, the kernel goes on as if no
// program were attached: the way to see what an observer makes of events that it is not shown.
func (s *Session) PausePerf(config uint64, pause bool) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	op := unix.PERF_EVENT_IOC_ENABLE
	if pause {
		op = unix.PERF_EVENT_IOC_DISABLE
	}
	for _, e := range s.events {
		if e.config != config {
			continue
		}
		if err := unix.IoctlSetInt(e.fd, uint(op), 0); err != nil {
			return fmt.Errorf("pause software perf event: %w", err)
		}
	}
	return nil
}
