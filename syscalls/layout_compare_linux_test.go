package syscalls

import (
	"reflect"
	"structs"
	"testing"

	"github.com/cilium/ebpf/btf"
	"golang.org/x/sys/unix"
)

// The comparison itself is held against types that x/sys has from the C compiler.
func TestMirrorsOfXSysAgreeWithTheKernel(t *testing.T) {
	t.Run("Timespec", func(t *testing.T) {
		checkLayout(t, unix.Timespec{}, "__kernel_timespec", map[string]string{"Sec": "tv_sec", "Nsec": "tv_nsec"})
	})
	t.Run("OpenHow", func(t *testing.T) { checkLayout(t, unix.OpenHow{}, "open_how", nil) })
	t.Run("Rlimit", func(t *testing.T) {
		checkLayout(t, unix.Rlimit{}, "rlimit64", map[string]string{"Cur": "rlim_cur", "Max": "rlim_max"})
	})
}

// The same type both ways: the constants are from include/uapi/linux/futex.h.
func TestMirrorsAgreeWithConstants(t *testing.T) {
	type robustListHead struct {
		List          uintptr
		FutexOffset   int64
		ListOpPending uintptr
	}
	checkOffsets(t, robustListHead{}, 24, map[string]uintptr{"List": 0, "FutexOffset": 8, "ListOpPending": 16})
	checkLayout(t, robustListHead{}, "robust_list_head", map[string]string{"List": "list.next"})
}

func TestDifferencesFromTheKernelAreFound(t *testing.T) {
	u64 := &btf.Int{Name: "u64", Size: 8}
	u32 := &btf.Int{Name: "u32", Size: 4}
	kernel := kernelLayout{"k", 24, []btf.Member{
		{Name: "first", Type: u32},
		{Name: "second_one", Type: u32, Offset: 32},
		{Type: &btf.Union{Size: 8, Members: []btf.Member{
			{Name: "pointer", Type: u64},
			{Name: "parts", Type: &btf.Struct{Name: "p", Size: 8, Members: []btf.Member{
				{Name: "low", Type: u32}, {Name: "high", Type: u32, Offset: 32},
			}}},
		}}, Offset: 64},
		{Name: "last", Type: u64, Offset: 128},
	}}
	type right struct {
		_         structs.HostLayout
		First     uint32
		SecondOne uint32
		Low, High uint32
		Last      uint64
	}
	inner := map[string]string{"Low": "parts.low", "High": "parts.high"}
	for _, tt := range []struct {
		name   string
		mirror any
		fields map[string]string
		found  int
	}{
		{"the same", right{}, inner, 0},
		{"the same, through the union", struct {
			First, SecondOne uint32
			Pointer, Last    uint64
		}{}, nil, 0},
		{"a newer one", struct {
			right
			Newer uint64
		}{}, map[string]string{"right": "first", "Newer": "newer?"}, 1}, // the embedded one is no u32
		{"two swapped", struct {
			SecondOne, First uint32
			Pointer, Last    uint64
		}{}, nil, 2},
		{"another width", struct {
			First, SecondOne uint32
			Pointer          uint64
			Last             uint32
			_                uint32
		}{}, nil, 1},
		{"too short", struct {
			First, SecondOne uint32
			Pointer          uint64
		}{}, nil, 1},
		{"no such field", struct {
			First, Second uint32
			Pointer, Last uint64
		}{}, nil, 1},
		{"optional, but in the middle", struct {
			First, Second uint32
			Pointer, Last uint64
		}{}, map[string]string{"Second": "second?"}, 1},
		{"a row for nothing", right{}, map[string]string{"Low": "parts.low", "High": "parts.high", "Other": "first"}, 1},
	} {
		if got := compareLayout(reflect.TypeOf(tt.mirror), kernel, tt.fields); len(got) != tt.found {
			t.Errorf("%s: %d differences, want %d: %q", tt.name, len(got), tt.found, got)
		}
	}
}
