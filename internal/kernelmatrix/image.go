package kernelmatrix

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
)

// Directories of the guest.
const (
	guestSource = "/src"   // the module's files; the working directory of tests is below it
	guestTests  = "/tests" // the test binaries
	guestBin    = "/bin"   // what PATH finds
)

// An image is the content of an initramfs, held as descriptions of files until
// it is written. Parents of a file need not be named.
type image struct {
	entries []imageEntry
	dirs    map[string]bool
}

type imageEntry struct {
	cpioEntry
	data []byte // the body, or
	file string // the file on the host that has it
}

// newImage returns an image with what every guest has.
func newImage(guest string, job Job) (*image, error) {
	im := &image{dirs: make(map[string]bool)}
	for _, dir := range []string{"/dev", "/proc", "/sys", "/run", "/tmp", "/root", "/usr/bin", "/var/tmp", guestBin} {
		im.dir(dir)
	}
	// The Go runtime looks for these two before process 1 can mount anything.
	im.device("/dev/console", 0o600, 5, 1)
	im.device("/dev/null", 0o666, 1, 3)
	im.bytes("/etc/passwd", "root:x:0:0:root:/root:/bin/false\nnobody:x:65534:65534:nobody:/nonexistent:/bin/false\n")
	im.bytes("/etc/group", "root:x:0:\nnogroup:x:65534:\n")
	im.bytes("/etc/hosts", "127.0.0.1 localhost\n::1 localhost ip6-localhost\n")
	text, err := json.Marshal(job)
	if err != nil {
		return nil, fmt.Errorf("encode job: %w", err)
	}
	im.bytes(JobPath, string(text))
	return im, im.file("/init", guest, 0o755)
}

// dir adds a directory that everybody may enter, with its parents.
func (im *image) dir(name string) {
	if name = path.Clean(name); name == "/" || im.dirs[name] {
		return
	}
	im.dir(path.Dir(name))
	im.dirs[name] = true
	im.entries = append(im.entries, imageEntry{cpioEntry: cpioEntry{name: name[1:], mode: cpioDir | 0o755}})
}

func (im *image) device(name string, perm, major, minor uint32) {
	im.dir(path.Dir(name))
	entry := cpioEntry{name: name[1:], mode: cpioChar | perm, major: major, minor: minor}
	im.entries = append(im.entries, imageEntry{cpioEntry: entry})
}

func (im *image) bytes(name, text string) {
	im.dir(path.Dir(name))
	entry := cpioEntry{name: name[1:], mode: cpioRegular | 0o644, size: int64(len(text))}
	im.entries = append(im.entries, imageEntry{cpioEntry: entry, data: []byte(text)})
}

// file adds a copy of a regular file of the host.
func (im *image) file(name, host string, perm uint32) error {
	info, err := os.Stat(host)
	if err != nil {
		return err
	}
	if !info.Mode().IsRegular() {
		return fmt.Errorf("%s is no regular file", host)
	}
	im.dir(path.Dir(name))
	entry := cpioEntry{name: name[1:], mode: cpioRegular | perm, size: info.Size()}
	im.entries = append(im.entries, imageEntry{cpioEntry: entry, file: host})
	return nil
}

func (im *image) symlink(name, target string) {
	im.dir(path.Dir(name))
	entry := cpioEntry{name: name[1:], mode: cpioSymlink | 0o777, size: int64(len(target))}
	im.entries = append(im.entries, imageEntry{cpioEntry: entry, data: []byte(target)})
}

// sourceFileMax keeps what is no source, a binary or a profile that lies
// about, out of the image; testdata may be bigger.
const sourceFileMax = 1 << 20

// source adds the module's tree, so that a test finds the files that it finds
// on the host: its testdata, and others by relative path. Hidden directories
// and nested modules stay out.
func (im *image) source(root string) error {
	return filepath.WalkDir(root, func(host string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(root, host)
		if err != nil {
			return err
		}
		name := path.Join(guestSource, filepath.ToSlash(rel))
		switch {
		case d.IsDir():
			_, modErr := os.Stat(filepath.Join(host, "go.mod"))
			if host != root && (strings.HasPrefix(d.Name(), ".") || modErr == nil) {
				return fs.SkipDir
			}
			im.dir(name)
			return nil
		case d.Type() == fs.ModeSymlink:
			target, err := os.Readlink(host)
			if err == nil {
				im.symlink(name, target)
			}
			return err
		case !d.Type().IsRegular():
			return nil
		}
		info, err := d.Info()
		if errors.Is(err, fs.ErrNotExist) {
			return nil // somebody works in the tree
		}
		if err != nil {
			return err
		}
		if info.Size() > sourceFileMax && !strings.Contains(filepath.ToSlash(rel), "testdata/") {
			return nil
		}
		return im.file(name, host, 0o644|uint32(info.Mode().Perm()&0o111))
	})
}

// size is the memory that the unpacked image takes, in bytes.
func (im *image) size() int64 {
	var total int64
	for _, e := range im.entries {
		total += (e.size + 4095) &^ 4095
	}
	return total
}

// write writes the image as a cpio archive. It stays uncompressed: the kernel
// would unpack it on an emulated processor, which takes longer than the boot.
func (im *image) write(w io.Writer) error {
	cw := &cpioWriter{w: w}
	for _, e := range im.entries {
		if err := e.writeTo(cw); err != nil {
			return err
		}
	}
	return cw.close()
}

func (e imageEntry) writeTo(cw *cpioWriter) error {
	if e.file == "" {
		e.body = bytes.NewReader(e.data)
		return cw.add(e.cpioEntry)
	}
	f, err := os.Open(e.file)
	if err != nil {
		return err
	}
	e.body = f
	return errors.Join(cw.add(e.cpioEntry), f.Close())
}

// writeFile writes the image to a file and returns its size in bytes.
func (im *image) writeFile(name string) (int64, error) {
	f, err := os.Create(name)
	if err != nil {
		return 0, err
	}
	buffered := bufio.NewWriterSize(f, 1<<20)
	if err := errors.Join(im.write(buffered), buffered.Flush()); err != nil {
		return 0, errors.Join(fmt.Errorf("write initramfs: %w", err), f.Close())
	}
	info, err := f.Stat()
	if err != nil {
		return 0, errors.Join(err, f.Close())
	}
	return info.Size(), f.Close()
}
