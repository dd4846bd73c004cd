package iouring

import (
	"testing"

	"golang.org/x/sys/unix"

	"github.com/ring3-go/ring3/syscalls"
)

// operations has a test for each operation: a success and a failure, and what another system call says of it.
var operations = map[syscalls.IoUringOp]func(t *testing.T, r *Ring){
	syscalls.IORING_OP_NOP:              tryNop,
	syscalls.IORING_OP_READV:            tryReadv,
	syscalls.IORING_OP_WRITEV:           tryWritev,
	syscalls.IORING_OP_FSYNC:            tryFsync,
	syscalls.IORING_OP_READ_FIXED:       tryReadFixed,
	syscalls.IORING_OP_WRITE_FIXED:      tryWriteFixed,
	syscalls.IORING_OP_POLL_ADD:         tryPollAdd,
	syscalls.IORING_OP_POLL_REMOVE:      tryPollRemove,
	syscalls.IORING_OP_SYNC_FILE_RANGE:  trySyncFileRange,
	syscalls.IORING_OP_SENDMSG:          trySendmsg,
	syscalls.IORING_OP_RECVMSG:          tryRecvmsg,
	syscalls.IORING_OP_TIMEOUT:          tryTimeout,
	syscalls.IORING_OP_TIMEOUT_REMOVE:   tryTimeoutRemove,
	syscalls.IORING_OP_ACCEPT:           tryAccept,
	syscalls.IORING_OP_ASYNC_CANCEL:     tryCancel,
	syscalls.IORING_OP_LINK_TIMEOUT:     tryLinkTimeout,
	syscalls.IORING_OP_CONNECT:          tryConnect,
	syscalls.IORING_OP_FALLOCATE:        tryFallocate,
	syscalls.IORING_OP_OPENAT:           tryOpenat,
	syscalls.IORING_OP_CLOSE:            tryClose,
	syscalls.IORING_OP_FILES_UPDATE:     tryFilesUpdate,
	syscalls.IORING_OP_STATX:            tryStatx,
	syscalls.IORING_OP_READ:             tryRead,
	syscalls.IORING_OP_WRITE:            tryWrite,
	syscalls.IORING_OP_FADVISE:          tryFadvise,
	syscalls.IORING_OP_MADVISE:          tryMadvise,
	syscalls.IORING_OP_SEND:             trySend,
	syscalls.IORING_OP_RECV:             tryRecv,
	syscalls.IORING_OP_OPENAT2:          tryOpenat2,
	syscalls.IORING_OP_EPOLL_CTL:        tryEpollCtl,
	syscalls.IORING_OP_SPLICE:           trySplice,
	syscalls.IORING_OP_PROVIDE_BUFFERS:  tryProvideBuffers,
	syscalls.IORING_OP_REMOVE_BUFFERS:   tryRemoveBuffers,
	syscalls.IORING_OP_TEE:              tryTee,
	syscalls.IORING_OP_SHUTDOWN:         tryShutdown,
	syscalls.IORING_OP_RENAMEAT:         tryRenameat,
	syscalls.IORING_OP_UNLINKAT:         tryUnlinkat,
	syscalls.IORING_OP_MKDIRAT:          tryMkdirat,
	syscalls.IORING_OP_SYMLINKAT:        trySymlinkat,
	syscalls.IORING_OP_LINKAT:           tryLinkat,
	syscalls.IORING_OP_MSG_RING:         tryMsgRing,
	syscalls.IORING_OP_FSETXATTR:        tryFsetxattr,
	syscalls.IORING_OP_SETXATTR:         trySetxattr,
	syscalls.IORING_OP_FGETXATTR:        tryFgetxattr,
	syscalls.IORING_OP_GETXATTR:         tryGetxattr,
	syscalls.IORING_OP_SOCKET:           trySocket,
	syscalls.IORING_OP_URING_CMD:        tryUringCmd,
	syscalls.IORING_OP_SEND_ZC:          trySendZC,
	syscalls.IORING_OP_SENDMSG_ZC:       trySendmsgZC,
	syscalls.IORING_OP_READ_MULTISHOT:   tryReadMultishot,
	syscalls.IORING_OP_WAITID:           tryWaitid,
	syscalls.IORING_OP_FUTEX_WAIT:       tryFutexWait,
	syscalls.IORING_OP_FUTEX_WAKE:       tryFutexWake,
	syscalls.IORING_OP_FUTEX_WAITV:      tryFutexWaitv,
	syscalls.IORING_OP_FIXED_FD_INSTALL: tryFixedFdInstall,
	syscalls.IORING_OP_FTRUNCATE:        tryFtruncate,
	syscalls.IORING_OP_BIND:             tryBind,
	syscalls.IORING_OP_LISTEN:           tryListen,
	syscalls.IORING_OP_RECV_ZC:          tryRecvZC,
	syscalls.IORING_OP_EPOLL_WAIT:       tryEpollWait,
	syscalls.IORING_OP_READV_FIXED:      tryReadvFixed,
	syscalls.IORING_OP_WRITEV_FIXED:     tryWritevFixed,
	syscalls.IORING_OP_PIPE:             tryPipe,
	syscalls.IORING_OP_NOP128:           tryNop128,
	syscalls.IORING_OP_URING_CMD128:     tryUringCmd128,
}

