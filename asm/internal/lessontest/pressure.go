package lessontest

import (
	"io"
	"runtime"
	"runtime/debug"
	"runtime/pprof"
	"testing"
)

// UnderPressure calls f while the collector stops the world again and again and the profiler's signal walks
// stacks, at whatever instruction threads are then. It returns when f has.
func UnderPressure(t *testing.T, f func()) {
	t.Helper()
	defer debug.SetGCPercent(debug.SetGCPercent(1))
	if err := pprof.StartCPUProfile(io.Discard); err != nil {
		t.Logf("not profiled: %v", err) // go test -cpuprofile does it already
	} else {
		defer pprof.StopCPUProfile()
	}
	end, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		for {
			select {
			case <-end:
				return
			default:
				runtime.GC()
			}
		}
	}()
	defer func() { close(end); <-ended }()
	f()
}
