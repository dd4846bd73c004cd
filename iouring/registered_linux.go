package iouring

import (
	"math"
	"runtime"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/ring3-go/ring3/syscalls"
)

// maxRegistered is the kernel's limit of registered buffers; that of files is RLIMIT_NOFILE.
const maxRegistered = 1 << 14

// vectors describes buffers to the kernel.
func vectors(buffers [][]byte) ([]unix.Iovec, error) {
	v := make([]unix.Iovec, len(buffers))
	for i, b := range buffers {
		if err := checkBuffer(b); err != nil {
			return nil, err
		}
		if len(b) > 0 {
			v[i].Base = &b[0]
			v[i].SetLen(len(b))
		}
	}
	return v, nil
}

// RegisterBuffers fixes buffers in memory, for ReadFixed, WriteFixed and others: the kernel then need not look for
// their pages each time. A nil buffer is an empty slot. The ring keeps them until they are replaced or it is closed.
//
// Errors: EBUSY, there are buffers; ENOMEM, mostly RLIMIT_MEMLOCK; EINVAL, more than 16384. Since 5.1.
func (r *Ring) RegisterBuffers(buffers [][]byte) error {
	if r.closed {
		return ErrClosed
	}
	if len(buffers) == 0 || len(buffers) > maxRegistered {
		return invalid("%d buffers", len(buffers))
	}
	v, err := vectors(buffers)
	if err != nil {
		return err
	}
	if err := r.registerOpen(syscalls.IORING_REGISTER_BUFFERS, unsafe.Pointer(&v[0]), uint32(len(v))); err != nil {
		return err
	}
	r.fixed = make([]unsafe.Pointer, len(v))
	r.keepFixed(0, v)
	return nil
}

// keepFixed remembers what the slots refer to.
func (r *Ring) keepFixed(from int, v []unix.Iovec) {
	for i := range v {
		r.fixed[from+i] = unsafe.Pointer(v[i].Base)
	}
}

// RegisterSparseBuffers makes n empty slots. Since 5.19.
func (r *Ring) RegisterSparseBuffers(n int) error {
	if n < 1 || n > maxRegistered {
		return invalid("%d buffers", n)
	}
	arg := syscalls.IoUringRsrcRegister{Nr: uint32(n), Flags: syscalls.IORING_RSRC_REGISTER_SPARSE}
	if err := r.registerOpen(syscalls.IORING_REGISTER_BUFFERS2, unsafe.Pointer(&arg), uint32(unsafe.Sizeof(arg))); err != nil {
		return err
	}
	r.fixed = make([]unsafe.Pointer, n)
	return nil
}

// UpdateBuffers replaces buffers from slot from on; nil empties a slot. Operations under way keep what they have.
// Where tags is not nil, it has as many numbers: when the last operation that uses a buffer has ended after it was
// replaced, a completion comes with the message of its number, unless that is 0. Since 5.13.
func (r *Ring) UpdateBuffers(from int, buffers [][]byte, tags []uint32) error {
	if r.closed {
		return ErrClosed
	}
	if from < 0 || len(buffers) == 0 || from+len(buffers) > len(r.fixed) {
		return invalid("buffers %d to %d of %d", from, from+len(buffers), len(r.fixed))
	}
	v, err := vectors(buffers)
	if err != nil {
		return err
	}
	wide, err := wideTags(tags, len(v))
	if err != nil {
		return err
	}
	arg := syscalls.IoUringRsrcUpdate2{Offset: uint32(from), Nr: uint32(len(v)), Data: address(unsafe.Pointer(&v[0]))}
	if wide != nil {
		arg.Tags = address(unsafe.Pointer(&wide[0]))
	}
	n, err := r.register(syscalls.IORING_REGISTER_BUFFERS_UPDATE, unsafe.Pointer(&arg), uint32(unsafe.Sizeof(arg)))
	runtime.KeepAlive(v)
	runtime.KeepAlive(wide)
	if err != nil {
		return err
	}
	r.keepFixed(from, v[:n])
	return nil
}

func wideTags(tags []uint32, n int) ([]uint64, error) {
	if tags == nil {
		return nil, nil
	}
	if len(tags) != n {
		return nil, invalid("%d tags for %d", len(tags), n)
	}
	wide := make([]uint64, n)
	for i, tag := range tags {
		wide[i] = uint64(Message(tag))
	}
	return wide, nil
}

// UnregisterBuffers gives all registered buffers back. Errors: ENXIO, there are none. Since 5.1.
func (r *Ring) UnregisterBuffers() error {
	if err := r.registerOpen(syscalls.IORING_UNREGISTER_BUFFERS, nil, 0); err != nil {
		return err
	}
	r.fixed = nil
	return nil
}