// TestEveryOperation runs each on rings of each kind, where this kernel has it.
func TestEveryOperation(t *testing.T) {
	for op := syscalls.IORING_OP_NOP; op <= syscalls.IORING_OP_URING_CMD128; op++ {
		t.Run(op.String(), func(t *testing.T) {
			try := operations[op]
			if try == nil {
				t.Fatal("no test")
			}
			eachKind(t, func(t *testing.T, r *Ring) {
				needs(t, r, op)
				try(t, r)
				if r.Live() != 0 && !t.Failed() {
					t.Errorf("%d operations live", r.Live())
				}
			})
		})
	}
}

// TestOperationsSaySinceWhen holds the table against the kernels that lack one.
func TestOperationsSaySinceWhen(t *testing.T) {
	for op := syscalls.IORING_OP_NOP; op <= syscalls.IORING_OP_URING_CMD128; op++ {
		if since[op] == "" {
			t.Errorf("%v: nobody knows since when", op)
		}
	}
	var empty Probe
	err := empty.Missing(syscalls.IORING_OP_PIPE)
	if err == nil || err.Error() != "iouring: this kernel has no IORING_OP_PIPE, which came with Linux 6.16" {
		t.Error(err)
	}
}

func tryNop(t *testing.T, r *Ring) {
	result(t, do(t, r, Entry.Nop), 0)
	c := do(t, r, func(e Entry) error { return e.NopWith(syscalls.IORING_NOP_INJECT_RESULT, -int32(unix.ENOSPC), -1, 0) })
	if running(t).Release.Minor >= 10 || running(t).Release.Major > 6 { // 6.10
		failed(t, c, unix.ENOSPC)
	}
}

func tryNop128(t *testing.T, r *Ring) {
	_, err := r.Get128()
	want(t, err, unix.EINVAL) // not in this ring
	mixed := newRing(t, Options{Entries: 8, Flags: syscalls.IORING_SETUP_SQE_MIXED})
	for range 20 { // over the end of the queue, and with a gap before it
		must(t, get(t, mixed).Nop())
		e, err := mixed.Get128()
		must(t, err)
		must(t, e.Nop128())
		_, err = mixed.Submit()
		must(t, err)
		result(t, next(t, mixed), 0)
		result(t, next(t, mixed), 0)
	}
}

func tryRead(t *testing.T, r *Ring) {
	f := file(t, "hello, ring")
	b := make([]byte, 20)
	result(t, do(t, r, func(e Entry) error { return e.Read(f.fd, b, 7) }), 4)
	equal(t, b[:5], []byte("ring\x00"))
	result(t, do(t, r, func(e Entry) error { return e.Read(f.fd, b, 11) }), 0)
	result(t, do(t, r, func(e Entry) error { return e.Read(f.fd, b[:5], -1) }), 5) // moves the position
	at, err := unix.Seek(f.fd, 0, unix.SEEK_CUR)
	if at != 5 || err != nil {
		t.Errorf("position %d, %v", at, err)
	}
	failed(t, do(t, r, func(e Entry) error { return e.Read(-1, b, 0) }), unix.EBADF)
}

func tryWrite(t *testing.T, r *Ring) {
	f := file(t, "hello, ring")
	result(t, do(t, r, func(e Entry) error { return e.Write(f.fd, []byte("HELL"), 0) }), 4)
	if s := f.contents(); s != "HELLo, ring" {
		t.Errorf("%q", s)
	}
	rd, _ := pipe(t)
	failed(t, do(t, r, func(e Entry) error { return e.Write(rd.fd, []byte("x"), -1) }), unix.EBADF)
}

