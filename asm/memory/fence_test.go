//go:build linux

package memory

import (
	"os"
	"testing"

	"golang.org/x/sys/unix"
)

// fenced maps size bytes, a multiple of the page size, with an inaccessible page on either side.
func fenced(t *testing.T, size int) []byte {
	t.Helper()
	page := os.Getpagesize()
	mapping, err := unix.Mmap(-1, 0, size+2*page, unix.PROT_NONE, unix.MAP_PRIVATE|unix.MAP_ANONYMOUS)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Munmap(mapping) })
	inside := mapping[page : page+size : page+size]
	if err := unix.Mprotect(inside, unix.PROT_READ|unix.PROT_WRITE); err != nil {
		t.Fatal(err)
	}
	return inside
}
