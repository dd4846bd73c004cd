//go:build linux

package syscalls

import "testing"

func TestFlagsAreNamed(t *testing.T) {
	names := []flagName{{6, "BOTH"}, {1, "ONE"}, {2, "TWO"}, {0, "NEVER"}}
	for v, want := range map[uint64]string{
		0: "0", 1: "ONE", 2: "TWO", 3: "ONE|TWO", 6: "BOTH", 7: "BOTH|ONE", 8: "0x8", 1<<63 | 1: "ONE|0x8000000000000000",
	} {
		if got := flagNames(v, names); got != want {
			t.Errorf("%#x is %q, want %q", v, got, want)
		}
	}
}

func TestValuesAreNamed(t *testing.T) {
	names := []string{"A", "", "C"}
	for v, want := range map[int64]string{0: "A", 1: "1", 2: "C", 3: "3", -1: "-1"} {
		if got := valueName(v, names); got != want {
			t.Errorf("%d is %q, want %q", v, got, want)
		}
	}
}
