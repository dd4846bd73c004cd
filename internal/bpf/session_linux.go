package bpf

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/btf"
	"github.com/cilium/ebpf/link"
	"golang.org/x/sys/unix"

	"github.com/ring3-go/ring3/internal/procfs"
)

const capabilities = "CAP_BPF and CAP_PERFMON"

// A Session owns the programs, maps, links and perf events of one observer.
type Session struct {
	coll *ebpf.Collection

	mu     sync.Mutex
	links  []io.Closer // closed in reverse
	events []perfEvent
	closed bool

	accounting chan io.Closer // what keeps the kernel's accounting of program time on, or nil; see account
}

// Read returns the programs that load decodes, and reads the kernel's types meanwhile, which [Open] needs.
func Read(load func() (*ebpf.CollectionSpec, error)) (*ebpf.CollectionSpec, error) {
	var types sync.WaitGroup
	types.Go(func() { kernelTypes() }) // Open reports its error
	spec, err := load()
	types.Wait()
	if err != nil {
		return nil, fmt.Errorf("read embedded programs: %w", err)
	}
	return spec, nil
}

// Open loads the named programs of spec, and every map. An error tells a kernel that cannot from a
// process that may not; it carries the verifier's whole log only when verbose is set.
func Open(spec *ebpf.CollectionSpec, programs []string, verbose bool) (*Session, error) {
	for name := range maps.Clone(spec.Programs) {
		if !slices.Contains(programs, name) {
			delete(spec.Programs, name)
		}
	}
	admin := hasCapabilities(1 << unix.CAP_SYS_ADMIN)
	if err := spec.Variables["cost_sampled"].Set(flag(!admin)); err != nil {
		return nil, fmt.Errorf("set cost_sampled: %w", err)
	}
	s := &Session{accounting: make(chan io.Closer, 1)}
	go s.account()
	if err := s.open(spec, verbose); err != nil {
		s.stopAccounting()
		return nil, explain("load eBPF programs", err)
	}
	return s, nil
}

// open makes the maps while another goroutine finds out about the kernel's types, then loads.
func (s *Session) open(spec *ebpf.CollectionSpec, verbose bool) error {
	var l *loader
	var loaderErr, mapsErr error
	var both sync.WaitGroup
	both.Go(func() { l, loaderErr = newLoader(spec, verbose) })
	withoutPrograms := *spec
	withoutPrograms.Programs = nil
	s.coll, mapsErr = ebpf.NewCollection(&withoutPrograms)
	both.Wait()
	if mapsErr != nil {
		return mapsErr
	}
	if loaderErr != nil {
		s.coll.Close()
		return loaderErr
	}
	l.maps = s.coll.Maps
	programs, err := l.load(spec.Programs)
	if err != nil {
		s.coll.Close()
		return err
	}
	s.coll.Programs = programs
	return nil
}

// account turns the kernel's accounting of program time on. It patches its own code for that, on all CPUs,
// which takes longer than to attach, and what attaches patches too: so this begins first and nobody waits
// here. Close does.
func (s *Session) account() {
	stats, err := ebpf.EnableStats(uint32(unix.BPF_STATS_RUN_TIME))
	if err != nil {
		stats = nil // only an administrator may; cost.h is for the others
	}
	s.accounting <- stats
}

func (s *Session) stopAccounting() error {
	if stats := <-s.accounting; stats != nil {
		return stats.Close()
	}
	return nil
}

func flag(on bool) uint32 {
	if on {
		return 1
	}
	return 0
}

// Map returns the map of that name; nil means a mistake in this module.
func (s *Session) Map(name string) *ebpf.Map { return s.coll.Maps[name] }

// Variable returns the global variable of that name; nil means a mistake in this module.
func (s *Session) Variable(name string) *ebpf.Variable { return s.coll.Variables[name] }

// AttachTracing attaches tp_btf, fentry and fexit programs where their sections say.
func (s *Session) AttachTracing(programs ...string) error {
	for _, name := range programs {
		l, err := link.AttachTracing(link.TracingOptions{Program: s.coll.Programs[name]})
		if err != nil {
			return explain("attach "+name, err)
		}
		s.keep(l)
	}
	return nil
}

func (s *Session) keep(c io.Closer) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.links = append(s.links, c)
}

// Cost returns what the programs took so far.
func (s *Session) Cost() Cost {
	stats := <-s.accounting
	s.accounting <- stats
	if stats == nil {
		return s.sampledCost()
	}
	c := Cost{Known: true}
	for _, p := range s.coll.Programs {
		st, err := p.Stats()
		if err != nil {
			return Cost{}
		}
		c.Runs += st.RunCount
		c.Ns += uint64(st.Runtime)
	}
	return c
}

