//go:build linux

package memory

import (
	"bytes"
	"io"
	"runtime"
	"runtime/pprof"
	"sync"
	"testing"
)

// The lesson runs while the profiler and the collector are at work, and copies are still copies.
func TestProfilesAndCollectionsDoNoHarm(t *testing.T) {
	if err := pprof.StartCPUProfile(io.Discard); err != nil {
		t.Skipf("the tests are being profiled: %v", err)
	}
	defer pprof.StopCPUProfile()
	var wait sync.WaitGroup
	wait.Go(func() {
		if !testing.Short() { // it takes seconds where a processor is emulated
			if err := lesson(t.Context(), new(bytes.Buffer)); err != nil {
				t.Error(err)
			}
		}
		src, dst := make([]byte, 1<<20), make([]byte, 1<<20)
		for i := range src {
			src[i] = byte(i)
		}
		for _, c := range Copies() {
			clear(dst)
			if c.Copy(dst, src); !bytes.Equal(dst, src) {
				t.Errorf("%s: the copy is another", c.Name)
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
