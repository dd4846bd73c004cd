package bpf

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"maps"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"unsafe"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
	"github.com/cilium/ebpf/btf"
	"golang.org/x/sys/unix"
)

// A loader hands programs to the kernel. Of the kernel's types it decodes those alone that the programs
// name, where the library would decode all: see docs/adr.
type loader struct {
	maps    map[string]*ebpf.Map
	types   *btf.Spec // the kernel's
	targets map[string]uint32
	verbose bool
}

// needs is what the programs of a collection want of the kernel's types: the names that their own types
// have, and what tracing programs attach to.
func needs(spec *ebpf.CollectionSpec) (types []string, targets map[string]target, err error) {
	if spec.Types != nil {
		for t, err := range spec.Types.All() {
			if err != nil {
				return nil, nil, fmt.Errorf("read the programs' types: %w", err)
			}
			switch t.(type) {
			case *btf.Struct, *btf.Union, *btf.Enum, *btf.Typedef:
				name, _, _ := strings.Cut(t.TypeName(), "___") // what follows tells versions of a type apart
				if name != "" {
					types = append(types, name)
				}
			}
		}
	}
	targets = make(map[string]target)
	for _, p := range spec.Programs {
		if p.Type == ebpf.Tracing {
			targets[p.Name] = targetOf(p)
		}
	}
	return types, targets, nil
}

// A target is what a tracing program attaches to, as BTF has it.
type target struct {
	name string
	kind uint32
}

func targetOf(p *ebpf.ProgramSpec) target {
	if p.AttachType == ebpf.AttachTraceRawTp {
		return target{"btf_trace_" + p.AttachTo, kindTypedef}
	}
	return target{p.AttachTo, kindFunc}
}

// newLoader takes what the programs of spec need from the kernel's types.
func newLoader(spec *ebpf.CollectionSpec, verbose bool) (*loader, error) {
	kernel, err := kernelTypes()
	if err != nil {
		return nil, err
	}
	names, targets, err := needs(spec)
	if err != nil {
		return nil, err
	}
	wanted := slices.Clone(names)
	for _, t := range targets {
		wanted = append(wanted, t.name)
	}
	found := kernel.find(wanted...)
	l := &loader{targets: make(map[string]uint32), verbose: verbose}
	for program, t := range targets {
		ids := kernel.only(t.kind, found[t.name])
		if len(ids) == 0 {
			return nil, fmt.Errorf("attach target %s: %w", t.name, btf.ErrNotFound)
		}
		l.targets[program] = ids[0]
	}
	var ids []uint32
	for _, name := range names {
		for _, id := range found[name] {
			switch kindOf(kernel.at(id)) {
			case kindStruct, kindUnion, kindEnum, kindEnum64, kindTypedef:
				ids = append(ids, id)
			}
		}
	}
	l.types, err = kernel.subset(ids)
	return l, err
}

// load hands all programs to the kernel, as many at a time as there are processors: its verifier takes most of
// an observer's start. The longest comes first, lest it be what all wait for at the end. On an error none
// stays loaded.
func (l *loader) load(specs map[string]*ebpf.ProgramSpec) (map[string]*ebpf.Program, error) {
	names := slices.SortedFunc(maps.Keys(specs), func(a, b string) int {
		return cmp.Or(cmp.Compare(len(specs[b].Instructions), len(specs[a].Instructions)), strings.Compare(a, b))
	})
	programs := make([]*ebpf.Program, len(names))
	errs := make([]error, len(names))
	var taken atomic.Int32
	var all sync.WaitGroup
	for range min(runtime.GOMAXPROCS(0), len(names)) {
		all.Go(func() {
			for i := int(taken.Add(1)) - 1; i < len(names); i = int(taken.Add(1)) - 1 {
				programs[i], errs[i] = l.loadOne(specs[names[i]])
			}
		})
	}
	all.Wait()
	if i := slices.IndexFunc(errs, func(err error) bool { return err != nil }); i >= 0 {
		for _, p := range programs {
			p.Close() // also where it is nil
		}
		return nil, fmt.Errorf("program %s: %w", names[i], errs[i])
	}
	loaded := make(map[string]*ebpf.Program, len(names))
	for i, name := range names {
		loaded[name] = programs[i]
	}
	return loaded, nil
}