func tryReadv(t *testing.T, r *Ring) {
	f := file(t, "0123456789abcdef")
	parts := make([][]byte, 12) // more than a slot has room for at first
	for i := range parts {
		parts[i] = make([]byte, 1)
	}
	result(t, do(t, r, func(e Entry) error { return e.Readv(f.fd, parts, 2, 0) }), 12)
	for i, p := range parts {
		if p[0] != "23456789abcd"[i] {
			t.Fatalf("part %d: %q", i, p)
		}
	}
	result(t, do(t, r, func(e Entry) error { return e.Readv(f.fd, parts[:3], 0, 0) }), 3)
	failed(t, do(t, r, func(e Entry) error { return e.Readv(f.fd, parts, 2, 1<<30) }), unix.EOPNOTSUPP) // no such RWF_
}

func tryWritev(t *testing.T, r *Ring) {
	f := file(t, "")
	result(t, do(t, r, func(e Entry) error {
		return e.Writev(f.fd, [][]byte{[]byte("one "), nil, []byte("two")}, 0, unix.RWF_DSYNC)
	}), 7)
	result(t, do(t, r, func(e Entry) error { return e.Writev(f.fd, [][]byte{[]byte("!")}, 0, unix.RWF_APPEND) }), 1)
	if s := f.contents(); s != "one two!" {
		t.Errorf("%q", s)
	}
	failed(t, do(t, r, func(e Entry) error { return e.Writev(-1, nil, 0, 0) }), unix.EBADF)
}

func tryReadFixed(t *testing.T, r *Ring) {
	f := file(t, "0123456789")
	b := make([]byte, 4096)
	must(t, r.RegisterBuffers([][]byte{nil, b}))
	defer r.UnregisterBuffers()
	result(t, do(t, r, func(e Entry) error { return e.ReadFixed(f.fd, b[100:105], 3, 1) }), 5)
	equal(t, b[99:106], []byte("\x0034567\x00"))
	failed(t, do(t, r, func(e Entry) error { return e.ReadFixed(f.fd, make([]byte, 5), 3, 1) }), unix.EFAULT)
	failed(t, do(t, r, func(e Entry) error { return e.ReadFixed(f.fd, b, 3, 2) }), unix.EFAULT)
}

func tryWriteFixed(t *testing.T, r *Ring) {
	f := file(t, "0123456789")
	b := []byte("abcdefgh")
	must(t, r.RegisterBuffers([][]byte{b}))
	defer r.UnregisterBuffers()
	result(t, do(t, r, func(e Entry) error { return e.WriteFixed(f.fd, b[2:4], 4, 0) }), 2)
	if s := f.contents(); s != "0123cd6789" {
		t.Errorf("%q", s)
	}
	failed(t, do(t, r, func(e Entry) error { return e.WriteFixed(f.fd, []byte("x"), 4, 0) }), unix.EFAULT)
}

func tryReadvFixed(t *testing.T, r *Ring) {
	f := file(t, "0123456789")
	b := make([]byte, 4096)
	must(t, r.RegisterBuffers([][]byte{b}))
	defer r.UnregisterBuffers()
	result(t, do(t, r, func(e Entry) error {
		return e.ReadvFixed(f.fd, [][]byte{b[10:12], b[20:23]}, 3, 0, 0)
	}), 5)
	equal(t, b[10:12], []byte("34"))
	equal(t, b[20:23], []byte("567"))
	failed(t, do(t, r, func(e Entry) error {
		return e.ReadvFixed(f.fd, [][]byte{make([]byte, 1)}, 3, 0, 0)
	}), unix.EFAULT)
}

func tryWritevFixed(t *testing.T, r *Ring) {
	f := file(t, "")
	b := []byte("abcdefgh")
	must(t, r.RegisterBuffers([][]byte{b}))
	defer r.UnregisterBuffers()
	result(t, do(t, r, func(e Entry) error { return e.WritevFixed(f.fd, [][]byte{b[6:], b[:2]}, 0, 0, 0) }), 4)
	if s := f.contents(); s != "ghab" {
		t.Errorf("%q", s)
	}
	failed(t, do(t, r, func(e Entry) error { return e.WritevFixed(f.fd, [][]byte{b}, 0, 0, 1) }), unix.EFAULT)
}

