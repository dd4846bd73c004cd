//go:build linux

package pipeline

import (
	"bytes"
	"io"
	"runtime"
	"runtime/pprof"
	"sync"
	"testing"
)

// The lesson runs while the profiler and the collector are at work, and its functions still return what their
// twins do.
func TestProfilesAndCollectionsDoNoHarm(t *testing.T) {
	if err := pprof.StartCPUProfile(io.Discard); err != nil {
		t.Skipf("the tests are being profiled: %v", err)
	}
	defer pprof.StopCPUProfile()
	var wait sync.WaitGroup
	wait.Go(func() {
		if err := lesson(t.Context(), new(bytes.Buffer)); err != nil {
			t.Error(err)
		}
		for _, c := range chains() {
			if got, want := c.run(1, 3, 100_000), twinChain(c, 1, 3, 100_000); got != want {
				t.Errorf("%s: %#x, want %#x", c.name, got, want)
			}
		}
	})
	done := make(chan struct{})
	go func() { wait.Wait(); close(done) }()
	for {
		select {
		case <-done:
			return
		default:
			runtime.GC()
		}
	}
}
