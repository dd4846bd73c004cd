//go:build linux && !race && (amd64 || arm64)

package pagefault

import (
	"errors"
	"os"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/ring3-go/ring3/internal/features"
)

// TestAKeptRequestChangesNoAnswer has somebody keep a request and change its answer all the time, which nobody may: a
// race, so the detector is not asked. A page comes as it was given, or is refused for its length.
func TestAKeptRequestChangesNoAnswer(t *testing.T) {
	const pages, rounds = 512, 4
	given := make([]byte, 2*pageBytes)
	var kept atomic.Pointer[Request]
	r := region(t, ServeOptions{Size: int64(pages * pageBytes), Handler: func(r *Request) error {
		r.Give(given[1 : 1+pageBytes]) // on no page's beginning, so that it is copied
		kept.Store(r)
		return nil
	}}, features.PopulateRead)
	var over atomic.Bool
	var changer sync.WaitGroup
	changer.Go(func() {
		for !over.Load() {
			if r := kept.Load(); r != nil {
				r.Give(given[1:11])
				r.Give(given[1 : 1+pageBytes])
			}
		}
	})
	defer changer.Wait()
	defer over.Store(true)
	for range rounds {
		for page := range pages {
			if _, err := readNumber(r, page); err != nil && !errors.Is(err, os.ErrInvalid) {
				t.Fatalf("page %d: %v", page, err)
			}
		}
		if err := r.Drop(0, r.Size()); err != nil {
			t.Fatal(err)
		}
	}
}
