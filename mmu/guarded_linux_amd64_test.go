package mmu

import (
	"errors"
	"testing"
)

// TestFaultCarriesTheProcessorsWord: the vector and the error code of exceptions that Intel's manual describes.
func TestFaultCarriesTheProcessorsWord(t *testing.T) {
	const write, user, present = 2, 4, 1
	for _, tt := range []struct {
		addr  uintptr
		store bool
		trap  int
		code  uint64
	}{
		{8, false, 14, user},
		{8, true, 14, user | write},
		{0xffff_8000_0000_0000, false, 14, user | present}, // Linux says so of its half, whatever is there
		{1 << 62, false, 13, 0},
		{1 << 62, true, 13, 0},
	} {
		_, err := Guarded{}.Load64(tt.addr)
		if tt.store {
			err = Guarded{}.Store64(tt.addr, 1)
		}
		var f *Fault
		if !errors.As(err, &f) || f.TrapNo != tt.trap || f.ErrorCode != tt.code || f.Addr != tt.addr {
			t.Errorf("%#x, store %v: %+v; want %+v", tt.addr, tt.store, f, tt)
		}
	}
}
