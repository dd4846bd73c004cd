package iouring

import (
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/ring3-go/ring3/syscalls"
)

// Operations on open files. An offset of -1 is the file's own position, and means nothing to files without one.

// Nop does nothing, and completes with 0. Since 5.1; io_uring_prep_nop(3).
func (e Entry) Nop() error {
	s := e.take() // an entry that is not filled in is a NOP already
	if s == nil {
		return ErrStale
	}
	if s.flags&quiet != 0 {
		e.settle(e.ring.sqe(e.pos), s)
	}
	return nil
}

// NopWith is Nop with more to do: complete with result (IORING_NOP_INJECT_RESULT), look up fd or the registered
// buffer. Since 6.10; linux/io_uring.h.
func (e Entry) NopWith(flags syscalls.IoUringNopFlags, result int32, fd int, buffer uint16) error {
	q, _, err := e.begin(syscalls.IORING_OP_NOP)
	if err == nil {
		q.OpFlags, q.Len, q.FD, q.BufIndex = uint32(flags), uint32(result), int32(fd), buffer
	}
	return err
}

// Nop128 is Nop in an entry of 128 bytes: see [Ring.Get128]. Since 6.19.
func (e Entry) Nop128() error {
	_, _, err := e.begin(syscalls.IORING_OP_NOP128)
	return err
}

// rw fills in a read or a write of one buffer.
func (e Entry) rw(op syscalls.IoUringOp, fd int, b []byte, offset int64) (*syscalls.IoUringSQE, error) {
	if err := checkBuffer(b); err != nil {
		return nil, err
	}
	q, s, err := e.begin(op)
	if err != nil {
		return nil, err
	}
	q.FD, q.Off = int32(fd), uint64(offset)
	e.ring.point(q, s, b)
	s.index = q.Len
	return q, nil
}

// Read reads into b, or into a buffer of the group (b nil). Result: bytes, 0 at the end. Since 5.6; pread(2),
// io_uring_prep_read(3).
func (e Entry) Read(fd int, b []byte, offset int64) error {
	_, err := e.rw(syscalls.IORING_OP_READ, fd, b, offset)
	return err
}

// Write writes b. Result: bytes, which can be fewer. Since 5.6; pwrite(2), io_uring_prep_write(3).
func (e Entry) Write(fd int, b []byte, offset int64) error {
	_, err := e.rw(syscalls.IORING_OP_WRITE, fd, b, offset)
	return err
}

// ReadFixed is Read into b, which lies in the registered buffer index. Errors besides: EFAULT, it does not. Since
// 5.1; io_uring_prep_read_fixed(3).
func (e Entry) ReadFixed(fd int, b []byte, offset int64, index uint16) error {
	q, err := e.rw(syscalls.IORING_OP_READ_FIXED, fd, b, offset)
	if err == nil {
		q.BufIndex = index
	}
	return err
}

// WriteFixed is Write from b, likewise. Since 5.1; io_uring_prep_write_fixed(3).
func (e Entry) WriteFixed(fd int, b []byte, offset int64, index uint16) error {
	q, err := e.rw(syscalls.IORING_OP_WRITE_FIXED, fd, b, offset)
	if err == nil {
		q.BufIndex = index
	}
	return err
}

// maxVectors is UIO_MAXIOV.
const maxVectors = 1024

func checkVectors(buffers [][]byte) error {
	if len(buffers) > maxVectors {
		return invalid("%d buffers", len(buffers))
	}
	for _, b := range buffers {
		if err := checkBuffer(b); err != nil {
			return err
		}
	}
	return nil
}

// total is how many bytes buffers hold, as far as the kernel goes.
func total(buffers [][]byte) uint32 {
	n := 0
	for _, b := range buffers {
		n = min(n+len(b), maxBytes)
	}
	return uint32(n)
}

// vector copies the addresses of buffers into the slot.
func (r *Ring) vector(s *slot, buffers [][]byte) []unix.Iovec {
	x := s.more()
	v := x.iovecs[:]
	if len(buffers) > len(v) {
		if cap(x.more) < len(buffers) {
			x.more = make([]unix.Iovec, len(buffers))
		}
		x.more = x.more[:len(buffers)]
		v = x.more
	}
	for i, b := range buffers {
		v[i].Base = unsafe.SliceData(b)
		v[i].SetLen(len(b))
		r.weight += len(b)
	}
	return v[:len(buffers)]
}

