package vdso

import (
	"bytes"
	"encoding/binary"
	"fmt"
)

// An image is a vDSO as it lies in memory: a small shared library of 64 bits, little-endian. Names and numbers
// are those of elf(5); the version tables are described in the LSB core specification, chapter "Symbol
// Versioning". The image is the kernel's, but nothing in it is trusted: every access is checked against its
// length, and every walk has an end.
type image struct {
	data []byte
	// bias + an address of the file's own numbering is an index into data. Both numberings begin with the
	// first loadable segment, which a vDSO has alone.
	bias        uint64
	first, last uint64 // what that segment spans, in the file's numbering

	symbols  []byte // the symbol table, to the end of the image: nothing says how long it is
	names    []byte // its strings
	hash     []byte // DT_HASH, to the end of the image; nil where there is none
	gnuHash  []byte // DT_GNU_HASH
	versions []byte // DT_VERSYM: a number for each symbol
	defined  []byte // DT_VERDEF: the names of these numbers
}

// A function is what a lookup finds.
type function struct {
	version string // empty where the image has no versions
	offset  uint64 // from the beginning of the image
	size    uint64
}

const (
	sizeofHeader  = 64 // Elf64_Ehdr
	sizeofSegment = 56 // Elf64_Phdr
	sizeofDynamic = 16 // Elf64_Dyn
	sizeofSymbol  = 24 // Elf64_Sym
	sizeofVerdef  = 20 // Elf64_Verdef

	segmentLoad    = 1 // PT_LOAD
	segmentDynamic = 2 // PT_DYNAMIC

	tagNull    = 0          // DT_NULL
	tagHash    = 4          // DT_HASH
	tagStrings = 5          // DT_STRTAB
	tagSymbols = 6          // DT_SYMTAB
	tagStrSize = 10         // DT_STRSZ
	tagGNUHash = 0x6ffffef5 // DT_GNU_HASH
	tagVersym  = 0x6ffffff0 // DT_VERSYM
	tagVerdef  = 0x6ffffffc // DT_VERDEF

	typeNone, typeFunction = 0, 2 // STT_NOTYPE, STT_FUNC
	bindGlobal, bindWeak   = 1, 2 // STB_GLOBAL, STB_WEAK

	versionHidden = 0x8000 // of a DT_VERSYM entry: not the default version
	versionFile   = 1      // VER_FLG_BASE: a definition that names the file itself
)

var le = binary.LittleEndian

// broken is the error for an image that contradicts itself.
func broken(format string, args ...any) error {
	return fmt.Errorf("vdso: broken image: %s", fmt.Sprintf(format, args...))
}

// extent returns how many bytes the first loadable segment has in memory, counted from the beginning of the
// image. It needs the headers alone.
func extent(headers []byte) (uint64, error) {
	im := &image{data: headers}
	if _, _, err := im.segments(); err != nil {
		return 0, err
	}
	return im.last + im.bias, nil
}

// parseImage finds the tables of an image.
func parseImage(data []byte) (*image, error) {
	im := &image{data: data}
	at, size, err := im.segments()
	if err != nil {
		return nil, err
	}
	if im.last+im.bias > uint64(len(data)) {
		return nil, broken("its segment of %d bytes ends beyond it", im.last-im.first)
	}
	if err := im.tables(at, size); err != nil {
		return nil, err
	}
	return im, nil
}

// segments reads the program headers: where the image is loaded, and where its dynamic section is.
func (im *image) segments() (dynamic, size uint64, err error) {
	h := im.data
	if len(h) < sizeofHeader || string(h[:4]) != "\x7fELF" {
		return 0, 0, broken("no ELF header")
	}
	if class, order := h[4], h[5]; class != 2 || order != 1 {
		return 0, 0, broken("class %d, byte order %d: not of 64 bits, little-endian", class, order)
	}
	offset, each, n := le.Uint64(h[32:]), le.Uint16(h[54:]), le.Uint16(h[56:])
	if each != sizeofSegment {
		return 0, 0, broken("program headers of %d bytes", each)
	}
	table, ok := slice(h, offset, uint64(n)*sizeofSegment)
	if !ok {
		return 0, 0, broken("%d program headers at %#x", n, offset)
	}
	loaded, found := false, false
	for ; len(table) > 0; table = table[sizeofSegment:] {
		at, address, inMemory := le.Uint64(table[8:]), le.Uint64(table[16:]), le.Uint64(table[40:])
		switch kind := le.Uint32(table); {
		case kind == segmentLoad && !loaded:
			im.bias, im.first, im.last = at-address, address, address+inMemory
			// The sums may wrap: the bias of an image that is linked high does, and is right. Ends may not.
			if im.last < address || im.last+im.bias < at {
				return 0, 0, broken("a segment of %d bytes at %#x", inMemory, address)
			}
			loaded = true
		case kind == segmentDynamic && !found:
			dynamic, size, found = at, inMemory, true
		}
	}
	if !loaded || !found {
		return 0, 0, broken("no loadable segment, or no dynamic section")
	}
	return dynamic, size, nil
}

