//go:build linux && (amd64 || arm64)

package pagefault

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/ring3-go/ring3/internal/features"
	"github.com/ring3-go/ring3/syscalls"
)

// TestACauseOfNothingIsRefused.
func TestACauseOfNothingIsRefused(t *testing.T) {
	if _, err := (Cause{}).Run(t.Context(), CauseOptions{}); !errors.Is(err, os.ErrInvalid) {
		t.Errorf("run: %v", err)
	}
	if _, err := (Cause{}).RunObserved(t.Context(), CauseOptions{}, Options{}); !errors.Is(err, os.ErrInvalid) {
		t.Errorf("observed: %v", err)
	}
	if _, err := Causes()[0].Run(t.Context(), CauseOptions{Count: -1}); !errors.Is(err, os.ErrInvalid) {
		t.Errorf("count: %v", err)
	}
}

// TestACancelledCauseLeavesTheMachineAsItWas cancels one that has put huge pages into the kernel's pool, in a child.
func TestACancelledCauseLeavesTheMachineAsItWas(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("tried: only root may reserve huge pages")
	}
	const setting = "/proc/sys/vm/nr_hugepages"
	before, err := os.ReadFile(setting)
	if err != nil {
		t.Skipf("tried: %v", err)
	}
	c, err := CauseNamed("hugetlb")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	done := make(chan error)
	go func() {
		_, err := c.RunObserved(ctx, CauseOptions{Count: 1, Reserve: true}, Options{})
		done <- err
	}()
	for {
		now, err := os.ReadFile(setting)
		if err != nil {
			t.Fatal(err)
		}
		if string(now) != string(before) {
			cancel()
			err = <-done
		} else {
			select {
			case err = <-done:
			default:
				continue
			}
		}
		t.Logf("cancelled: %v", err)
		break
	}
	for range 5000 { // other tests may have pages reserved for a moment
		after, err := os.ReadFile(setting)
		if err != nil {
			t.Fatal(err)
		}
		if string(after) == string(before) {
			return
		}
		unix.Nanosleep(&unix.Timespec{Nsec: 1e6}, nil)
	}
	t.Errorf("%s was %s before and is not again", setting, before)
}

// TestHintsOfNodesAreACause holds what the cause says against the nodes of the machine.
func TestHintsOfNodesAreACause(t *testing.T) {
	c, err := CauseNamed("NUMA hint")
	if err != nil {
		t.Fatal(err)
	}
	done, err := c.Run(t.Context(), CauseOptions{Count: 4})
	if cannot := new(CannotHereError); !errors.As(err, &cannot) {
		if err != nil || !done.exact() {
			t.Errorf("%+v, %v", done, err)
		}
		return
	}
	nodes, _ := filepath.Glob("/sys/devices/system/node/node[0-9]*")
	if says := strings.Contains(err.Error(), "one node"); says != (len(nodes) == 1) {
		t.Errorf("%d nodes: %v", len(nodes), err)
	}
	t.Log(err)
}

// TestCausesDoNotForkThisProcess has a region that is told of forks, as root.
func TestCausesDoNotForkThisProcess(t *testing.T) {
	events := make(chan MemoryEvent, 1)
	r := region(t, ServeOptions{Size: int64(pageBytes), Handler: number, Events: func(e MemoryEvent) { events <- e }}, features.PopulateRead)
	if r.Features()&syscalls.UFFD_FEATURE_EVENT_FORK == 0 {
		t.Skip("tried: events of forks are told to who has CAP_SYS_PTRACE")
	}
	c, err := CauseNamed("fork copy-on-write")
	if err != nil {
		t.Fatal(err)
	}
	causeOf(t, c, CauseOptions{Count: 2})
	select {
	case e := <-events:
		t.Errorf("%+v; the process was copied", e)
		if e.Child != nil {
			e.Child.Close()
		}
	default:
	}
}
