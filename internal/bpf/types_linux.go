package bpf

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"slices"
	"sync"

	"github.com/cilium/ebpf/btf"
	"golang.org/x/sys/unix"
)

// Kinds of BTF types. Source: include/uapi/linux/btf.h.
const (
	kindInt       = 1
	kindPtr       = 2
	kindArray     = 3
	kindStruct    = 4
	kindUnion     = 5
	kindEnum      = 6
	kindFwd       = 7
	kindTypedef   = 8
	kindVolatile  = 9
	kindConst     = 10
	kindRestrict  = 11
	kindFunc      = 12
	kindFuncProto = 13
	kindVar       = 14
	kindDatasec   = 15
	kindFloat     = 16
	kindDeclTag   = 17
	kindTypeTag   = 18
	kindEnum64    = 19
)

const (
	btfHeaderLen = 24 // struct btf_header
	btfMagic     = 0xeb9f
	btfTypeLen   = 12 // struct btf_type; its kind decides what follows
	btfMemberLen = 12 // struct btf_member
)

var native = binary.LittleEndian // amd64 and arm64

// A kernelBTF is the running kernel's type information, not decoded but for where each type begins. To
// decode it all takes longer than everything else that an observer does at its start, and programs touch
// only few types. It never changes, so it is safe for concurrent use.
type kernelBTF struct {
	header  []byte
	types   []byte
	strings []byte   // each ends with a zero byte
	offsets []uint32 // into types, by type ID; 0 is void and has none
}

// kernel holds the running kernel's BTF once it has been read.
var kernel struct {
	mu    sync.Mutex
	types *kernelBTF
}

// kernelTypes is the running kernel's BTF, mapped once. An error is not kept: it may be one of the moment, such
// as no descriptor to be had.
func kernelTypes() (*kernelBTF, error) {
	kernel.mu.Lock()
	defer kernel.mu.Unlock()
	if kernel.types != nil {
		return kernel.types, nil
	}
	k, err := readKernelTypes()
	if err != nil {
		return nil, fmt.Errorf("read the kernel's types: %w", err)
	}
	kernel.types = k
	return k, nil
}

func readKernelTypes() (*kernelBTF, error) {
	const file = "/sys/kernel/btf/vmlinux"
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	st, err := f.Stat()
	if err != nil {
		return nil, err
	}
	raw, err := unix.Mmap(int(f.Fd()), 0, int(st.Size()), unix.PROT_READ, unix.MAP_PRIVATE)
	if err != nil { // before Linux 6.16
		if raw, err = os.ReadFile(file); err != nil {
			return nil, err
		}
	}
	k, err := parseBTF(raw)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	return k, nil
}

var errTypes = errors.New("malformed BTF")

// parseBTF finds the sections and every type in raw, which it keeps. What it lets through has no type,
// and no member of one, beyond the end of its section.
func parseBTF(raw []byte) (*kernelBTF, error) {
	if len(raw) < btfHeaderLen || native.Uint16(raw) != btfMagic {
		return nil, fmt.Errorf("%w: header", errTypes)
	}
	hdrLen := native.Uint32(raw[4:])
	if hdrLen < btfHeaderLen || uint64(hdrLen) > uint64(len(raw)) {
		return nil, fmt.Errorf("%w: length of header", errTypes)
	}
	section := func(at int) []byte {
		from, n := uint64(native.Uint32(raw[at:])), uint64(native.Uint32(raw[at+4:]))
		body := raw[hdrLen:]
		if from+n > uint64(len(body)) {
			return nil
		}
		return body[from : from+n]
	}
	k := &kernelBTF{header: raw[:btfHeaderLen], types: section(8), strings: section(16)}
	if len(k.strings) == 0 || k.strings[0] != 0 || k.strings[len(k.strings)-1] != 0 {
		return nil, fmt.Errorf("%w: strings", errTypes)
	}
	k.offsets = make([]uint32, 1, 1+len(k.types)/24)
	for at := 0; at < len(k.types); {
		if len(k.types)-at < btfTypeLen {
			return nil, fmt.Errorf("%w: type %d is cut off", errTypes, len(k.offsets))
		}
		n, err := sizeOfType(k.types[at:])
		if err != nil {
			return nil, err
		}
		if n > len(k.types)-at {
			return nil, fmt.Errorf("%w: type %d is cut off", errTypes, len(k.offsets))
		}
		k.offsets = append(k.offsets, uint32(at))
		at += n
	}
	return k, nil
}

func kindOf(t []byte) uint32 { return native.Uint32(t[4:]) >> 24 & 0x1f }
func vlenOf(t []byte) int    { return int(native.Uint32(t[4:]) & 0xffff) }

// sizeOfType is the length of one type with what follows its header.
func sizeOfType(t []byte) (int, error) {
	n := vlenOf(t)
	switch kind := kindOf(t); kind {
	case kindPtr, kindFwd, kindTypedef, kindVolatile, kindConst, kindRestrict, kindFunc, kindFloat, kindTypeTag:
		return btfTypeLen, nil
	case kindInt, kindVar, kindDeclTag:
		return btfTypeLen + 4, nil
	case kindArray:
		return btfTypeLen + 12, nil
	case kindStruct, kindUnion, kindDatasec, kindEnum64:
		return btfTypeLen + n*btfMemberLen, nil
	case kindEnum, kindFuncProto:
		return btfTypeLen + n*8, nil
	default:
		return 0, fmt.Errorf("%w: kind %d is not known", errTypes, kind)
	}
}