func tryReadMultishot(t *testing.T, r *Ring) {
	rd, w := pipe(t)
	g, err := r.NewBufRing(BufRingOptions{Group: 3, Buffers: 2, Size: 16})
	must(t, err)
	start(t, r, func(e Entry) error { return e.ReadMultishot(rd.fd, -1, 3) })
	for _, s := range []string{"one", "two", "three"} {
		w.write(s)
		c := next(t, r)
		b, err := g.Bytes(c)
		must(t, err)
		if string(b) != s || !c.More() {
			t.Fatalf("%v: %q", c, b)
		}
		must(t, g.Release(c))
	}
	w.close()
	if c := next(t, r); c.Res != 0 || c.More() {
		t.Fatal(c)
	}
	failed(t, do(t, r, func(e Entry) error { return e.ReadMultishot(file(t, "x").fd, 0, 3) }), unix.EBADFD) // not for files
	must(t, g.Close())
}

func tryFsync(t *testing.T, r *Ring) {
	f := file(t, "x")
	result(t, do(t, r, func(e Entry) error { return e.Fsync(f.fd, 0) }), 0)
	result(t, do(t, r, func(e Entry) error { return e.Fsync(f.fd, syscalls.IORING_FSYNC_DATASYNC) }), 0)
	rd, _ := pipe(t)
	failed(t, do(t, r, func(e Entry) error { return e.Fsync(rd.fd, 0) }), unix.EINVAL)
}

func trySyncFileRange(t *testing.T, r *Ring) {
	f := file(t, "x")
	result(t, do(t, r, func(e Entry) error { return e.SyncFileRange(f.fd, 0, 1, unix.SYNC_FILE_RANGE_WRITE) }), 0)
	rd, _ := pipe(t)
	failed(t, do(t, r, func(e Entry) error { return e.SyncFileRange(rd.fd, 0, 1, 0) }), unix.ESPIPE)
}

func tryFallocate(t *testing.T, r *Ring) {
	f := file(t, "x")
	result(t, do(t, r, func(e Entry) error { return e.Fallocate(f.fd, 0, 0, 8192) }), 0)
	if n := f.stat().Size; n != 8192 {
		t.Errorf("%d bytes", n)
	}
	failed(t, do(t, r, func(e Entry) error { return e.Fallocate(f.fd, 0, 0, 0) }), unix.EINVAL)
}

func (e *end) stat() (s unix.Stat_t) {
	e.t.Helper()
	must(e.t, unix.Fstat(e.fd, &s))
	return s
}

func tryFtruncate(t *testing.T, r *Ring) {
	f := file(t, "0123456789")
	result(t, do(t, r, func(e Entry) error { return e.Ftruncate(f.fd, 3) }), 0)
	if s := f.contents(); s != "012" {
		t.Errorf("%q", s)
	}
	failed(t, do(t, r, func(e Entry) error { return e.Ftruncate(f.fd, -1) }), unix.EINVAL)
}

func tryFadvise(t *testing.T, r *Ring) {
	f := file(t, "x")
	result(t, do(t, r, func(e Entry) error { return e.Fadvise(f.fd, 0, 1, unix.FADV_WILLNEED) }), 0)
	failed(t, do(t, r, func(e Entry) error { return e.Fadvise(f.fd, 0, 1, 99) }), unix.EINVAL)
}

func tryMadvise(t *testing.T, r *Ring) {
	b, err := unix.Mmap(-1, 0, 4<<16, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANON)
	must(t, err)
	defer unix.Munmap(b)
	b[0] = 1
	result(t, do(t, r, func(e Entry) error { return e.Madvise(b, unix.MADV_DONTNEED) }), 0)
	if b[0] != 0 {
		t.Error("the page is still there")
	}
	failed(t, do(t, r, func(e Entry) error { return e.Madvise(b[1:], unix.MADV_DONTNEED) }), unix.EINVAL)
}

func trySplice(t *testing.T, r *Ring) {
	f := file(t, "0123456789")
	rd, w := pipe(t)
	result(t, do(t, r, func(e Entry) error { return e.Splice(f.fd, 2, w.fd, -1, 5, 0) }), 5)
	if s := rd.read(); s != "23456" {
		t.Errorf("%q", s)
	}
	failed(t, do(t, r, func(e Entry) error { return e.Splice(f.fd, 2, f.fd, 0, 5, 0) }), unix.EINVAL)
}

