package syscalls

import (
	"errors"
	"fmt"
	"os"
	"reflect"
	"strings"
	"sync"
	"testing"
	"unicode"

	"github.com/cilium/ebpf/btf"
)

// checkLayout compares a mirror of a kernel struct, given as a value, with what the running kernel's BTF says of
// kernelType ("clone_args"): its size, and each field's offset and size.
//
// A field's name in the kernel is that in fields, "lookup.inode" for one inside another, or else its own
// in snake case: CPUID is cpuid, ExitSignal exit_signal, and Pad_cgo is pad_cgo. Fields named _ are padding and
// are not looked for. What a kernel may lack ends with "?": a field ("set_tid?"), which must then lie beyond the end
// of that kernel's struct, or the whole type ("futex_waitv?"), which is then in headerTypes and is compared with
// that on every kernel.
//
// Where the kernel shows no BTF, only types of headerTypes are compared, and for others the test is skipped. For a
// type that no BTF has there is checkOffsets.
func checkLayout(t *testing.T, goType any, kernelType string, fields map[string]string) {
	t.Helper()
	name, optional := strings.CutSuffix(kernelType, "?")
	typ := reflect.TypeOf(goType)
	if optional {
		header, err := headerStruct(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, difference := range compareLayout(typ, header, fields) {
			t.Errorf("the header: %s", difference)
		}
	}
	spec, err := kernelTypes()
	if errors.Is(err, os.ErrNotExist) || errors.Is(err, os.ErrPermission) || errors.Is(err, btf.ErrNotSupported) {
		if !optional {
			t.Skipf("read the kernel's types: %v", err)
		}
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	kernel, err := kernelStruct(spec, name)
	if errors.Is(err, btf.ErrNotFound) && optional {
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	for _, difference := range compareLayout(typ, kernel, fields) {
		t.Error(difference)
	}
}

// checkOffsets compares a mirror with constants, for a type that is in no BTF. The caller cites the uapi header
// that they are from.
func checkOffsets(t *testing.T, goType any, size uintptr, offsets map[string]uintptr) {
	t.Helper()
	typ := reflect.TypeOf(goType)
	if typ.Size() != size {
		t.Errorf("%v has %d bytes; want %d", typ, typ.Size(), size)
	}
	for i := range typ.NumField() {
		f := typ.Field(i)
		if f.Name == "_" {
			continue
		}
		if want, ok := offsets[f.Name]; !ok || f.Offset != want {
			t.Errorf("%v.%s is at %d; want %d", typ, f.Name, f.Offset, want)
		}
	}
	for name := range offsets {
		if _, ok := typ.FieldByName(name); !ok {
			t.Errorf("%v has no field %s", typ, name)
		}
	}
}

// kernelTypes reads the running kernel's BTF once.
var kernelTypes = sync.OnceValues(btf.LoadKernelSpec)

// A kernelLayout is a struct or union of the kernel.
type kernelLayout struct {
	name    string
	size    uintptr
	members []btf.Member
}

// layoutOf returns the struct or union that t is, behind names and qualifiers.
func layoutOf(t btf.Type) (kernelLayout, bool) {
	switch t := btf.UnderlyingType(t).(type) {
	case *btf.Struct:
		return kernelLayout{t.Name, uintptr(t.Size), t.Members}, true
	case *btf.Union:
		return kernelLayout{t.Name, uintptr(t.Size), t.Members}, true
	}
	return kernelLayout{}, false
}

func kernelStruct(spec *btf.Spec, name string) (kernelLayout, error) {
	types, err := spec.AnyTypesByName(name)
	if err != nil {
		return kernelLayout{}, fmt.Errorf("%s: %w", name, err)
	}
	for _, typ := range types {
		if k, ok := layoutOf(typ); ok {
			return k, nil
		}
	}
	return kernelLayout{}, fmt.Errorf("%s: no struct or union: %w", name, btf.ErrNotFound)
}

// find returns the member at a path of names, and its offset. Members of members without a name count as its
// own, as in C.
func (k kernelLayout) find(path string) (offset uintptr, m btf.Member, ok bool) {
	first, rest, _ := strings.Cut(path, ".")
	for _, m := range k.members {
		at := uintptr(m.Offset / 8)
		inner, aggregate := layoutOf(m.Type)
		switch {
		case m.Name == path: // of a header, with its dots
			return at, m, true
		case m.Name == first && aggregate:
			offset, m, ok := inner.find(rest)
			return at + offset, m, ok
		case m.Name == "" && aggregate:
			if offset, m, ok := inner.find(path); ok {
				return at + offset, m, true
			}
		}
	}
	return 0, btf.Member{}, false
}

// compareLayout returns the differences between a mirror and the kernel's type.
func compareLayout(typ reflect.Type, kernel kernelLayout, fields map[string]string) (differences []string) {
	differ := func(format string, args ...any) {
		differences = append(differences, fmt.Sprintf(format, args...))
	}
	if typ.Kind() != reflect.Struct {
		differ("%v is no struct", typ)
		return differences
	}
	for name := range fields {
		if _, ok := typ.FieldByName(name); !ok {
			differ("%v has no field %s", typ, name)
		}
	}
	older := false // this kernel's type ends before the mirror does
	for i := range typ.NumField() {
		f := typ.Field(i)
		if f.Name == "_" {
			continue
		}
		path, ok := fields[f.Name]
		if !ok {
			path = snake(f.Name)
		}
		path, optional := strings.CutSuffix(path, "?")
		offset, m, ok := kernel.find(path)
		switch {
		case !ok && optional && f.Offset >= kernel.size:
			older = true
			continue
		case !ok:
			differ("%v.%s: struct %s has no %s", typ, f.Name, kernel.name, path)
			continue
		case f.Offset != offset:
			differ("%v.%s is at %d; %s.%s at %d", typ, f.Name, f.Offset, kernel.name, path, offset)
		}
		if size, err := btf.Sizeof(m.Type); m.BitfieldSize == 0 && (err != nil || f.Type.Size() != uintptr(size)) {
			differ("%v.%s has %d bytes; %s.%s %d (%v)", typ, f.Name, f.Type.Size(), kernel.name, path, size, err)
		}
	}
	if typ.Size() != kernel.size && !(older && typ.Size() > kernel.size) {
		differ("%v has %d bytes; struct %s %d", typ, typ.Size(), kernel.name, kernel.size)
	}
	return differences
}

// snake is a Go name as C would have it: ExitSignal is exit_signal.
func snake(name string) string {
	var b strings.Builder
	var before rune
	for _, r := range name {
		if unicode.IsUpper(r) && unicode.IsLower(before) {
			b.WriteByte('_')
		}
		b.WriteRune(unicode.ToLower(r))
		before = r
	}
	return b.String()
}
