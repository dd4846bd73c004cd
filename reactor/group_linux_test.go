package reactor

import (
	"context"
	"errors"
	"path/filepath"
	"sync"
	"testing"

	"golang.org/x/sys/unix"
)

// One loop alone shares its port with nobody.
func TestGroupOfOneHasItsPortAlone(t *testing.T) { eachDriver(t, testGroupOfOneHasItsPortAlone) }

func testGroupOfOneHasItsPortAlone(t *testing.T, driver Driver) {
	g, err := NewGroup(1, Options{Driver: driver})
	if err != nil {
		t.Fatal(err)
	}
	defer g.Close()
	listeners, err := g.Listen(ListenConfig{}, "tcp", "127.0.0.1:0", echoes)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := g.Listen(ListenConfig{}, "tcp", listeners[0].Addr().String(), echoes); !errors.Is(err, unix.EADDRINUSE) {
		t.Errorf("a second listener: %v", err)
	}
}

func TestPinnedLoopRunsThere(t *testing.T) { eachDriver(t, testPinnedLoopRunsThere) }

func testPinnedLoopRunsThere(t *testing.T, driver Driver) {
	var allowed unix.CPUSet
	if err := unix.SchedGetaffinity(0, &allowed); err != nil {
		t.Fatal(err)
	}
	g, err := NewGroup(0, Options{Driver: driver, Pin: true})
	if err != nil {
		t.Fatal(err)
	}
	if got := len(g.Loops()); got != allowed.Count() {
		t.Errorf("%d loops for %d processors", got, allowed.Count())
	}
	ran := make(chan error, 1)
	go func() { ran <- g.Run() }()
	var seen unix.CPUSet
	for _, l := range g.Loops() {
		on(t, l, func() {
			var set unix.CPUSet
			if err := unix.SchedGetaffinity(0, &set); err != nil || set.Count() != 1 {
				t.Errorf("%d processors, %v", set.Count(), err)
			}
			for cpu := range len(set) * 64 {
				if set.IsSet(cpu) {
					seen.Set(cpu)
				}
			}
		})
	}
	if seen != allowed {
		t.Errorf("loops are on %v; want %v", seen, allowed)
	}
	if err := errors.Join(g.Close(), <-ran); err != nil {
		t.Error(err)
	}
	if _, err := NewGroup(1, Options{Driver: driver, Pin: true, CPU: 1 << 20}); err == nil {
		t.Error("a processor that there is not: no error")
	}
}

func TestGroupSharesItsListeners(t *testing.T) { eachDriver(t, testGroupSharesItsListeners) }

func testGroupSharesItsListeners(t *testing.T, driver Driver) {
	for _, network := range []string{"tcp", "unix"} {
		g, err := NewGroup(3, Options{Driver: driver})
		if err != nil {
			t.Fatal(err)
		}
		address := "127.0.0.1:0"
		if network == "unix" {
			address = filepath.Join(t.TempDir(), "s")
		}
		var mu sync.Mutex
		served := make(map[*Loop]int)
		listeners, err := g.Listen(ListenConfig{}, network, address, func(c *Conn) Handler {
			mu.Lock()
			defer mu.Unlock()
			served[c.Loop()]++
			return echo{}
		})
		if err != nil {
			t.Fatal(err)
		}
		ran := make(chan error, 1)
		go func() { ran <- g.Run() }()
		const clients = 60
		for range clients {
			c := dial(t, listeners[0])
			say(t, c, "x")
			hear(t, c, "x")
			c.Close()
		}
		if err := errors.Join(g.Shutdown(context.Background()), <-ran); err != nil {
			t.Error(err)
		}
		total := 0
		for _, n := range served {
			total += n
		}
		if total != clients || network == "tcp" && len(served) != 3 {
			t.Errorf("%s: served %v", network, served)
		}
	}
}
