package sysname

import (
	"math"
	"strconv"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestNumberInvertsName(t *testing.T) {
	for nr := int64(-2); nr < 2*int64(len(names))+2; nr++ {
		if got, ok := Number(Name(nr)); !ok || got != nr {
			t.Errorf("Number(%q) = %d, %t; want %d", Name(nr), got, ok, nr)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		nr := rapid.Int64().Draw(t, "nr")
		if got, ok := Number(Name(nr)); !ok || got != nr {
			t.Fatalf("Number(%q) = %d, %t; want %d", Name(nr), got, ok, nr)
		}
	})
}

func TestNameOfUnknownNumberSaysTheNumber(t *testing.T) {
	for _, tt := range []struct {
		nr   int64
		want string
	}{
		{-1, "syscall_-1"},
		{int64(len(names)), "syscall_" + strconv.Itoa(len(names))},
		{0x4000_0000, "syscall_1073741824"}, // x32's read
		{math.MaxInt64, "syscall_9223372036854775807"},
		{math.MinInt64, "syscall_-9223372036854775808"},
	} {
		if got := Name(tt.nr); got != tt.want {
			t.Errorf("Name(%d) = %q; want %q", tt.nr, got, tt.want)
		}
	}
}

func TestNumberRefusesWhatNameNeverReturns(t *testing.T) {
	for _, name := range []string{
		"", "READ", "sys_read", "read ", "syscall_", "syscall_x", "syscall_+100000", "syscall_0100000",
		"syscall_99999999999999999999", "Syscall_100000",
	} {
		if nr, ok := Number(name); ok {
			t.Errorf("Number(%q) = %d; want none", name, nr)
		}
	}
	if len(names) > 0 { // on the architectures with a table, 0 is a named call
		if nr, ok := Number("syscall_0"); ok {
			t.Errorf("Number(%q) = %d; want none", "syscall_0", nr)
		}
	}
}

func TestNamesAreDistinctKernelNames(t *testing.T) {
	seen := make(map[string]int)
	for nr, name := range names {
		if name == "" {
			continue
		}
		if other, dup := seen[name]; dup {
			t.Errorf("%d and %d are both %q", other, nr, name)
		}
		seen[name] = nr
		if strings.Trim(name, "abcdefghijklmnopqrstuvwxyz0123456789_") != "" || strings.HasPrefix(name, unknownPrefix) {
			t.Errorf("%d: %q is no name of a system call", nr, name)
		}
	}
}

func FuzzNumber(f *testing.F) {
	for _, name := range []string{"read", "futex", "syscall_0", "syscall_-1", "syscall_100000", ""} {
		f.Add(name)
	}
	f.Fuzz(func(t *testing.T, name string) {
		if nr, ok := Number(name); ok && Name(nr) != name {
			t.Errorf("Number(%q) = %d, whose name is %q", name, nr, Name(nr))
		}
	})
}
