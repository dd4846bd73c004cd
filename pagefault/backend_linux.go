//go:build amd64 || arm64

package pagefault

import (
	"bytes"
	"errors"
	"fmt"
	"math/bits"
	"os"
	"runtime"
	"slices"
	"strconv"
	"sync"

	"github.com/cilium/ebpf"
	"golang.org/x/sys/unix"

	"github.com/ring3-go/ring3/internal/bpf"
)

// common are the programs that every eBPF back end needs.
var common = []string{faultProgPageAlloc, faultProgTaskExec, faultProgTaskNew, faultProgTaskExit}

// plan is what one back end loads and attaches. An optional program is left out where the kernel has
// nothing to attach it to.
type plan struct {
	tracing  []string
	optional []string
	perf     []perf
}

// perf is a program on a software event. The cookie tells the program which.
type perf struct {
	program       string
	event, cookie uint64
}

// plans maps each eBPF back end to how to build it on this architecture.
func (b Backend) plan(swap bool) (plan, error) {
	p := plan{tracing: common}
	beginPerf := perf{program: faultProgBeginPerf, event: unix.PERF_COUNT_SW_PAGE_FAULTS}
	exceptions := []string{faultProgBeginUser, faultProgBeginKernel}
	if runtime.GOARCH != "amd64" {
		exceptions = nil // exceptions:page_fault_* is an x86 tracepoint
		p.perf = append(p.perf, beginPerf)
	}
	switch b {
	case BackendFentry:
		p.tracing = append(append(p.tracing[:len(p.tracing):len(p.tracing)], exceptions...),
			faultProgLeaveHandleMmFault, faultProgEnterHandleMmFault)
		p.optional = []string{faultProgEnterDoSwapPage, faultProgEnterDoWpPage}
		return p, nil
	case BackendTracepoint:
		if exceptions == nil {
			return p, &NotSupportedError{Feature: "page-fault tracepoints", Since: "amd64"}
		}
		p.tracing = append(p.tracing[:len(p.tracing):len(p.tracing)], exceptions...)
		if swap {
			p.optional = []string{faultProgRssStat}
		}
	case BackendPerf:
		p.perf = []perf{beginPerf}
	default:
		return p, fmt.Errorf("page-fault back end %q is not known", b)
	}
	p.perf = append(p.perf,
		perf{faultProgCompletePerf, unix.PERF_COUNT_SW_PAGE_FAULTS_MIN, 0},
		perf{faultProgCompletePerf, unix.PERF_COUNT_SW_PAGE_FAULTS_MAJ, 1}) // 1: the fault was major
	return p, nil
}

// programs is everything that the plan loads.
func (p plan) programs() []string {
	names := append(p.tracing[:len(p.tracing):len(p.tracing)], p.optional...)
	for _, on := range p.perf {
		names = append(names, on.program)
	}
	return names
}

// embedded reads the programs that this package carries.
type embedded struct {
	read func() (*ebpf.CollectionSpec, error) // the first call reads, others return the same
}

func newEmbedded() *embedded {
	return &embedded{sync.OnceValues(func() (*ebpf.CollectionSpec, error) { return bpf.Read(loadFault) })}
}

// take returns programs that are the caller's to change: who takes next gets others.
func (e *embedded) take() (*ebpf.CollectionSpec, error) {
	spec, err := e.read()
	*e = *newEmbedded()
	return spec, err
}