// rwv fills in a read or a write of several buffers.
func (e Entry) rwv(op syscalls.IoUringOp, fd int, buffers [][]byte, offset int64, flags int) (*syscalls.IoUringSQE, error) {
	if err := checkVectors(buffers); err != nil {
		return nil, err
	}
	q, s, err := e.begin(op)
	if err != nil {
		return nil, err
	}
	v := e.ring.vector(s, buffers)
	q.FD, q.Off, q.OpFlags = int32(fd), uint64(offset), uint32(flags)
	q.Addr, q.Len = address(unsafe.Pointer(unsafe.SliceData(v))), uint32(len(v))
	s.index = total(buffers)
	return q, nil
}

// Readv reads into several buffers, with RWF_ flags. Result: bytes. Since 5.1; preadv2(2), io_uring_prep_readv2(3).
func (e Entry) Readv(fd int, buffers [][]byte, offset int64, flags int) error {
	_, err := e.rwv(syscalls.IORING_OP_READV, fd, buffers, offset, flags)
	return err
}

// Writev writes several buffers, with RWF_ flags. Result: bytes. Since 5.1; pwritev2(2), io_uring_prep_writev2(3).
func (e Entry) Writev(fd int, buffers [][]byte, offset int64, flags int) error {
	_, err := e.rwv(syscalls.IORING_OP_WRITEV, fd, buffers, offset, flags)
	return err
}

// ReadvFixed is Readv into parts of the registered buffer index. Since 6.15; io_uring_prep_readv_fixed(3).
func (e Entry) ReadvFixed(fd int, buffers [][]byte, offset int64, flags int, index uint16) error {
	q, err := e.rwv(syscalls.IORING_OP_READV_FIXED, fd, buffers, offset, flags)
	if err == nil {
		q.BufIndex = index
	}
	return err
}

// WritevFixed is Writev from parts of the registered buffer index. Since 6.15; io_uring_prep_writev_fixed(3).
func (e Entry) WritevFixed(fd int, buffers [][]byte, offset int64, flags int, index uint16) error {
	q, err := e.rwv(syscalls.IORING_OP_WRITEV_FIXED, fd, buffers, offset, flags)
	if err == nil {
		q.BufIndex = index
	}
	return err
}

// ReadMultishot reads whenever there is something, each time into a buffer of the group: pipes and the like, not
// files. Each result: bytes. It ends with ENOBUFS where the group is empty. Since 6.7;
// io_uring_prep_read_multishot(3).
func (e Entry) ReadMultishot(fd int, offset int64, group uint16) error {
	if err := e.SetBufferGroup(group); err != nil {
		return err
	}
	_, err := e.rw(syscalls.IORING_OP_READ_MULTISHOT, fd, nil, offset)
	return err
}

// Fsync writes the file's data and, without IORING_FSYNC_DATASYNC, its attributes to the disk. Since 5.1; fsync(2),
// io_uring_prep_fsync(3).
func (e Entry) Fsync(fd int, flags syscalls.IoUringFsyncFlags) error {
	q, _, err := e.begin(syscalls.IORING_OP_FSYNC)
	if err == nil {
		q.FD, q.OpFlags = int32(fd), uint32(flags)
	}
	return err
}

// SyncFileRange begins to write n bytes to the disk, as flags say; n 0 is to the end. Since 5.2;
// sync_file_range(2), io_uring_prep_sync_file_range(3).
func (e Entry) SyncFileRange(fd int, offset int64, n uint32, flags int) error {
	q, _, err := e.begin(syscalls.IORING_OP_SYNC_FILE_RANGE)
	if err == nil {
		q.FD, q.Off, q.Len, q.OpFlags = int32(fd), uint64(offset), n, uint32(flags)
	}
	return err
}

// Fallocate changes the space that a file has. Since 5.6; fallocate(2), io_uring_prep_fallocate(3).
func (e Entry) Fallocate(fd int, mode uint32, offset, n int64) error {
	q, _, err := e.begin(syscalls.IORING_OP_FALLOCATE)
	if err == nil {
		q.FD, q.Len, q.Off, q.Addr = int32(fd), mode, uint64(offset), uint64(n)
	}
	return err
}

// Ftruncate sets a file's length. Since 6.9; ftruncate(2), io_uring_prep_ftruncate(3).
func (e Entry) Ftruncate(fd int, n int64) error {
	q, _, err := e.begin(syscalls.IORING_OP_FTRUNCATE)
	if err == nil {
		q.FD, q.Off = int32(fd), uint64(n)
	}
	return err
}

// Fadvise says how a file will be read. Since 5.6; posix_fadvise(2), io_uring_prep_fadvise(3).
func (e Entry) Fadvise(fd int, offset int64, n uint32, advice int) error {
	q, _, err := e.begin(syscalls.IORING_OP_FADVISE)
	if err == nil {
		q.FD, q.Off, q.Len, q.OpFlags = int32(fd), uint64(offset), n, uint32(advice)
	}
	return err
}

