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
	btfTypeLen   = 12 // struct btf_type; its kind decides what follows: see sizes
	btfMemberLen = 12 // struct btf_member
)

var native = binary.LittleEndian // amd64 and arm64

// A kernelBTF is the running kernel's type information, not decoded: that takes longer than everything else
// that an observer does at its start, and programs touch only few types. It is read once, for where its types
// are and what their names look like. It never changes after, so it is safe for concurrent use.
type kernelBTF struct {
	header  []byte
	types   []byte
	strings []byte   // each ends with a zero byte
	hashes  []uint16 // of the names of types, by type ID; 0 is void
	offsets []uint32 // into types, of every stride-th
}

// Where each type begins would be half a megabyte to remember.
const stride = 8

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
	return k, k.index()
}

// index finds every type.
func (k *kernelBTF) index() error {
	likely := 1 + len(k.types)/(2*btfTypeLen) // kernels have 25 bytes a type
	k.hashes, k.offsets = make([]uint16, 1, likely), make([]uint32, 1, 1+likely/stride)
	for at := 0; at < len(k.types); {
		n := sizeOfType(k.types[at:])
		if n == 0 {
			return fmt.Errorf("%w: type %d is cut off, or of no kind that is known", errTypes, len(k.hashes))
		}
		if len(k.hashes)%stride == 0 {
			k.offsets = append(k.offsets, uint32(at))
		}
		var h uint16
		if name := native.Uint32(k.types[at:]); name != 0 {
			h = hash(k.strings, name)
		}
		k.hashes = append(k.hashes, h)
		at += n
	}
	return nil
}

// at returns the bytes that a type begins, or nil for void and what does not exist.
func (k *kernelBTF) at(id uint32) []byte {
	if id == 0 || id >= uint32(len(k.hashes)) {
		return nil
	}
	t := k.types[k.offsets[id/stride]:]
	first := max(id/stride*stride, 1)
	for range id - first {
		t = t[sizeOfType(t):]
	}
	return t
}

func kindOf(t []byte) uint32 { return native.Uint32(t[4:]) >> 24 & 0x1f }
func vlenOf(t []byte) int    { return int(native.Uint32(t[4:]) & 0xffff) }

// sizes is how long a type of each kind is, and by how much more for each of the vlen things in it.
var sizes = [32]struct{ fixed, each uint8 }{
	kindInt:       {btfTypeLen + 4, 0},
	kindPtr:       {btfTypeLen, 0},
	kindArray:     {btfTypeLen + 12, 0},
	kindStruct:    {btfTypeLen, btfMemberLen},
	kindUnion:     {btfTypeLen, btfMemberLen},
	kindEnum:      {btfTypeLen, 8},
	kindFwd:       {btfTypeLen, 0},
	kindTypedef:   {btfTypeLen, 0},
	kindVolatile:  {btfTypeLen, 0},
	kindConst:     {btfTypeLen, 0},
	kindRestrict:  {btfTypeLen, 0},
	kindFunc:      {btfTypeLen, 0},
	kindFuncProto: {btfTypeLen, 8},
	kindVar:       {btfTypeLen + 4, 0},
	kindDatasec:   {btfTypeLen, 12},
	kindFloat:     {btfTypeLen, 0},
	kindDeclTag:   {btfTypeLen + 4, 0},
	kindTypeTag:   {btfTypeLen, 0},
	kindEnum64:    {btfTypeLen, 12},
}

// sizeOfType is the length of the type that t begins with, or 0 where its kind is not known or it does not
// end in t.
func sizeOfType(t []byte) int {
	if len(t) < btfTypeLen {
		return 0
	}
	info := native.Uint32(t[4:])
	size := &sizes[info>>24&0x1f]
	n := int(size.fixed) + int(info&0xffff)*int(size.each)
	if n > len(t) {
		return 0
	}
	return n
}

// find returns the IDs of all types that have one of the names, by name.
func (k *kernelBTF) find(names ...string) map[string][]uint32 {
	var mayBe [1 << 16 / 8]byte // a bit for each hash
	wanted := make(map[string]bool, len(names))
	for _, name := range names {
		if name != "" {
			wanted[name] = true
			h := hash([]byte(name), 0)
			mayBe[h/8] |= 1 << (h % 8)
		}
	}
	found := make(map[string][]uint32, len(wanted))
	for i, h := range k.hashes[1:] {
		if mayBe[h/8]>>(h%8)&1 == 0 {
			continue
		}
		id := uint32(i) + 1
		if name := k.name(native.Uint32(k.at(id))); wanted[string(name)] {
			found[string(name)] = append(found[string(name)], id)
		}
	}
	return found
}

// name returns the string at an offset, without its end.
func (k *kernelBTF) name(from uint32) []byte {
	if from >= uint32(len(k.strings)) {
		return nil
	}
	s := k.strings[from:]
	return s[:bytes.IndexByte(s, 0)]
}

// hash is that of the name which begins at an offset, eight bytes at a time.
func hash(strings []byte, from uint32) uint16 {
	const ones, tops, odd = 0x0101010101010101, 0x8080808080808080, 0x9e3779b97f4a7c15
	var h uint64
	for at := uint64(from); at < uint64(len(strings)); at += 8 {
		var word uint64
		if rest := strings[at:]; len(rest) >= 8 {
			word = native.Uint64(rest)
		} else {
			for i, c := range rest {
				word |= uint64(c) << (8 * i)
			}
		}
		// The top bit of each zero byte, and of some after the first: Warren, Hacker's Delight, 6-1.
		zeros := (word - ones) &^ word & tops
		if zeros != 0 {
			word &= zeros&-zeros>>7 - 1
		}
		h = (h ^ word) * odd
		h ^= h >> 32
		if zeros != 0 {
			break
		}
	}
	return uint16(h)
}

// only returns those of ids that are of the kind.
func (k *kernelBTF) only(kind uint32, ids []uint32) []uint32 {
	return slices.DeleteFunc(slices.Clone(ids), func(id uint32) bool { return kindOf(k.at(id)) != kind })
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
	old := s.from.at(id)
	if old == nil {
		return fmt.Errorf("%w: no type %d", errTypes, id)
	}
	start := len(s.types)
	s.types = append(s.types, old[:sizeOfType(old)]...)
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
	str := s.from.name(native.Uint32(b))
	if len(str) == 0 {
		native.PutUint32(b, 0)
		return
	}
	native.PutUint32(b, uint32(len(s.strings)))
	s.strings = append(append(s.strings, str...), 0)
}
