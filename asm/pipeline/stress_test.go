//go:build linux

package pipeline

import (
	"bytes"
	"testing"

	"github.com/ring3-go/ring3/asm/internal/lessontest"
)

// The lesson runs while the profiler and the collector are at work, and its functions still return what their
// twins do.
func TestProfilesAndCollectionsDoNoHarm(t *testing.T) {
	lessontest.UnderPressure(t, func() {
		if err := lesson(t.Context(), new(bytes.Buffer)); err != nil {
			t.Error(err)
		}
		for _, c := range chains() {
			if got, want := c.run(1, 3, 100_000), twinChain(c, 1, 3, 100_000); got != want {
				t.Errorf("%s: %#x, want %#x", c.name, got, want)
			}
		}
	})
}
