//go:build linux && (amd64 || arm64)

package pagefault

import (
	"errors"

	"os"
	"strings"
	"sync"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/ring3-go/ring3/internal/features"
)

// TestEventsAreReadWhileEveryWorkerIsBusy has more faults wait than there are workers, and then changes memory: the
// kernel lets no page be made until that event has been read.
func TestEventsAreReadWhileEveryWorkerIsBusy(t *testing.T) {
	const pages = 16
	started, goOn := make(chan struct{}, pages), make(chan struct{})
	events := make(chan MemoryEvent, 1)
	r := region(t, ServeOptions{Size: int64(pages * pageBytes), Events: func(e MemoryEvent) { events <- e }, Handler: func(r *Request) error {
		started <- struct{}{}
		<-goOn
		return number(r)
	}}, features.PopulateRead)
	var wg sync.WaitGroup
	for page := 1; page < pages; page++ {
		wg.Go(func() {
			if got, err := readNumber(r, page); got != uint64(page)+1 || err != nil {
				t.Errorf("page %d: %d, %v", page, got, err)
			}
		})
	}
	<-started
	waitForFaults(t, pages-1)
	wg.Go(func() { // as a library does that knows the memory's address
		if err := unix.Madvise(r.memory[:pageBytes], unix.MADV_DONTNEED); err != nil {
			t.Error(err)
		}
	})
	if e := <-events; e.Kind != MemoryRemove {
		t.Errorf("%+v; want a remove", e)
	}
	close(goOn)
	wg.Wait()
}

// waitForFaults returns when that many threads of this process sleep in a fault that a userfaultfd serves, or after
// five seconds, where the kernel does not tell where threads sleep.
func waitForFaults(t *testing.T, threads int) {
	t.Helper()
	for range 5000 {
		tasks, err := os.ReadDir("/proc/self/task")
		if err != nil {
			t.Fatal(err)
		}
		waiting := 0
		for _, task := range tasks {
			where, err := os.ReadFile("/proc/self/task/" + task.Name() + "/wchan")
			if err != nil && !errors.Is(err, os.ErrNotExist) && !errors.Is(err, unix.ESRCH) {
				t.Fatal(err)
			}
			if strings.Contains(string(where), "userfault") {
				waiting++
			}
		}
		if waiting >= threads {
			return
		}
		unix.Nanosleep(&unix.Timespec{Nsec: 1e6}, nil)
	}
}