// Madvise says how memory, of whole pages, will be used. Since 5.6; madvise(2), io_uring_prep_madvise(3).
func (e Entry) Madvise(b []byte, advice int) error {
	if err := checkBuffer(b); err != nil {
		return err
	}
	q, s, err := e.begin(syscalls.IORING_OP_MADVISE)
	if err == nil {
		e.ring.point(q, s, b)
		q.FD, q.OpFlags = -1, uint32(advice)
	}
	return err
}

// Splice moves n bytes between files, one of which is a pipe, whose offset is -1. SPLICE_F_FD_IN_FIXED in flags:
// in is a slot of the registered files. Result: bytes. Since 5.7; splice(2), io_uring_prep_splice(3).
func (e Entry) Splice(in int, inOffset int64, out int, outOffset int64, n, flags uint32) error {
	q, s, err := e.begin(syscalls.IORING_OP_SPLICE)
	if err == nil {
		s.index = n
		q.FD, q.Off, q.Addr = int32(out), uint64(outOffset), uint64(inOffset)
		q.Len, q.OpFlags, q.FileIndex = n, flags, uint32(in)
	}
	return err
}

// Tee copies n bytes from one pipe to another. Result: bytes. Since 5.8; tee(2), io_uring_prep_tee(3).
func (e Entry) Tee(in, out int, n, flags uint32) error {
	q, s, err := e.begin(syscalls.IORING_OP_TEE)
	if err == nil {
		s.index = n
		q.FD, q.Len, q.OpFlags, q.FileIndex = int32(out), n, flags, uint32(in)
	}
	return err
}

// Close closes a descriptor. Errors besides: EBADF, also for a ring's. Since 5.6; close(2), io_uring_prep_close(3).
func (e Entry) Close(fd int) error {
	q, _, err := e.begin(syscalls.IORING_OP_CLOSE)
	if err == nil {
		q.FD = int32(fd)
	}
	return err
}

// CloseDirect empties a slot of the registered files. Since 5.15; io_uring_prep_close_direct(3).
func (e Entry) CloseDirect(index uint32) error {
	q, _, err := e.begin(syscalls.IORING_OP_CLOSE)
	if err == nil {
		q.FileIndex = index + 1
	}
	return err
}

// FilesUpdate is [Ring.UpdateFiles] as an operation; with from IORING_FILE_INDEX_ALLOC (5.19) the kernel chooses
// slots and writes their numbers to fds. Result: how many. Since 5.6; io_uring_prep_files_update(3).
func (e Entry) FilesUpdate(fds []int32, from uint32) error {
	if len(fds) == 0 {
		return invalid("no descriptors")
	}
	q, s, err := e.begin(syscalls.IORING_OP_FILES_UPDATE)
	if err == nil {
		s.memory = unsafe.Pointer(&fds[0])
		q.FD, q.Addr, q.Len, q.Off = -1, address(s.memory), uint32(len(fds)), uint64(from)
	}
	return err
}

// FixedFdInstall makes an ordinary descriptor of the registered file in slot index. Result: the descriptor, which
// is close-on-exec unless flags say otherwise. Since 6.8; io_uring_prep_fixed_fd_install(3).
func (e Entry) FixedFdInstall(index uint32, flags syscalls.IoUringInstallFlags) error {
	q, _, err := e.begin(syscalls.IORING_OP_FIXED_FD_INSTALL)
	if err == nil {
		q.FD, q.OpFlags = int32(index), uint32(flags)
		q.Flags |= syscalls.IOSQE_FIXED_FILE
	}
	return err
}

// Pipe makes a pipe whose ends, first the one to read from, go to fds. Flags are those of pipe2(2). Since 6.16;
// io_uring_prep_pipe(3).
func (e Entry) Pipe(fds *[2]int32, flags int) error { return e.pipe(fds, flags, 0) }

// PipeDirect is Pipe into the registered slots index and the next one, or IORING_FILE_INDEX_ALLOC.
func (e Entry) PipeDirect(fds *[2]int32, flags int, index uint32) error {
	return e.pipe(fds, flags, fileIndex(index))
}

func (e Entry) pipe(fds *[2]int32, flags int, index uint32) error {
	if fds == nil {
		return invalid("no place for the pipe's ends")
	}
	q, s, err := e.begin(syscalls.IORING_OP_PIPE)
	if err == nil {
		s.memory = unsafe.Pointer(fds)
		q.Addr, q.OpFlags = address(s.memory), uint32(flags)
		q.FileIndex, s.index = index, index
	}
	return err
}

// fileIndex is how an entry has the slot of a registered file.
func fileIndex(index uint32) uint32 {
	if index == syscalls.IORING_FILE_INDEX_ALLOC {
		return index
	}
	return index + 1
}
