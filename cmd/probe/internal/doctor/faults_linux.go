package doctor

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/cilium/ebpf"
	"golang.org/x/sys/unix"

	"github.com/ring3-go/ring3/internal/bpf"
	"github.com/ring3-go/ring3/pagefault"
)

const faultPrefix = "faults: "

var faultBackends = []pagefault.Backend{
	pagefault.BackendFentry, pagefault.BackendTracepoint, pagefault.BackendPerf, pagefault.BackendProcfs,
}

// firstWrite is what each back end should call the faults that touch takes; procfs has no name for them.
var firstWrite = map[pagefault.Backend]pagefault.Class{
	pagefault.BackendFentry:     {Memory: pagefault.MemoryAnon, Event: pagefault.EventFirstTouch, Access: pagefault.AccessWrite},
	pagefault.BackendTracepoint: {Memory: pagefault.MemoryAnon, Event: pagefault.EventFirstTouch, Access: pagefault.AccessWrite},
	pagefault.BackendPerf:       {Memory: pagefault.MemoryAnon, Event: pagefault.EventUnknown, Access: pagefault.AccessUnknown},
}

func faultTrials() []trial {
	var trials []trial
	for _, b := range faultBackends {
		trials = append(trials, trial{faultPrefix + string(b), func(context.Context) Check { return tryFaults(b) }})
	}
	return trials
}

// tryFaults observes itself through one back end while this thread touches fresh pages.
func tryFaults(b pagefault.Backend) Check {
	me := self()
	obs, err := pagefault.Observe(pagefault.Options{Target: me.target, Backend: b})
	if err != nil {
		c := refusedObserver(err)
		if b == pagefault.BackendFentry && errors.Is(err, ebpf.ErrNotSupported) && mayTrace() {
			c.Remedy = "needs call trampolines: on arm64 Linux 6.4, else CONFIG_FUNCTION_TRACER"
		}
		return c
	}
	defer obs.Close()
	const attempts = 3 // an odd event of another thread is no illness
	var c Check
	for range attempts {
		if c = countFaults(obs, me); c.Status == OK {
			break
		}
	}
	return c
}

func countFaults(obs *pagefault.Observer, me subject) Check {
	fresh, err := newPages()
	if err != nil {
		return limited(err.Error(), "not known", "")
	}
	defer fresh.free()
	var first, last *pagefault.Snapshot
	observed := func() (uint64, error) {
		s, err := obs.Snapshot()
		if err != nil {
			return 0, err
		}
		if first == nil {
			first = s
		}
		last = s
		return s.Minor + s.Major, nil
	}
	obs.Snapshot() // takes what memory it needs: the next one then hardly faults itself
	t, err := me.measure(observed, faultsOf, func() error { fresh.touch(); return nil })
	if err != nil {
		return limited(err.Error(), "not known", "")
	}
	during := last.Sub(first)
	evidence := fmt.Sprintf("%d faults caused, %v", fresh.n, t)
	if lost := during.Lost; lost.Events() > 0 {
		evidence += fmt.Sprintf("; lost: %v", lost)
	}
	if c, wrong := miscounted(t, evidence); wrong {
		return c
	}
	want, named := firstWrite[obs.Backend()]
	if !named {
		return passed("%s", evidence)
	}
	for _, c := range during.Classes {
		if c.Class == want && c.Count >= fresh.n && c.Time.Count >= fresh.n {
			return passed("%s; %q, %d ns at the median", evidence, want, c.Time.Quantile(.5))
		}
	}
	if len(during.Classes) > 0 {
		evidence += fmt.Sprintf("; called %q, not %q", during.Classes[0].Class, want)
	}
	return limited(evidence, "classes or times of faults are not to be relied on", "")
}

// miscounted is the verdict on a tally that the kernel's counters contradict.
func miscounted(t tally, evidence string) (c Check, wrong bool) {
	switch {
	case t.exact():
		return c, false
	case t.seen == 0:
		return refused("attaches, but sees nothing: "+evidence, "", ""), true
	}
	return limited(evidence, "counts are not exact", ""), true
}

// refusedObserver is the verdict on a back end that did not open.
func refusedObserver(err error) Check {
	c := whyRefused(err)
	if errors.Is(err, unix.EPERM) || errors.Is(err, unix.ENOSYS) {
		c.Evidence, c.Remedy = unlessFiltered("bpf", err, c.Evidence, c.Remedy)
	}
	return c
}

func whyRefused(err error) Check {
	var unsupported *bpf.NotSupportedError
	var forbidden *bpf.NotPermittedError
	switch {
	case errors.As(err, &unsupported) && unsupported.Err != nil && !mayTrace():
		// The loader tests for features by using them, and what an unprivileged test finds means nothing.
		return refused(unsupported.Feature+": not permitted", "", grant(forTracing...))
	case errors.As(err, &forbidden) && errors.Is(err, unix.EACCES):
		return refused(answer(forbidden.Op, forbidden.Err), "", grantPerf()) // programs get EPERM
	case errors.As(err, &unsupported):
		return refused(answer(unsupported.Feature, unsupported.Err), "", "needs "+unsupported.Since)
	case errors.As(err, &forbidden):
		return refused(answer(forbidden.Op, forbidden.Err), "", grant(forTracing...))
	}
	return refused(strings.ReplaceAll(err.Error(), "\n", ": "), "", "")
}

// answer is what was tried and the error number that the kernel gave, without what libraries guess about it.
func answer(op string, err error) string {
	var errno unix.Errno
	switch {
	case errors.As(err, &errno):
		return fmt.Sprintf("%s: %v", op, errno)
	case err != nil:
		return fmt.Sprintf("%s: %v", op, err)
	}
	return op + ": there is none"
}

func relateFaults(checks []Check) {
	relate(checks, faultPrefix, faultBackends, pagefault.Backend.CannotTell, "page faults cannot be observed")
}

// relate gives each check of a failed back end its consequence: what the best one that works cannot tell and
// the failed one could, or nothing where a better one works. order is best first.
func relate[B ~string](checks []Check, prefix string, order []B, cannotTell func(B) []string, nothing string) {
	status := func(b B) *Check {
		for i := range checks {
			if checks[i].Name == prefix+string(b) {
				return &checks[i]
			}
		}
		return nil
	}
	best := slices.IndexFunc(order, func(b B) bool { c := status(b); return c != nil && c.Status == OK })
	for i, b := range order {
		c := status(b)
		if c == nil || c.Status == OK || c.Consequence != "" {
			continue
		}
		switch {
		case best < 0:
			c.Consequence = nothing
		case best < i:
			c.Consequence = fmt.Sprintf("none: %s works and tells more", order[best])
		default:
			c.Consequence = fmt.Sprintf("leaves %s, which cannot tell: %s", order[best], strings.Join(without(cannotTell(order[best]), cannotTell(b)), "; "))
		}
	}
}

// without returns the elements of a that are not in b.
func without(a, b []string) []string {
	return slices.DeleteFunc(slices.Clone(a), func(s string) bool { return slices.Contains(b, s) })
}
