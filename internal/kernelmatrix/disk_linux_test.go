package kernelmatrix

import (
	"encoding/binary"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// The defaults of a host say what its own disks are to have. A machine's disk is the same everywhere.
func TestDiskIsTheSameOnEachHost(t *testing.T) {
	if _, err := mkfs(); err != nil {
		t.Skip(err)
	}
	dir := t.TempDir()
	conf := filepath.Join(dir, "mke2fs.conf")
	text := "[defaults]\nbase_features = sparse_super,filetype\n[fs_types]\next4 = {\nfeatures = has_journal,extent,metadata_csum,64bit\n}\n"
	if err := os.WriteFile(conf, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	t.Setenv("MKE2FS_CONFIG", conf)
	disk := filepath.Join(dir, "disk, of a test")
	if err := makeDisk(t.Context(), disk); err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(disk)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	// fs/ext4/ext4.h, struct ext4_super_block
	var super [1024]byte
	if _, err := f.ReadAt(super[:], 1024); err != nil {
		t.Fatal(err)
	}
	word := func(at int) uint32 { return binary.LittleEndian.Uint32(super[at:]) }
	const hasJournal, extents, metadataSums = 0x4, 0x40, 0x400
	if magic := word(0x38) & 0xffff; magic != 0xef53 {
		t.Errorf("magic number %#x", magic)
	}
	if compat, incompat, readOnly := word(0x5c), word(0x60), word(0x64); compat&hasJournal != 0 || incompat&extents == 0 || readOnly&metadataSums != 0 {
		t.Errorf("features %#x, %#x, %#x", compat, incompat, readOnly)
	}
}

func TestDiskThatCannotBeMadeSaysWhy(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "mkfs.ext4"), []byte("#!/bin/sh\necho no room >&2\nexit 1\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", dir)
	err := makeDisk(t.Context(), filepath.Join(dir, "disk"))
	if want := "make a file system: exit status 1: no room"; err == nil || err.Error() != want {
		t.Errorf("error %v, want %q", err, want)
	}
}

func TestMissingToolIsFoundBeforeAnythingIsFetched(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	cache := filepath.Join(t.TempDir(), "cache")
	opt := Options{Kernels: Kernels(), Cache: Cache{Dir: cache}, Progress: io.Discard}
	_, execErr := Exec(t.Context(), opt, opt.Kernels[0], "./guest", nil, io.Discard, io.Discard)
	for _, err := range []error{Test(t.Context(), opt, Selection{Packages: []string{"./guest"}}, NewReport(io.Discard, false)), execErr} {
		if !errors.Is(err, exec.ErrNotFound) || !strings.Contains(err.Error(), "qemu-system-x86") {
			t.Errorf("error %v", err)
		}
	}
	if _, err := os.Stat(cache); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the cache was made: %v", err)
	}
}
