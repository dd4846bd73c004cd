package doctor

import (
	"context"
	"fmt"
	"runtime"
	"runtime/debug"
	"slices"
	"time"
)

// limit is how long one check may take. Those that attach programs wait for the kernel's grace periods, a
// second or so on a slow machine; the others take no time.
const limit = 30 * time.Second

// A trial is a check to be made. Its function runs on a locked thread.
type trial struct {
	name string
	try  func(context.Context) Check
}

// Examine makes all checks, one after another, and returns them in a fixed order. A check that fails in
// whatever way, or gets no answer in time, is reported and does not stop the others. When ctx ends, the check
// under way is the last, and those made so far are returned.
func Examine(ctx context.Context) []Check {
	checks := inTurn(ctx, slices.Concat(kernelTrials(), privilegeTrials(), perfTrials(), faultTrials(),
		switchTrials(), memoryTrials(), hostTrials()))
	relateFaults(checks)
	relateSwitches(checks)
	return checks
}

func inTurn(ctx context.Context, trials []trial) []Check {
	var checks []Check
	for _, t := range trials {
		if ctx.Err() != nil {
			break
		}
		checks = append(checks, t.run(ctx, limit))
	}
	return checks
}

// run makes the check on a goroutine of its own, so that neither a panic nor a system call that never
// returns takes the examination down. It does not return early when ctx ends: what was opened is to be closed.
func (t trial) run(ctx context.Context, limit time.Duration) Check {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	timer := time.NewTimer(limit)
	defer timer.Stop()
	done := make(chan Check, 1)
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		defer debug.SetPanicOnFault(debug.SetPanicOnFault(true)) // memory that cannot be had when touched
		defer func() {
			if r := recover(); r != nil {
				done <- limited(fmt.Sprintf("the check itself failed: %v", r), "not known", "")
			}
		}()
		done <- t.try(ctx)
	}()
	var c Check
	select {
	case c = <-done:
	case <-timer.C:
		c = limited(fmt.Sprintf("no answer within %v", limit), "not known; what waits for it may hang", "")
	}
	c.Name = t.name
	return c
}