func (l *loader) loadOne(spec *ebpf.ProgramSpec) (*ebpf.Program, error) {
	code, err := l.link(spec)
	if err != nil {
		return nil, err
	}
	license, err := unix.ByteSliceFromString(spec.License)
	if err != nil {
		return nil, fmt.Errorf("licence: %w", err)
	}
	attr := loadAttr{
		progType:     uint32(spec.Type),
		insnCount:    uint32(len(code) / asm.InstructionSize),
		insns:        unsafe.Pointer(unsafe.SliceData(code)),
		license:      unsafe.Pointer(unsafe.SliceData(license)),
		flags:        spec.Flags,
		attachType:   uint32(spec.AttachType),
		attachTypeID: l.targets[spec.Name],
	}
	copy(attr.name[:len(attr.name)-1], spec.Name)
	fd, err := attr.load()
	if err != nil && l.verbose {
		return nil, attr.explain(err)
	}
	if err != nil {
		return nil, err
	}
	return ebpf.NewProgramFromFD(fd) // closes fd when it fails
}

// link puts descriptors of maps and the kernel's offsets into a program.
func (l *loader) link(spec *ebpf.ProgramSpec) ([]byte, error) {
	insns := slices.Clone(spec.Instructions)
	var relocations []*btf.CORERelocation
	var relocated []*asm.Instruction
	for i := range insns {
		ins := &insns[i]
		if r := btf.CORERelocationMetadata(ins); r != nil {
			relocations, relocated = append(relocations, r), append(relocated, ins)
		}
		if ins.IsLoadFromMap() && ins.Reference() != "" {
			m := l.maps[ins.Reference()]
			if m == nil {
				return nil, fmt.Errorf("no map %s", ins.Reference())
			}
			if err := ins.AssociateMap(m); err != nil {
				return nil, fmt.Errorf("map %s: %w", ins.Reference(), err)
			}
		}
	}
	if len(relocations) > 0 {
		fixups, err := btf.CORERelocate(relocations, []*btf.Spec{l.types}, native, noLocalTypes)
		if err != nil {
			return nil, fmt.Errorf("relocate: %w", err)
		}
		for i, f := range fixups {
			if err := f.Apply(relocated[i]); err != nil {
				return nil, fmt.Errorf("relocate %s: %w", relocations[i], err)
			}
		}
	}
	var code bytes.Buffer
	if err := insns.Marshal(&code, native); err != nil {
		return nil, fmt.Errorf("encode: %w", err)
	}
	return code.Bytes(), nil
}

func noLocalTypes(t btf.Type) (btf.TypeID, error) {
	return 0, fmt.Errorf("%s: programs are loaded without types of their own", t)
}

// loadAttr is the part of union bpf_attr that BPF_PROG_LOAD reads, up to what is used here. The kernel
// takes what is left out for zero. Source: include/uapi/linux/bpf.h.
type loadAttr struct {
	progType, insnCount      uint32
	insns, license           unsafe.Pointer
	logLevel, logSize        uint32
	log                      unsafe.Pointer
	kernelVersion, flags     uint32
	name                     [16]byte
	ifindex, attachType      uint32
	btfFD, funcInfoSize      uint32
	funcInfo                 uint64
	funcInfoCount, lineSize  uint32
	lineInfo                 uint64
	lineCount, attachTypeID  uint32
	attachObjFD, coreRelocNr uint32
}

// load is BPF_PROG_LOAD. The verifier gives up with EAGAIN when a signal comes.
func (a *loadAttr) load() (fd int, err error) {
	for range 100 {
		// The structure and what it points to are ours and alive until the call returns: a is an argument,
		// and Go's collector follows the pointers in it.
		n, _, errno := unix.Syscall(unix.SYS_BPF, unix.BPF_PROG_LOAD, uintptr(unsafe.Pointer(a)), unsafe.Sizeof(*a))
		if errno == 0 {
			return int(n), nil
		}
		if err = errno; errno != unix.EAGAIN && errno != unix.EINTR {
			break
		}
	}
	if err == unix.Errno(524) { // ENOTSUPP, which the kernel should keep to itself: no trampolines here
		err = fmt.Errorf("%w: %w", ebpf.ErrNotSupported, err)
	}
	return -1, err
}

// explain loads once more, for the verifier's log.
func (a *loadAttr) explain(cause error) error {
	const most = 1<<30 - 1 // the kernel takes no more, and fills what it needs
	for size := 1 << 20; size <= 1<<26 && size < most; size <<= 2 {
		log := make([]byte, size)
		a.logLevel, a.logSize, a.log = 1, uint32(size), unsafe.Pointer(unsafe.SliceData(log))
		fd, err := a.load()
		if err == nil {
			unix.Close(fd)
			break
		}
		if errors.Is(err, unix.ENOSPC) {
			continue
		}
		return &verifierError{cause, unix.ByteSliceToString(log)}
	}
	return cause
}

// A verifierError is the kernel's refusal of a program, with its reasons.
type verifierError struct {
	cause error
	log   string
}

func (e *verifierError) Error() string { return e.cause.Error() + "\n" + e.log }
func (e *verifierError) Unwrap() error { return e.cause }