func tryTee(t *testing.T, r *Ring) {
	rd, w := pipe(t)
	rd2, w2 := pipe(t)
	w.write("both")
	result(t, do(t, r, func(e Entry) error { return e.Tee(rd.fd, w2.fd, 4, 0) }), 4)
	if s, s2 := rd.read(), rd2.read(); s != "both" || s2 != "both" {
		t.Errorf("%q, %q", s, s2)
	}
	failed(t, do(t, r, func(e Entry) error { return e.Tee(file(t, "x").fd, w2.fd, 1, 0) }), unix.EINVAL)
}

func tryClose(t *testing.T, r *Ring) {
	rd, _ := pipe(t)
	result(t, do(t, r, func(e Entry) error { return e.Close(rd.fd) }), 0)
	var s unix.Stat_t
	want(t, unix.Fstat(rd.fd, &s), unix.EBADF)
	rd.fd = -1
	failed(t, do(t, r, func(e Entry) error { return e.Close(-1) }), unix.EBADF)
	_, w := pipe(t)
	must(t, r.RegisterFiles([]int{w.fd}))
	defer r.UnregisterFiles()
	result(t, do(t, r, func(e Entry) error { return e.CloseDirect(0) }), 0)
	failed(t, do(t, r, func(e Entry) error { return e.CloseDirect(0) }), unix.EBADF)
}

func tryFilesUpdate(t *testing.T, r *Ring) {
	rd, w := pipe(t)
	must(t, r.RegisterSparseFiles(4))
	defer r.UnregisterFiles()
	result(t, do(t, r, func(e Entry) error { return e.FilesUpdate([]int32{int32(rd.fd), int32(w.fd)}, 1) }), 2)
	result(t, do(t, r, func(e Entry) error {
		must(t, e.SetFlags(syscalls.IOSQE_FIXED_FILE))
		return e.Write(2, []byte("fixed"), -1)
	}), 5)
	if s := rd.read(); s != "fixed" {
		t.Errorf("%q", s)
	}
	fds := []int32{int32(rd.fd), int32(w.fd)}
	result(t, do(t, r, func(e Entry) error { return e.FilesUpdate(fds, syscalls.IORING_FILE_INDEX_ALLOC) }), 2)
	if fds[0] == fds[1] || fds[0]+fds[1] != 3 { // the slots that were free
		t.Errorf("slots %v", fds)
	}
	failed(t, do(t, r, func(e Entry) error { return e.FilesUpdate([]int32{0}, 9) }), unix.EINVAL)
}

func tryFixedFdInstall(t *testing.T, r *Ring) {
	rd, w := pipe(t)
	must(t, r.RegisterFiles([]int{w.fd}))
	defer r.UnregisterFiles()
	c := do(t, r, func(e Entry) error { return e.FixedFdInstall(0, 0) })
	must(t, c.Err())
	made := newEnd(t, int(c.Res), nil)
	made.write("installed")
	if s := rd.read(); s != "installed" {
		t.Errorf("%q", s)
	}
	flags, err := unix.FcntlInt(uintptr(made.fd), unix.F_GETFD, 0)
	if flags != unix.FD_CLOEXEC || err != nil {
		t.Errorf("flags %d, %v", flags, err)
	}
	failed(t, do(t, r, func(e Entry) error { return e.FixedFdInstall(1, 0) }), unix.EBADF)
}

func tryPipe(t *testing.T, r *Ring) {
	var fds [2]int32
	result(t, do(t, r, func(e Entry) error { return e.Pipe(&fds, unix.O_CLOEXEC) }), 0)
	rd, w := newEnd(t, int(fds[0]), nil), newEnd(t, int(fds[1]), nil)
	w.write("through")
	if s := rd.read(); s != "through" {
		t.Errorf("%q", s)
	}
	must(t, r.RegisterSparseFiles(4))
	defer r.UnregisterFiles()
	result(t, do(t, r, func(e Entry) error { return e.PipeDirect(&fds, 0, 1) }), 0)
	result(t, do(t, r, func(e Entry) error {
		must(t, e.SetFlags(syscalls.IOSQE_FIXED_FILE))
		return e.Write(2, []byte("direct"), -1)
	}), 6)
	failed(t, do(t, r, func(e Entry) error { return e.Pipe(&fds, 1<<30) }), unix.EINVAL)
}
