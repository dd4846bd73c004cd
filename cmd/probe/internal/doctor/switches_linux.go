package doctor

import (
	"context"
	"fmt"

	"golang.org/x/sys/unix"

	"github.com/ring3-go/ring3/ctxswitch"
)

const switchPrefix = "switches: "

var switchBackends = []ctxswitch.Backend{ctxswitch.BackendTracepoint, ctxswitch.BackendProcfs}

func switchTrials() []trial {
	var trials []trial
	for _, b := range switchBackends {
		trials = append(trials, trial{switchPrefix + string(b), func(ctx context.Context) Check { return trySwitches(ctx, b) }})
	}
	return trials
}

// trySwitches observes itself through one back end while this thread sleeps some times.
func trySwitches(ctx context.Context, b ctxswitch.Backend) Check {
	me := self()
	obs, err := ctxswitch.Observe(ctxswitch.Options{Target: me.target, Backend: b})
	if err != nil {
		return refusedObserver(err)
	}
	defer obs.Close()
	const attempts = 3 // an odd event of another thread is no illness
	var c Check
	for range attempts {
		if c = countSwitches(ctx, obs, me); c.Status == OK {
			break
		}
	}
	return c
}

func countSwitches(ctx context.Context, obs *ctxswitch.Observer, me subject) Check {
	const n = 8
	var first, last *ctxswitch.Snapshot
	observed := func() (uint64, error) {
		s, err := obs.Snapshot()
		if err != nil {
			return 0, err
		}
		if first == nil {
			first = s
		}
		last = s
		return s.Voluntary, nil
	}
	t, err := me.measure(observed, switchesOf, func() error { return sleep(ctx, n) })
	if err != nil {
		return limited(err.Error(), "not known", "")
	}
	during := last.Sub(first)
	evidence := fmt.Sprintf("%d voluntary switches caused, %v", n, t)
	if lost := during.Lost; lost.Events() > 0 {
		evidence += fmt.Sprintf("; lost: %v", lost)
	}
	if c, wrong := miscounted(t, evidence); wrong {
		return c
	}
	if obs.Backend() == ctxswitch.BackendProcfs {
		return passed("%s", evidence)
	}
	// A sleep in progress at a reading ends after it, so one may be missing.
	for _, off := range during.OffCPU {
		if off.In == ctxswitch.BlockedIn(unix.SYS_NANOSLEEP) && off.Time.Count >= n-1 && off.Time.Sum >= (n-1)*1e6 {
			return passed("%s; off CPU in %v, as it was", evidence, off.In)
		}
	}
	return limited(evidence+fmt.Sprintf("; but not %d ms off the CPU in nanosleep", n), "time off the CPU is not to be relied on", "")
}

func relateSwitches(checks []Check) {
	relate(checks, switchPrefix, switchBackends, ctxswitch.Backend.CannotTell, "context switches cannot be observed")
}