// sampledCost is what cost.h found: the timed runs stand for all.
func (s *Session) sampledCost() Cost {
	var perCPU []struct{ Runs, Timed, Ns uint64 }
	if err := s.coll.Maps["cost"].Lookup(uint32(0), &perCPU); err != nil {
		return Cost{}
	}
	var runs, timed, ns uint64
	for _, c := range perCPU {
		runs, timed, ns = runs+c.Runs, timed+c.Timed, ns+c.Ns
	}
	if timed == 0 {
		return Cost{}
	}
	return Cost{Known: true, Sampled: true, Runs: runs, Ns: uint64(float64(ns) / float64(timed) * float64(runs))}
}

// Loss returns what was lost so far, but for missed perf events: see [Session.PerfCount]. Runs missed of
// the programs named harmless do not count.
func (s *Session) Loss(harmless ...string) (Loss, error) {
	var l Loss
	for cause, field := range []*uint64{&l.Storage, &l.MapFull, &l.Clock, &l.Pair, &l.Event} { // enum loss, scope.h
		var perCPU []uint64
		if err := s.coll.Maps["lost"].Lookup(uint32(cause), &perCPU); err != nil {
			return Loss{}, fmt.Errorf("read loss counters: %w", err)
		}
		for _, n := range perCPU {
			*field += n
		}
	}
	for name, p := range s.coll.Programs {
		if slices.Contains(harmless, name) {
			continue
		}
		st, err := p.Stats()
		if err != nil {
			return Loss{}, fmt.Errorf("read statistics of %s: %w", name, err)
		}
		l.Missed += st.RecursionMisses
	}
	return l, nil
}

// Close detaches and frees everything. It may be called again, and then does nothing.
func (s *Session) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil
	}
	s.closed = true
	var errs []error
	for _, l := range slices.Backward(s.links) {
		errs = append(errs, l.Close())
	}
	for _, e := range s.events {
		errs = append(errs, unix.Close(e.fd))
	}
	errs = append(errs, s.stopAccounting())
	s.coll.Close()
	return errors.Join(errs...)
}

// explain turns what the loader or the kernel said into an error that says what to do.
func explain(op string, err error) error {
	switch {
	case !privileged():
		// The library tries features one by one and calls any that it is refused unsupported, so without
		// the capabilities its word on what the kernel can is worth nothing.
		return &NotPermittedError{Op: op, Needs: capabilities, Err: err}
	case !haveKernelTypes():
		return &NotSupportedError{Feature: op, Since: "CONFIG_DEBUG_INFO_BTF, Linux 6.1", Err: err}
	case errors.Is(err, ebpf.ErrNotSupported), errors.Is(err, btf.ErrNotFound), errors.Is(err, unix.ENOTSUP):
		return &NotSupportedError{Feature: op, Since: "Linux 6.1", Err: err}
	case errors.Is(err, unix.EPERM): // EACCES from a load is the verifier's no
		return refused(op, err)
	}
	return fmt.Errorf("%s: %w", op, err)
}

// haveKernelTypes is false where the kernel shows this process no types. That they could not be read at the
// moment is another error.
func haveKernelTypes() bool {
	_, err := kernelTypes()
	return !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, fs.ErrPermission) && !errors.Is(err, errTypes)
}

// privileged reports whether this process has the capabilities that loading and attaching ask for. In an
// inner user namespace it may seem so and not be.
func privileged() bool {
	return hasCapabilities(1<<unix.CAP_BPF|1<<unix.CAP_PERFMON) || hasCapabilities(1<<unix.CAP_SYS_ADMIN)
}

// hasCapabilities is true also where it cannot be found out: then the kernel's answer stands.
func hasCapabilities(set uint64) bool {
	st, err := procfs.PidStatus(unix.Getpid())
	return err != nil || st.CapEff&set == set
}

// refused is for EPERM in spite of the capabilities.
func refused(op string, err error) error {
	if !privileged() {
		return &NotPermittedError{Op: op, Needs: capabilities, Err: err}
	}
	return &NotSupportedError{Feature: op, Since: "a kernel that lets CAP_BPF do so: lockdown, seccomp or its configuration forbids it", Err: err}
}

// ProgramNames returns the programs of a spec whose section begins with prefix, sorted.
func ProgramNames(spec *ebpf.CollectionSpec, prefix string) []string {
	var names []string
	for name, p := range spec.Programs {
		if strings.HasPrefix(p.SectionName, prefix) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}
