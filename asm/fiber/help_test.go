//go:build linux

package fiber_test

import (
	"strconv"
	"strings"
	"testing"
	"unsafe"
)

// address is p as a number, for the words of a fiber. The object is pinned.
func address(p *uint64) uint64 { return uint64(uintptr(unsafe.Pointer(p))) }

// bounds are the first two fields of a line of /proc/self/maps.
func bounds(t *testing.T, line string) (low, high uintptr) {
	t.Helper()
	area, _, _ := strings.Cut(line, " ")
	from, to, _ := strings.Cut(area, "-")
	a, err := strconv.ParseUint(from, 16, 64)
	if err != nil {
		t.Fatal(err)
	}
	b, err := strconv.ParseUint(to, 16, 64)
	if err != nil {
		t.Fatal(err)
	}
	return uintptr(a), uintptr(b)
}