// find returns the IDs of all types that have one of the names, by name.
func (k *kernelBTF) find(names ...string) map[string][]uint32 {
	wanted := make(map[string]bool, len(names))
	var mayBe filter // looking up every string would take most of the time
	for _, name := range names {
		if name != "" {
			wanted[name] = true
			mayBe[shape([]byte(name))] = true
		}
	}
	at := make(map[uint32]string, len(names)) // offset in strings
	var mayBeAt filter
	for from := 1; from < len(k.strings); {
		s := k.strings[from:]
		s = s[:bytes.IndexByte(s, 0)]
		if len(s) > 0 && mayBe[shape(s)] && wanted[string(s)] {
			at[uint32(from)] = string(s)
			mayBeAt[from%len(mayBeAt)] = true
		}
		from += len(s) + 1
	}
	found := make(map[string][]uint32, len(names))
	for id := 1; id < len(k.offsets); id++ {
		offset := native.Uint32(k.types[k.offsets[id]:])
		if !mayBeAt[offset%uint32(len(mayBeAt))] {
			continue
		}
		if name, ok := at[offset]; ok {
			found[name] = append(found[name], uint32(id))
		}
	}
	return found
}

// A filter is a set that says yes too often.
type filter [1 << 13]bool

// shape is where a string that is not empty stands in a filter.
func shape(s []byte) int {
	return (len(s)<<8 ^ int(s[0])<<5 ^ int(s[len(s)/2])<<2 ^ int(s[len(s)-1])) % len(filter{})
}

// only returns those of ids that are of the kind.
func (k *kernelBTF) only(kind uint32, ids []uint32) []uint32 {
	return slices.DeleteFunc(slices.Clone(ids), func(id uint32) bool { return kindOf(k.types[k.offsets[id]:]) != kind })
}

// subset returns a BTF of its own with the types of ids and all that they hold by value. What they point
// to is left out: a relocation never looks through a pointer.
func (k *kernelBTF) subset(ids []uint32) (*btf.Spec, error) {
	s := subset{from: k, renamed: map[uint32]uint32{0: 0}, strings: []byte{0}}
	for _, id := range ids {
		s.rename(id)
	}
	for i := 0; i < len(s.order); i++ { // grows meanwhile
		if err := s.add(s.order[i]); err != nil {
			return nil, err
		}
	}
	raw := bytes.Clone(k.header)
	native.PutUint32(raw[4:], btfHeaderLen)
	native.PutUint32(raw[8:], 0)
	native.PutUint32(raw[12:], uint32(len(s.types)))
	native.PutUint32(raw[16:], uint32(len(s.types)))
	native.PutUint32(raw[20:], uint32(len(s.strings)))
	raw = append(append(raw, s.types...), s.strings...)
	spec, err := btf.LoadSpecFromReader(bytes.NewReader(raw))
	if err != nil {
		return nil, fmt.Errorf("take types from the kernel's: %w", err)
	}
	return spec, nil
}

// A subset is a BTF under construction.
type subset struct {
	from    *kernelBTF
	renamed map[uint32]uint32 // type ID there to type ID here
	order   []uint32          // type IDs there, in the order of those here, which begin at 1
	types   []byte
	strings []byte
}

// rename returns the ID here of a type there, which add will see.
func (s *subset) rename(id uint32) uint32 {
	here, ok := s.renamed[id]
	if !ok {
		s.order = append(s.order, id)
		here = uint32(len(s.order))
		s.renamed[id] = here
	}
	return here
}

func (s *subset) add(id uint32) error {
	if id >= uint32(len(s.from.offsets)) {
		return fmt.Errorf("%w: no type %d", errTypes, id)
	}
	old := s.from.types[s.from.offsets[id]:]
	n, err := sizeOfType(old)
	if err != nil {
		return err
	}
	start := len(s.types)
	s.types = append(s.types, old[:n]...)
	t := s.types[start:]
	s.name(t)
	type32 := func(at int) { native.PutUint32(t[at:], s.rename(native.Uint32(t[at:]))) }
	switch kindOf(t) {
	case kindPtr:
		native.PutUint32(t[8:], 0) // void
	case kindTypedef, kindVolatile, kindConst, kindRestrict, kindTypeTag:
		type32(8)
	case kindArray:
		type32(12)
		type32(16)
	case kindStruct, kindUnion:
		for i := range vlenOf(t) {
			s.name(t[btfTypeLen+i*btfMemberLen:])
			type32(btfTypeLen + i*btfMemberLen + 4)
		}
	case kindEnum:
		for i := range vlenOf(t) {
			s.name(t[btfTypeLen+i*8:])
		}
	case kindEnum64:
		for i := range vlenOf(t) {
			s.name(t[btfTypeLen+i*12:])
		}
	case kindInt, kindFloat, kindFwd:
	default:
		return fmt.Errorf("%w: a value of kind %d", errTypes, kindOf(t))
	}
	return nil
}

// name copies the string that the first word of b is the offset of.
func (s *subset) name(b []byte) {
	from := native.Uint32(b)
	if from == 0 || from >= uint32(len(s.from.strings)) {
		native.PutUint32(b, 0)
		return
	}
	str := s.from.strings[from:]
	native.PutUint32(b, uint32(len(s.strings)))
	s.strings = append(s.strings, str[:bytes.IndexByte(str, 0)+1]...)
}
