package iouring

import (
	"fmt"
	"os"
	"runtime"
	"sync/atomic"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/ring3-go/ring3/syscalls"
)

// ReceiveQueueOptions say what [Ring.NewReceiveQueue] makes.
type ReceiveQueueOptions struct {
	Interface int // its number, as net.Interface.Index
	Queue     int // one of its receive queues, to which the packets are steered (ethtool -N)
	Entries   int // size of the refill ring: a power of two
	Bytes     int // memory for packets, rounded up to pages
}

// A ReceiveQueue is a queue of a network card that puts payload straight into memory of the program. It needs
// CAP_NET_ADMIN, a card that splits headers from data, and a ring with IORING_SETUP_DEFER_TASKRUN and
// IORING_SETUP_CQE32 or CQE_MIXED. Since 6.15; Documentation/networking/iou-zcrx.rst.
//
// The memory belongs to the ring, and goes with it.
type ReceiveQueue struct {
	id           uint32
	area, region []byte
	token        uint64
	head, tail   *uint32
	entries      []syscalls.IoUringZcrxRQE
	local        uint32
}

// NewReceiveQueue registers a queue. Errors: EPERM; EINVAL and EOPNOTSUPP, kernel or card cannot; ENODEV, there is
// no such interface; EEXIST or EBUSY, the queue is taken.
func (r *Ring) NewReceiveQueue(o ReceiveQueueOptions) (*ReceiveQueue, error) {
	if r.closed {
		return nil, ErrClosed
	}
	page := os.Getpagesize()
	if o.Entries < 1 || o.Entries > maxEntries || o.Entries&(o.Entries-1) != 0 || o.Bytes < 1 || o.Bytes > 1<<32-page {
		return nil, invalid("%d entries, %d bytes", o.Entries, o.Bytes)
	}
	up := func(n int) int { return (n + page - 1) / page * page }
	const access, flags = unix.PROT_READ | unix.PROT_WRITE, unix.MAP_PRIVATE | unix.MAP_ANON
	q := &ReceiveQueue{}
	var err error
	if q.area, err = unix.Mmap(-1, 0, up(o.Bytes), access, flags); err != nil {
		return nil, os.NewSyscallError("mmap", err)
	}
	size := up(page + o.Entries*int(unsafe.Sizeof(syscalls.IoUringZcrxRQE{})))
	if q.region, err = unix.Mmap(-1, 0, size, access, flags|unix.MAP_POPULATE); err != nil {
		q.unmap()
		return nil, os.NewSyscallError("mmap", err)
	}
	area := &syscalls.IoUringZcrxAreaReg{Addr: address(unsafe.Pointer(&q.area[0])), Len: uint64(len(q.area))}
	region := &syscalls.IoUringRegionDesc{
		UserAddr: address(unsafe.Pointer(&q.region[0])), Size: uint64(size), Flags: syscalls.IORING_MEM_REGION_TYPE_USER,
	}
	reg := syscalls.IoUringZcrxIfqReg{
		IfIdx: uint32(o.Interface), IfRXQ: uint32(o.Queue), RQEntries: uint32(o.Entries),
		AreaPtr: address(unsafe.Pointer(area)), RegionPtr: address(unsafe.Pointer(region)),
	}
	_, err = r.register(syscalls.IORING_REGISTER_ZCRX_IFQ, unsafe.Pointer(&reg), 1)
	runtime.KeepAlive(area)
	runtime.KeepAlive(region)
	if err != nil {
		q.unmap()
		return nil, err
	}
	q.id, q.token = reg.ZcrxID, area.RQAreaToken
	q.head = (*uint32)(unsafe.Pointer(&q.region[reg.Offsets.Head]))
	q.tail = (*uint32)(unsafe.Pointer(&q.region[reg.Offsets.Tail]))
	q.entries = unsafe.Slice((*syscalls.IoUringZcrxRQE)(unsafe.Pointer(&q.region[reg.Offsets.RQEs])), o.Entries)
	r.queues = append(r.queues, q)
	return q, nil
}

func (q *ReceiveQueue) unmap() {
	for _, b := range [][]byte{q.area, q.region} {
		if b != nil {
			unix.Munmap(b)
		}
	}
	*q = ReceiveQueue{}
}

// RecvZC receives without a copy, again and again: each completion of 32 bytes says where in the queue's memory the
// data is; see [ReceiveQueue.Bytes]. n is how much in all, 0 without end. Since 6.15; io_uring_enter(2).
func (e Entry) RecvZC(fd int, q *ReceiveQueue, n uint32, flags int) error {
	s, _, err := e.begin(syscalls.IORING_OP_RECV_ZC)
	if err == nil {
		s.FD, s.Len, s.OpFlags, s.FileIndex = int32(fd), n, uint32(flags), q.id
		s.IoPrio |= uint16(syscalls.IORING_RECV_MULTISHOT)
	}
	return err
}

// Bytes returns the data of a completion of RecvZC. It is the program's until Release.
func (q *ReceiveQueue) Bytes(c Completion) ([]byte, error) {
	from := c.Extra.First &^ syscalls.IORING_ZCRX_AREA_MASK
	if c.Res < 0 || from+uint64(c.Res) > uint64(len(q.area)) {
		return nil, fmt.Errorf("iouring: no data of this queue: %w", unix.EINVAL)
	}
	return q.area[from:][:c.Res:c.Res], nil
}

// Release gives the memory of a completion back. Errors: [ErrFull], the kernel has yet to take what was given back
// before.
func (q *ReceiveQueue) Release(c Completion) error {
	if q.entries == nil {
		return ErrClosed
	}
	if q.local-atomic.LoadUint32(q.head) >= uint32(len(q.entries)) {
		return ErrFull
	}
	at := q.local & uint32(len(q.entries)-1)
	q.entries[at] = syscalls.IoUringZcrxRQE{Off: c.Extra.First&^syscalls.IORING_ZCRX_AREA_MASK | q.token, Len: uint32(c.Res)}
	q.local++
	atomic.StoreUint32(q.tail, q.local)
	return nil
}
