//go:build linux

package memory

import (
	"bytes"
	"testing"

	"github.com/ring3-go/ring3/asm/internal/lessontest"
)

// The lesson runs while the profiler and the collector are at work, and copies are still copies.
func TestProfilesAndCollectionsDoNoHarm(t *testing.T) {
	lessontest.UnderPressure(t, func() {
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
}
