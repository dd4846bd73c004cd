//go:build linux && (amd64 || arm64)

package workload

import (
	"strconv"
	"testing"
	"time"
)

func TestFutexPingPongSwitchesOnceATurn(t *testing.T) {
	const threads, rounds = 4, 500
	r := perform(t, "futex-pingpong", strconv.Itoa(threads), strconv.Itoa(rounds))
	w := r.Workers
	// On one CPU nobody takes a turn before the other is off it. Each
	// preemption may replace a voluntary switch or add one.
	const waits = threads / 2 * (2*rounds - 2)
	if sum := w.Voluntary + w.Involuntary; sum < waits {
		t.Errorf("%d switches of %+v; want one a wait, %d", sum, w, waits)
	}
	between(t, "voluntary switches", w.Voluntary, threads*rounds/2, threads*rounds+w.Involuntary)
	between(t, "minor faults", w.MinorFaults, 0, threads*noise)
}

func TestPipePingPongSwitchesOnceARound(t *testing.T) {
	const rounds = 500
	r := perform(t, "pipe-pingpong", strconv.Itoa(rounds))
	for who, c := range map[string]Counts{"parent": r.Phase("rounds"), "child": r.Children} {
		if sum := c.Voluntary + c.Involuntary; sum < rounds {
			t.Errorf("%s: %d switches of %+v; want one a round, %d", who, sum, c, rounds)
		}
		// Beyond the rounds, the child's end may have been counted.
		between(t, who+"'s voluntary switches", c.Voluntary, rounds/2, rounds+1+c.Involuntary)
	}
}

func TestYieldSwitchesInvoluntarily(t *testing.T) {
	const calls = 20_000 // longer than any slice: before that, a scheduler may leave the caller where it is
	w := perform(t, "yield", strconv.Itoa(calls)).Workers
	if w.Involuntary < 2 {
		t.Errorf("%+v; want both threads to have yielded", w)
	}
	between(t, "voluntary switches", w.Voluntary, 0, lockWaits)
}

func TestSpinPairIsSwitchedOutInvoluntarily(t *testing.T) {
	const ms = 60
	c := start(t, "spin-pair", strconv.Itoa(ms))
	advance(t, c)
	w := finish(t, c).Workers
	// The first thread to run cannot finish within its first time slice.
	if w.Involuntary < 2 {
		t.Errorf("%+v; want each thread to have lost the CPU", w)
	}
	between(t, "voluntary switches", w.Voluntary, 0, lockWaits)
	state := c.Cmd.ProcessState
	if used := state.UserTime() + state.SystemTime(); used < 2*ms*time.Millisecond {
		t.Errorf("two threads used %v; want %d ms each", used, ms)
	}
}

func TestSleepIsOneVoluntarySwitch(t *testing.T) {
	c := start(t, "sleep", "20")
	begin := time.Now()
	advance(t, c)
	if d := time.Since(begin); d < 20*time.Millisecond {
		t.Errorf("slept %v; want 20 ms", d)
	}
	between(t, "voluntary switches", finish(t, c).Thread.Voluntary, 1, 1+lockWaits)
}

func TestBlockIsOneVoluntarySwitch(t *testing.T) {
	for _, call := range []string{"read", "futex", "epoll_wait", "poll", "wait4", "nanosleep"} {
		t.Run(call, func(t *testing.T) {
			c := start(t, "block", call)
			advance(t, c)
			// The event must not be made before the thread sleeps: 0 is wrong.
			between(t, "voluntary switches", finish(t, c).Phase("call").Voluntary, 1, 1+lockWaits)
			if said := c.Stderr(); said != "" {
				t.Errorf("stderr: %s", said)
			}
		})
	}
}
