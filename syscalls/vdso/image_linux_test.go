package vdso

import (
	"bytes"
	"debug/elf"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
)

// mapping is where /proc/self/maps says that the vDSO is.
func mapping(t testing.TB) (from, to uintptr) {
	t.Helper()
	maps, err := os.ReadFile("/proc/self/maps")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(maps)) {
		if strings.HasSuffix(line, "[vdso]\n") {
			if _, err := fmt.Sscanf(line, "%x-%x", &from, &to); err != nil {
				t.Fatal(err)
			}
			return from, to
		}
	}
	t.Skip("/proc/self/maps shows no vDSO")
	return 0, 0
}

// wholeImage is a copy of the vDSO of this process, to the end of its last page.
func wholeImage(t testing.TB) []byte {
	t.Helper()
	from, to := mapping(t)
	return bytes.Clone(memory(from, uint64(to-from)))
}

// functions are those that debug/elf finds in the image.
func functions(t testing.TB, data []byte) (list []elf.Symbol) {
	t.Helper()
	file, err := elf.NewFile(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	all, err := file.DynamicSymbols()
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range all {
		kind, bind := elf.ST_TYPE(s.Info), elf.ST_BIND(s.Info)
		if s.Section != elf.SHN_UNDEF && kind == elf.STT_FUNC && (bind == elf.STB_GLOBAL || bind == elf.STB_WEAK) {
			list = append(list, s)
		}
	}
	if len(list) < 3 {
		t.Fatalf("debug/elf finds %d functions; every vDSO has more", len(list))
	}
	return list
}

// views are ways to look at the image: by either hash table, where it has both.
func views(t testing.TB, data []byte) map[string]*image {
	t.Helper()
	im, err := parseImage(data)
	if err != nil {
		t.Fatal(err)
	}
	m := make(map[string]*image)
	if im.gnuHash != nil {
		m["DT_GNU_HASH"] = im
	}
	if im.hash != nil {
		alone := *im
		alone.gnuHash = nil
		m["DT_HASH"] = &alone
	}
	return m
}

func TestLookupAgreesWithDebugELF(t *testing.T) {
	data := wholeImage(t)
	for hash, im := range views(t, data) {
		for _, s := range functions(t, data) {
			for _, version := range []string{"", s.Version} {
				f, err := im.lookup(s.Name, version)
				if err != nil {
					t.Errorf("%s: %v", hash, err)
				} else if f.version != s.Version || f.offset-im.bias != s.Value || f.size != s.Size {
					t.Errorf("%s: %s@%s is %+v; debug/elf says %+v", hash, s.Name, version, f, s)
				}
			}
			if f, err := im.lookup(s.Name, "LINUX_0.1"); !errors.Is(err, ErrNotFound) {
				t.Errorf("%s: %s@LINUX_0.1 is %+v, %v", hash, s.Name, f, err)
			}
		}
		for _, name := range []string{"", "clock", "__vdso_fork", strings.Repeat("long", 1000)} {
			if f, err := im.lookup(name, ""); !errors.Is(err, ErrNotFound) {
				t.Errorf("%s: %q is %+v, %v", hash, name, f, err)
			}
		}
	}
}

func TestAddressIsInTheMapping(t *testing.T) {
	from, to := mapping(t)
	for _, s := range functions(t, wholeImage(t)) {
		got, err := Lookup(s.Name)
		if err != nil {
			t.Fatal(err)
		}
		if got.Addr < from || got.Addr+uintptr(got.Size) > to || got.Name != s.Name {
			t.Errorf("%+v is not between %#x and %#x", got, from, to)
		}
		if versioned, err := LookupVersion(s.Name, s.Version); err != nil || versioned != got {
			t.Errorf("with its version %+v, %v; without %+v", versioned, err, got)
		}
	}
	if _, err := Lookup("__vdso_fork"); !errors.Is(err, ErrNotFound) {
		t.Errorf("of no such function: %v", err)
	}
}

// A symbol whose version number has the hidden bit is had by its version alone.
func TestHiddenVersionIsNotTheDefault(t *testing.T) {
	data := wholeImage(t)
	for hash, im := range views(t, data) {
		if im.versions == nil {
			t.Skip("this image has no versions")
		}
		s := functions(t, data)[0]
		hidden := *im
		hidden.versions = bytes.Clone(im.versions)
		for i := 1; i < len(hidden.versions); i += 2 {
			hidden.versions[i] |= 0x80
		}
		if f, err := hidden.lookup(s.Name, ""); !errors.Is(err, ErrNotFound) {
			t.Errorf("%s: %s is %+v, %v", hash, s.Name, f, err)
		}
		if _, err := hidden.lookup(s.Name, s.Version); err != nil {
			t.Errorf("%s: %v", hash, err)
		}
	}
}

func TestBrokenImagesAreRefused(t *testing.T) {
	whole := wholeImage(t)
	put16 := func(at int, v uint16) func([]byte) { return func(b []byte) { le.PutUint16(b[at:], v) } }
	put64 := func(at int, v uint64) func([]byte) { return func(b []byte) { le.PutUint64(b[at:], v) } }
	segments := int(le.Uint64(whole[32:])) // the first is the loadable one
	if le.Uint32(whole[segments:]) != segmentLoad {
		t.Fatal("the image begins with another kind of segment")
	}
	for name, damage := range map[string]func([]byte){
		"no magic":                  func(b []byte) { b[0] = 0 },
		"32 bits":                   func(b []byte) { b[4] = 1 },
		"big-endian":                func(b []byte) { b[5] = 2 },
		"headers beyond the end":    put64(32, uint64(len(whole))),
		"headers beyond any end":    put64(32, ^uint64(0)),
		"headers of another size":   put16(54, 32),
		"no headers":                put16(56, 0),
		"a segment beyond the end":  put64(segments+40, uint64(len(whole))+1),
		"a segment beyond any end":  put64(segments+40, ^uint64(0)),
		"a segment at another base": put64(segments+16, 1<<40),
	} {
		b := bytes.Clone(whole)
		damage(b)
		if im, err := parseImage(b); err == nil {
			t.Errorf("%s: %+v", name, im)
		}
	}
	for n := range sizeofHeader {
		if _, err := extent(whole[:n]); err == nil {
			t.Errorf("a header of %d bytes is taken for one", n)
		}
	}
}

// FuzzBrokenImage overwrites words of the real image, which gets further than random bytes do, and cuts it off.
func FuzzBrokenImage(f *testing.F) {
	whole := wholeImage(f)
	var names []string
	for _, s := range functions(f, whole) {
		names = append(names, s.Name)
	}
	f.Add([]byte{}, uint16(len(whole)), names[0])
	f.Add([]byte("\x20\x00\xff\xff\xff\xff\xff\xff\xff\xff"), uint16(200), "")
	for at := 0; at < 0x600 && at < len(whole); at += 24 {
		f.Add(append(le.AppendUint16(nil, uint16(at)), 0, 0, 0, 0, 1, 0, 0, 0), uint16(len(whole)), names[at%len(names)])
	}
	f.Fuzz(func(t *testing.T, patches []byte, length uint16, name string) {
		data := bytes.Clone(whole[:min(int(length), len(whole))])
		for ; len(patches) >= 10; patches = patches[10:] {
			if at := int(le.Uint16(patches)); at+8 <= len(data) {
				copy(data[at:], patches[2:10])
			}
		}
		if _, err := extent(data); err != nil {
			if _, err := parseImage(data); err == nil {
				t.Error("an image without an extent is parsed")
			}
			return
		}
		im, err := parseImage(data)
		if err != nil {
			return
		}
		alone := *im
		alone.gnuHash = nil
		for _, im := range []*image{im, &alone} {
			if im.hash == nil && im.gnuHash == nil {
				continue
			}
			for _, name := range append(names, name) {
				for _, version := range []string{"", "LINUX_2.6"} {
					if f, err := im.lookup(name, version); err == nil && f.offset >= uint64(len(data)) {
						t.Errorf("%s is at %#x of %#x", name, f.offset, len(data))
					}
				}
			}
		}
	})
}

// Both hashes of a name whose values everybody knows: those that the runtime looks its functions up by.
func TestHashes(t *testing.T) {
	for name, want := range map[string][2]uint32{
		"__vdso_clock_gettime":   {0xd35ec75, 0x6e43a318},
		"__vdso_getrandom":       {0x25425d, 0x84a559bf},
		"__kernel_clock_gettime": {0xb0cd725, 0xdfa941fd},
	} {
		if got := [2]uint32{hashSysV(name), hashGNU(name)}; got != want {
			t.Errorf("%s: %#x; want %#x", name, got, want)
		}
	}
}