// CloneBuffers makes registered buffers of another ring this one's too: n of them, from its slot srcFrom to ours
// dstFrom, replacing what is there; n 0 is all, into a ring that has none. Since 6.12; a part of them 6.13.
func (r *Ring) CloneBuffers(src *Ring, srcFrom, dstFrom, n int) error {
	if r.closed || src.closed || src.fd < 0 {
		return ErrClosed
	}
	count := n
	if n == 0 {
		count = len(src.fixed) - srcFrom
	}
	if srcFrom < 0 || dstFrom < 0 || count < 1 || srcFrom+count > len(src.fixed) || dstFrom+count > maxRegistered {
		return invalid("clone %d buffers from %d to %d", n, srcFrom, dstFrom)
	}
	arg := syscalls.IoUringCloneBuffers{SrcFD: uint32(src.fd), SrcOff: uint32(srcFrom), DstOff: uint32(dstFrom), Nr: uint32(n)}
	if r.fixed != nil {
		arg.Flags |= syscalls.IORING_REGISTER_DST_REPLACE
	}
	if err := r.registerOpen(syscalls.IORING_REGISTER_CLONE_BUFFERS, unsafe.Pointer(&arg), 1); err != nil {
		return err
	}
	kept := make([]unsafe.Pointer, max(len(r.fixed), dstFrom+count))
	copy(kept, r.fixed)
	copy(kept[dstFrom:], src.fixed[srcFrom:srcFrom+count])
	r.fixed = kept
	return nil
}

// descriptors narrows them to what the kernel takes.
func descriptors(fds []int) ([]int32, error) {
	if len(fds) == 0 {
		return nil, invalid("no descriptors")
	}
	list := make([]int32, len(fds))
	for i, fd := range fds {
		if fd < syscalls.IORING_REGISTER_FILES_SKIP || fd > math.MaxInt32 {
			return nil, invalid("descriptor %d", fd)
		}
		list[i] = int32(fd)
	}
	return list, nil
}

// RegisterFiles makes a table of files that operations name by their slot (IOSQE_FIXED_FILE), which spares them
// the reference. -1 is an empty slot. The descriptors may be closed then. Errors: EBUSY, there is a table; EBADF;
// EMFILE, more than RLIMIT_NOFILE. Since 5.1.
func (r *Ring) RegisterFiles(fds []int) error {
	list, err := descriptors(fds)
	if err != nil {
		return err
	}
	err = r.registerOpen(syscalls.IORING_REGISTER_FILES, unsafe.Pointer(&list[0]), uint32(len(list)))
	r.files = r.files || err == nil
	return err
}

// RegisterSparseFiles makes a table of n empty slots. Since 5.19.
func (r *Ring) RegisterSparseFiles(n int) error {
	if n < 1 {
		return invalid("%d files", n)
	}
	arg := syscalls.IoUringRsrcRegister{Nr: uint32(n), Flags: syscalls.IORING_RSRC_REGISTER_SPARSE}
	err := r.registerOpen(syscalls.IORING_REGISTER_FILES2, unsafe.Pointer(&arg), uint32(unsafe.Sizeof(arg)))
	r.files = r.files || err == nil
	return err
}

// UpdateFiles replaces files from slot from on: -1 empties a slot, IORING_REGISTER_FILES_SKIP leaves it.
// Operations under way keep theirs. Since 5.5.
func (r *Ring) UpdateFiles(from int, fds []int) error {
	list, err := descriptors(fds)
	if err != nil {
		return err
	}
	if from < 0 || int64(from) > math.MaxUint32 {
		return invalid("slot %d", from)
	}
	arg := syscalls.IoUringRsrcUpdate{Offset: uint32(from), Data: address(unsafe.Pointer(&list[0]))}
	n, err := r.register(syscalls.IORING_REGISTER_FILES_UPDATE, unsafe.Pointer(&arg), uint32(len(list)))
	runtime.KeepAlive(list)
	if err == nil && n < len(list) {
		err = invalid("descriptor %d of slot %d; those before it were set", fds[n], from+n)
	}
	return err
}

// UnregisterFiles gives the table up. Errors: ENXIO, there is none. Since 5.1.
func (r *Ring) UnregisterFiles() error {
	err := r.registerOpen(syscalls.IORING_UNREGISTER_FILES, nil, 0)
	if err == nil {
		r.files = false
	}
	return err
}

// RegisterFileRange says which slots IORING_FILE_INDEX_ALLOC chooses from: n from from on. Since 6.0.
func (r *Ring) RegisterFileRange(from, n uint32) error {
	arg := syscalls.IoUringFileIndexRange{Off: from, Len: n}
	return r.registerOpen(syscalls.IORING_REGISTER_FILE_ALLOC_RANGE, unsafe.Pointer(&arg), 0)
}
