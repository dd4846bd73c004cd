package features

import (
	"errors"
	"fmt"
	"os"
	"unsafe"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
	"github.com/cilium/ebpf/btf"
	"github.com/cilium/ebpf/link"
	"golang.org/x/sys/unix"
)

// load hands a program to the kernel that does nothing.
func load(spec ebpf.ProgramSpec) (*ebpf.Program, error) {
	spec.License = "Dual BSD/GPL"
	spec.Instructions = asm.Instructions{asm.Mov.Imm(asm.R0, 0), asm.Return()}
	return ebpf.NewProgram(&spec)
}

// tryTracing loads and attaches a tracing program.
func tryTracing(how ebpf.AttachType, to string) error {
	p, err := load(ebpf.ProgramSpec{Name: "try", Type: ebpf.Tracing, AttachType: how, AttachTo: to})
	if err != nil {
		return fmt.Errorf("load: %w", err)
	}
	defer p.Close()
	l, err := link.AttachTracing(link.TracingOptions{Program: p})
	if err != nil {
		return fmt.Errorf("attach: %w", err)
	}
	return l.Close()
}

func tryIterator() error {
	p, err := load(ebpf.ProgramSpec{Name: "try", Type: ebpf.Tracing, AttachType: ebpf.AttachTraceIter, AttachTo: "task_vma"})
	if err != nil {
		return fmt.Errorf("load: %w", err)
	}
	defer p.Close()
	l, err := link.AttachIter(link.IterOptions{Program: p})
	if err != nil {
		return fmt.Errorf("attach: %w", err)
	}
	return l.Close()
}

func tryTaskStorage() error {
	// Where this process may make no map at all, the library blames the flags of the one below.
	plain, err := ebpf.NewMap(&ebpf.MapSpec{Type: ebpf.Array, KeySize: 4, ValueSize: 8, MaxEntries: 1})
	if err != nil {
		return err
	}
	defer plain.Close()
	m, err := ebpf.NewMap(&ebpf.MapSpec{
		Name: "try", Type: ebpf.TaskStorage, KeySize: 4, ValueSize: 8, Flags: unix.BPF_F_NO_PREALLOC,
		Key: &btf.Int{Name: "int", Size: 4, Encoding: btf.Signed}, Value: &btf.Int{Name: "u64", Size: 8},
	})
	if err != nil {
		return err
	}
	return m.Close()
}

// openFaults opens a counter of every task's page faults on one processor, and closes it after do.
func openFaults(do func(fd int) error) error {
	attr := unix.PerfEventAttr{
		Type: unix.PERF_TYPE_SOFTWARE, Size: uint32(unsafe.Sizeof(unix.PerfEventAttr{})),
		Config: unix.PERF_COUNT_SW_PAGE_FAULTS, Sample: 1,
	}
	fd, err := unix.PerfEventOpen(&attr, -1, 0, -1, unix.PERF_FLAG_FD_CLOEXEC)
	if err != nil {
		return os.NewSyscallError("perf_event_open", err)
	}
	return errors.Join(do(fd), unix.Close(fd))
}

func tryPerfLink() error {
	p, err := load(ebpf.ProgramSpec{Name: "try", Type: ebpf.PerfEvent})
	if err != nil {
		return fmt.Errorf("load: %w", err)
	}
	defer p.Close()
	return openFaults(func(fd int) error {
		l, err := link.AttachRawLink(link.RawLinkOptions{Target: fd, Program: p, Attach: ebpf.AttachPerfEvent})
		if err != nil {
			return fmt.Errorf("attach: %w", err)
		}
		return l.Close()
	})
}
