package reactor

import (
	"io"
	"os"

	"golang.org/x/sys/unix"

	"github.com/ring3-go/ring3/iouring"
)

// A ringFile is an operation on a file that the kernel carries out.
type ringFile struct {
	d  *ringDriver
	op fileOp
	n  int // bytes so far
}

// file takes an operation, unless os is to do it, which knows best what to say of a file that is closed.
func (d *ringDriver) file(op fileOp) bool {
	f := &ringFile{d: d, op: op}
	return f.submit() == nil
}

// submit submits the rest of an operation, while the descriptor is sure to be the file's.
func (f *ringFile) submit() error {
	raw, err := f.op.file.SyscallConn()
	if err != nil {
		return err
	}
	var inner error
	err = raw.Control(func(fd uintptr) {
		var e iouring.Entry
		if e, inner = f.d.get(); inner != nil {
			return
		}
		b := f.op.b[f.n:]
		b = b[:min(len(b), 1<<30)]
		offset := f.op.offset + int64(f.n)
		switch f.op.what {
		case fileRead:
			inner = e.Read(int(fd), b, offset)
		case fileWrite:
			inner = e.Write(int(fd), b, offset)
		default:
			inner = e.Fsync(int(fd), 0)
		}
		if inner == nil {
			f.d.expect(e, nil, f, opOther)
			f.d.ring.Submit() // what is not taken now is taken later
		}
	})
	if err == nil {
		err = inner
	}
	return err
}

func (f *ringFile) completed(c *iouring.Completion) {
	errno := unix.Errno(-min(c.Res, 0))
	done := f.op.what == fileSync || f.n+int(c.Res) == len(f.op.b)
	switch {
	case again(errno), errno == unix.EOPNOTSUPP, errno == unix.EINVAL:
		f.d.loop.files.retry(f.op) // as if there were no ring
	case errno != 0:
		f.end(f.n, &os.PathError{Op: f.op.what.String(), Path: f.op.file.Name(), Err: errno})
	case done:
		f.end(len(f.op.b), nil)
	case c.Res == 0 && f.op.what == fileRead:
		f.end(f.n, io.EOF)
	case c.Res == 0:
		f.end(f.n, &os.PathError{Op: f.op.what.String(), Path: f.op.file.Name(), Err: io.ErrUnexpectedEOF})
	default:
		f.n += int(c.Res)
		if err := f.submit(); err != nil {
			f.end(f.n, err)
		}
	}
}

func (f *ringFile) end(n int, err error) { f.d.loop.files.finished(f.op, n, err) }

// onDisk reports whether operations on a file may go to the ring: those that name an offset mean something else
// to pipes, and os refuses some to files that are appended to.
func onDisk(f *os.File) (ok bool) {
	raw, err := f.SyscallConn()
	if err != nil {
		return false
	}
	raw.Control(func(fd uintptr) {
		var st unix.Stat_t
		if unix.Fstat(int(fd), &st) != nil {
			return
		}
		flags, err := unix.FcntlInt(fd, unix.F_GETFL, 0)
		kind := st.Mode & unix.S_IFMT
		ok = err == nil && flags&unix.O_APPEND == 0 && (kind == unix.S_IFREG || kind == unix.S_IFBLK)
	})
	return ok
}
