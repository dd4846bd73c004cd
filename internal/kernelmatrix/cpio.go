package kernelmatrix

import (
	"fmt"
	"io"
	"strings"
)

// File types of a cpio entry: the upper bits of a Unix mode.
const (
	cpioTypeMask = 0o170000
	cpioDir      = 0o040000
	cpioRegular  = 0o100000
	cpioChar     = 0o020000
	cpioSymlink  = 0o120000
)

// cpioTrailer is the name of the entry that ends an archive.
const cpioTrailer = "TRAILER!!!"

// A cpioEntry is one file of an archive. Owner and group are root and the time
// of change is the epoch, so equal trees give equal archives.
type cpioEntry struct {
	name  string // slash-separated, relative
	mode  uint32 // type and permissions, as stat(2) has them
	size  int64  // of the body; 0 but for regular files and symbolic links
	body  io.Reader
	major uint32 // of a device
	minor uint32
}

// A cpioWriter writes the "newc" format, the one that the kernel unpacks:
// https://docs.kernel.org/driver-api/early-userspace/buffer-format.html.
// Names must come after their directories.
type cpioWriter struct {
	w     io.Writer
	off   int64
	inode uint32
}

// add writes one entry. It fails where the body is not size bytes long.
func (c *cpioWriter) add(e cpioEntry) error {
	if e.size < 0 || e.size > 1<<32-1 {
		return fmt.Errorf("cpio %s: size %d does not fit the format", e.name, e.size)
	}
	if e.name == "" || strings.HasPrefix(e.name, "/") || strings.Contains(e.name, "\x00") {
		return fmt.Errorf("cpio: name %q", e.name)
	}
	c.inode++
	links := uint32(1)
	if e.mode&cpioTypeMask == cpioDir {
		links = 2
	}
	// magic, ino, mode, uid, gid, nlink, mtime, filesize, devmajor, devminor,
	// rdevmajor, rdevminor, namesize with its NUL, check (0 in this format)
	header := fmt.Sprintf("070701%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%s\x00",
		c.inode, e.mode, 0, 0, links, 0, e.size, 0, 0, e.major, e.minor, len(e.name)+1, 0, e.name)
	if err := c.write(header); err != nil {
		return fmt.Errorf("cpio %s: %w", e.name, err)
	}
	if e.size > 0 {
		n, err := io.Copy(c.w, io.LimitReader(e.body, e.size))
		c.off += n
		if err == nil && n < e.size {
			err = io.ErrUnexpectedEOF
		}
		if err != nil {
			return fmt.Errorf("cpio %s: %w", e.name, err)
		}
	}
	if err := c.write(""); err != nil {
		return fmt.Errorf("cpio %s: %w", e.name, err)
	}
	return nil
}

// close writes the trailer. It does not close the underlying writer.
func (c *cpioWriter) close() error { return c.add(cpioEntry{name: cpioTrailer}) }

// write writes s and pads to the next multiple of four, where both names and
// bodies must end.
func (c *cpioWriter) write(s string) error {
	pad := -(c.off + int64(len(s))) & 3
	n, err := io.WriteString(c.w, s+"\x00\x00\x00"[:pad])
	c.off += int64(n)
	return err
}