// open loads and attaches one back end, or nothing.
func open(b Backend, opts Options, programs *embedded) (_ *bpf.Session, err error) {
	swap := swapOn()
	p, err := b.plan(swap)
	if err != nil {
		return nil, err
	}
	if b == BackendFentry { // cheap to try, where loading everything to learn of a refusal is not
		var meanwhile sync.WaitGroup
		meanwhile.Go(func() { programs.read() })
		err := bpf.TryFentry("handle_mm_fault")
		meanwhile.Wait()
		if err != nil {
			return nil, err
		}
	}
	spec, err := programs.take()
	if err != nil {
		return nil, err
	}
	p.optional = available(spec, p.optional)
	if err := configure(spec, opts, p, swap); err != nil {
		return nil, err
	}
	s, err := bpf.Open(spec, p.programs(), opts.Verbose)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			s.Close()
		}
	}()
	if err := opts.Target.Mark(s.Map(faultMapTasks)); err != nil {
		return nil, err
	}
	// Completions before beginnings, and the beginnings last: a fault under way is then counted without a
	// time, and none is taken for failed or missed.
	completions := []string{faultProgLeaveHandleMmFault, faultProgEnterHandleMmFault}
	beginnings := []string{faultProgBeginUser, faultProgBeginKernel}
	var first, last, others []string
	for _, name := range append(p.optional, p.tracing...) {
		switch {
		case slices.Contains(completions, name):
			first = append(first, name)
		case slices.Contains(beginnings, name):
			last = append(last, name)
		default:
			others = append(others, name)
		}
	}
	steps := []func() error{
		func() error { return attachPerf(s, p, faultProgCompletePerf) },
		func() error { return s.AttachTracing(first...) },
		func() error { return s.AttachTracing(others...) },
		func() error { return s.AttachTracing(last...) },
		func() error { return attachPerf(s, p, faultProgBeginPerf) },
	}
	for _, step := range steps {
		if err := step(); err != nil {
			return nil, err
		}
	}
	return s, nil
}

// attachPerf attaches the program to the events that the plan has for it.
func attachPerf(s *bpf.Session, p plan, program string) error {
	for _, on := range p.perf {
		if on.program != program {
			continue
		}
		if err := s.AttachPerf(program, on.event, on.cookie); err != nil {
			return err
		}
	}
	return nil
}

func configure(spec *ebpf.CollectionSpec, opts Options, p plan, swap bool) error {
	if err := opts.Target.Configure(spec); err != nil {
		return err
	}
	has := func(program string) bool { return slices.Contains(p.programs(), program) }
	flag := func(on bool) uint32 {
		if on {
			return 1
		}
		return 0
	}
	for name, value := range map[string]uint32{
		faultVarHugeOrder:     hugeOrder(),
		faultVarNrExecve:      unix.SYS_EXECVE,
		faultVarNrExecveat:    unix.SYS_EXECVEAT,
		faultVarTellsPresence: flag(has(faultProgBeginUser) || has(faultProgEnterDoWpPage)),
		faultVarTellsSwap:     flag(!swap || has(faultProgEnterDoSwapPage) || has(faultProgRssStat)),
		faultVarBy:            uint32(opts.By),
	} {
		if err := spec.Variables[name].Set(value); err != nil {
			return fmt.Errorf("set %s: %w", name, err)
		}
	}
	if opts.By != 0 {
		spec.Maps[faultMapWho].MaxEntries = opts.groups()
	}
	return nil
}

// available returns the programs whose kernel function or tracepoint exists here.
func available(spec *ebpf.CollectionSpec, programs []string) []string {
	var out []string
	for _, name := range programs {
		if name == faultProgRssStat && !rssStatIsExact() {
			continue
		}
		if bpf.HasTarget(spec.Programs[name]) {
			out = append(out, name)
		}
	}
	return out
}

// rssStatIsExact tells whether the tracepoint fires at each change. Until 6.2 a task saved changes up,
// 64 at a time, in a member of its own.
func rssStatIsExact() bool { return !bpf.TaskHasField("rss_stat") }

// swapOn reports whether any swap is active.
func swapOn() bool {
	b, err := os.ReadFile("/proc/swaps")
	return err != nil || bytes.Count(b, []byte("\n")) > 1 // a heading, then a line each
}

// hugeOrder is log2 of the base pages in a transparent huge page; out of reach where there are none.
func hugeOrder() uint32 {
	const never = 64
	b, err := os.ReadFile("/sys/kernel/mm/transparent_hugepage/hpage_pmd_size")
	if err != nil {
		return never
	}
	size, err := strconv.ParseUint(string(bytes.TrimSpace(b)), 10, 64)
	if err != nil || size < uint64(os.Getpagesize()) {
		return never
	}
	return uint32(bits.Len64(size/uint64(os.Getpagesize())) - 1)
}

// unusable reports whether an error means that the next back end should be tried.
func unusable(err error) bool {
	return errors.Is(err, errors.ErrUnsupported) || errors.Is(err, os.ErrPermission)
}