// tables reads the dynamic section.
func (im *image) tables(offset, size uint64) error {
	dynamic, ok := slice(im.data, offset, size)
	if !ok {
		return broken("a dynamic section of %d bytes at %#x", size, offset)
	}
	var namesSize uint64
entries:
	for ; len(dynamic) >= sizeofDynamic; dynamic = dynamic[sizeofDynamic:] {
		var table *[]byte
		value := le.Uint64(dynamic[8:])
		switch le.Uint64(dynamic) {
		case tagNull:
			break entries
		case tagHash:
			table = &im.hash
		case tagGNUHash:
			table = &im.gnuHash
		case tagStrings:
			table = &im.names
		case tagSymbols:
			table = &im.symbols
		case tagVersym:
			table = &im.versions
		case tagVerdef:
			table = &im.defined
		case tagStrSize:
			namesSize = value
			continue
		default:
			continue
		}
		at := value + im.bias
		if at >= uint64(len(im.data)) {
			return broken("a table at %#x", value)
		}
		*table = im.data[at:]
	}
	if im.symbols == nil || im.names == nil || im.hash == nil && im.gnuHash == nil {
		return broken("no symbols, no names or no hash table")
	}
	if namesSize > uint64(len(im.names)) {
		return broken("%d bytes of names", namesSize)
	}
	im.names = im.names[:namesSize]
	if im.defined == nil {
		im.versions = nil // numbers without names say nothing
	}
	return nil
}

// name returns the string at an offset of the string table.
func (im *image) name(offset uint64) (string, bool) {
	if offset >= uint64(len(im.names)) {
		return "", false
	}
	s := im.names[offset:]
	n := bytes.IndexByte(s, 0)
	if n < 0 {
		return "", false
	}
	return string(s[:n]), true
}

// match reports whether symbol i is the function asked for. An empty version stands for the default one.
func (im *image) match(i uint64, name, version string) (function, bool) {
	s, ok := slice(im.symbols, i*sizeofSymbol, sizeofSymbol)
	if !ok {
		return function{}, false
	}
	kind, bind, section := s[4]&0xf, s[4]>>4, le.Uint16(s[6:])
	if kind != typeFunction && kind != typeNone || bind != bindGlobal && bind != bindWeak || section == 0 {
		return function{}, false // data, local, or not defined here
	}
	if found, ok := im.name(uint64(le.Uint32(s))); !ok || found != name {
		return function{}, false
	}
	address := le.Uint64(s[8:])
	if address < im.first || address >= im.last {
		return function{}, false // an absolute number, and no place in the image
	}
	f := function{offset: address + im.bias, size: le.Uint64(s[16:])}
	if im.versions == nil {
		return f, version == ""
	}
	v, ok := slice(im.versions, 2*i, 2)
	if !ok {
		return function{}, false
	}
	number := le.Uint16(v)
	if f.version, ok = im.versionName(number &^ versionHidden); !ok {
		return function{}, false
	}
	if version == "" {
		return f, number&versionHidden == 0
	}
	return f, f.version == version
}

// versionName returns what a version number means, by the list of definitions.
func (im *image) versionName(number uint16) (string, bool) {
	if number <= 1 {
		return "", number == 1 // 0 is local to the library, 1 global and without a version
	}
	rest := im.defined
	for len(rest) >= sizeofVerdef {
		flags, index := le.Uint16(rest[2:]), le.Uint16(rest[4:])
		if index == number && flags&versionFile == 0 {
			first, ok := slice(rest, uint64(le.Uint32(rest[12:])), 8) // the first Elf64_Verdaux is its name
			if !ok {
				return "", false
			}
			return im.name(uint64(le.Uint32(first)))
		}
		next := uint64(le.Uint32(rest[16:]))
		if next < sizeofVerdef || next >= uint64(len(rest)) {
			return "", false // the last one; or one that would have the list go back
		}
		rest = rest[next:]
	}
	return "", false
}

// slice returns n bytes of b from an offset, if they are there.
func slice(b []byte, offset, n uint64) ([]byte, bool) {
	if offset > uint64(len(b)) || n > uint64(len(b))-offset {
		return nil, false
	}
	return b[offset : offset+n : offset+n], true
}
