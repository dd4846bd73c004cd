//go:build linux && (amd64 || arm64)

package workload

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// file-map PATH|temp N: makes a file of N bytes at PATH, which must not exist, or
// in the directory for temporary files, and removes its name. Maps it shared and
// then private; reads every page of the mapping, then writes to every page.
//
// Counts, all minor, for the file has just been written and is in memory:
//   - "shared read", "private read": from 1 to P faults. The kernel maps what lies
//     around a fault as well, 64 KiB by default.
//   - "shared write": P faults, which tell the file system of the write; none on a
//     file system that need not know, such as tmpfs.
//   - "private write": P faults by copy-on-write.
func prepareFileMap(args []string) (body, error) {
	size, err := parsePages(args[1])
	return func(r *run) error {
		f, err := makeFile(args[0], size)
		if err != nil {
			return err
		}
		defer f.Close()
		shared, err := mapPages(int(f.Fd()), size, unix.MAP_SHARED)
		if err != nil {
			return err
		}
		r.readThenWrite("shared ", shared, size)
		private, err := mapPages(int(f.Fd()), size, unix.MAP_PRIVATE)
		if err != nil {
			return err
		}
		r.readThenWrite("private ", private, size)
		return nil
	}, err
}

// makeFile makes a file of size bytes without a name, all of it in memory: what is
// written and not only declared needs no reading from the disk.
func makeFile(path string, size uintptr) (*os.File, error) {
	var f *os.File
	var err error
	if path == "temp" {
		f, err = os.CreateTemp("", "ring3-workload-*")
	} else {
		f, err = os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	}
	if err != nil {
		return nil, fmt.Errorf("making file: %w", err)
	}
	if err := os.Remove(f.Name()); err != nil {
		f.Close()
		return nil, fmt.Errorf("removing name of file: %w", err)
	}
	if _, err := f.Write(make([]byte, size)); err != nil {
		f.Close()
		return nil, fmt.Errorf("filling file: %w", err)
	}
	return f, nil
}
