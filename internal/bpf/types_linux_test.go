package bpf

import (
	"errors"
	"os"
	"slices"
	"testing"

	"github.com/cilium/ebpf/btf"
	"golang.org/x/sys/unix"
)

// kernels returns the running kernel's types as read here, and as the library decodes them.
func kernels(t testing.TB) (*kernelBTF, *btf.Spec) {
	t.Helper()
	ours, err := kernelTypes()
	if errors.Is(err, os.ErrNotExist) {
		t.Skipf("tried: %v", err)
	} else if err != nil {
		t.Fatal(err)
	}
	theirs, err := btf.LoadKernelSpec()
	if err != nil {
		t.Fatal(err)
	}
	return ours, theirs
}

// TestTypesAreReadAgainAfterAnErrorOfTheMoment: a process that is out of descriptors has a kernel that can.
func TestTypesAreReadAgainAfterAnErrorOfTheMoment(t *testing.T) {
	kernels(t)
	kernel.mu.Lock()
	kernel.types = nil
	kernel.mu.Unlock()
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		t.Fatal(err)
	}
	none := limit
	none.Cur = 0
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &none); err != nil {
		t.Fatal(err)
	}
	_, err := kernelTypes()
	said := explain("load", err)
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		t.Fatal(err)
	}
	if !errors.Is(err, unix.EMFILE) {
		t.Errorf("without descriptors: %v", err)
	}
	if privileged() && errors.Is(said, errors.ErrUnsupported) {
		t.Errorf("said to be the kernel's fault: %v", said)
	}
	if _, err := kernelTypes(); err != nil {
		t.Errorf("with descriptors again: %v", err)
	}
}

// TestNamesAreFoundWhereTheLibraryFindsThem covers every kind that something asks for, and a name that no
// kernel has.
func TestNamesAreFoundWhereTheLibraryFindsThem(t *testing.T) {
	ours, theirs := kernels(t)
	names := []string{"task_struct", "mm_struct", "vm_area_struct", "handle_mm_fault", "btf_trace_sched_switch",
		"pid_t", "zone_type", "u64", "signal_struct", "no_kernel_has_this"}
	found := ours.find(names...)
	for _, name := range names {
		var want []uint32
		types, err := theirs.AnyTypesByName(name)
		if err != nil && !errors.Is(err, btf.ErrNotFound) {
			t.Fatal(err)
		}
		for _, typ := range types {
			id, err := theirs.TypeID(typ)
			if err != nil {
				t.Fatal(err)
			}
			want = append(want, uint32(id))
		}
		slices.Sort(want)
		if !slices.Equal(found[name], want) {
			t.Errorf("%s: found %v; the library finds %v", name, found[name], want)
		}
	}
}

// TestSubsetHasTheLayoutThatTheLibraryDecodes compares every member of large structures.
func TestSubsetHasTheLayoutThatTheLibraryDecodes(t *testing.T) {
	ours, theirs := kernels(t)
	for _, name := range []string{"task_struct", "mm_struct", "vm_area_struct", "signal_struct", "kernel_siginfo"} {
		subset, err := ours.subset(ours.only(kindStruct, ours.find(name)[name]))
		if err != nil {
			t.Fatal(err)
		}
		var got, want *btf.Struct
		if err := errors.Join(subset.TypeByName(name, &got), theirs.TypeByName(name, &want)); err != nil {
			t.Fatal(err)
		}
		compareStructs(t, name, got.Size, want.Size, got.Members, want.Members)
	}
}

func compareStructs(t *testing.T, name string, gotSize, wantSize uint32, got, want []btf.Member) {
	t.Helper()
	if gotSize != wantSize || len(got) != len(want) {
		t.Errorf("%s: %d bytes and %d members; the library has %d and %d", name, gotSize, len(got), wantSize, len(want))
		return
	}
	for i, w := range want {
		g, path := got[i], name+"."+w.Name
		if g.Name != w.Name || g.Offset != w.Offset || g.BitfieldSize != w.BitfieldSize {
			t.Errorf("%s: %q at bit %d of %d bits; the library has it at bit %d of %d", path, g.Name, g.Offset, g.BitfieldSize, w.Offset, w.BitfieldSize)
		}
		gotSize, gotErr := btf.Sizeof(g.Type)
		wantSize, wantErr := btf.Sizeof(w.Type)
		if gotSize != wantSize || (gotErr == nil) != (wantErr == nil) {
			t.Errorf("%s: %d bytes (%v); the library has %d (%v)", path, gotSize, gotErr, wantSize, wantErr)
		}
		switch w := btf.UnderlyingType(w.Type).(type) {
		case *btf.Struct:
			if g, ok := btf.UnderlyingType(g.Type).(*btf.Struct); ok {
				compareStructs(t, path, g.Size, w.Size, g.Members, w.Members)
			} else {
				t.Errorf("%s is no structure", path)
			}
		case *btf.Union:
			if g, ok := btf.UnderlyingType(g.Type).(*btf.Union); ok {
				compareStructs(t, path, g.Size, w.Size, g.Members, w.Members)
			} else {
				t.Errorf("%s is no union", path)
			}
		}
	}
}

// FuzzTypes breaks a BTF in any way: an error, and no panic.
func FuzzTypes(f *testing.F) {
	var b btf.Builder
	size := &btf.Typedef{Name: "size", Type: &btf.Int{Name: "int", Size: 4}}
	inner := &btf.Union{Name: "inner", Size: 8, Members: []btf.Member{{Name: "n", Type: size}, {Name: "p", Type: &btf.Pointer{Target: &btf.Void{}}}}}
	_, err := b.Add(&btf.Struct{Name: "outer", Size: 40, Members: []btf.Member{
		{Name: "u", Type: inner},
		{Name: "a", Type: &btf.Array{Type: inner, Index: size, Nelems: 3}, Offset: 64},
		{Name: "e", Type: &btf.Const{Type: &btf.Enum{Name: "e", Size: 4, Values: []btf.EnumValue{{Name: "one", Value: 1}}}}, Offset: 256},
	}})
	if err != nil {
		f.Fatal(err)
	}
	raw, err := b.Marshal(nil, nil)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(raw, "outer")
	f.Add(raw, "")
	f.Add(raw[:30], "outer")
	f.Fuzz(func(t *testing.T, raw []byte, name string) {
		k, err := parseBTF(raw)
		if err != nil {
			return
		}
		spec, err := k.subset(k.find(name)[name])
		if err != nil {
			return
		}
		for _, err := range spec.All() {
			if err != nil {
				return
			}
		}
	})
}
