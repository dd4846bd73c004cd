package procfs

import (
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func TestParseStat(t *testing.T) {
	got, err := parseStat(fixture(t, "stat"))
	if err != nil {
		t.Fatal(err)
	}
	want := StatInfo{Ctxt: 7384154, Processes: 36062, BootTime: time.Unix(1795380000, 0), OnlineCPUs: 2}
	if got != want {
		t.Errorf("%+v; want %+v", got, want)
	}
}

func TestParseStatRefusesWhatIsIncomplete(t *testing.T) {
	for _, text := range []string{
		"", "ctxt 1\nbtime 2\n", "ctxt 1\nprocesses 2\n", "btime 1\nprocesses 2\n",
		"ctxt x\nbtime 1\nprocesses 1\n", "ctxt\nbtime 1\nprocesses 1\n", "ctxt 1\nbtime -1\nprocesses 1\n",
		"ctxt 1\nbtime 9223372036854775808\nprocesses 1\n",
	} {
		if got, err := parseStat([]byte(text)); err == nil {
			t.Errorf("%q: parsed as %+v", text, got)
		}
	}
}

func TestStatCountsThisThreadsSwitches(t *testing.T) {
	onThread(func(int) {
		before, err := Stat()
		if err != nil {
			t.Error(err)
			return
		}
		var start, end unix.Rusage
		rusage(t, unix.RUSAGE_THREAD, &start)
		for range 100 {
			unix.Nanosleep(&unix.Timespec{Nsec: 50_000}, nil) // a switch, mostly
		}
		rusage(t, unix.RUSAGE_THREAD, &end)
		after, err := Stat()
		if err != nil {
			t.Error(err)
			return
		}
		own := uint64(end.Nvcsw + end.Nivcsw - start.Nvcsw - start.Nivcsw)
		if own == 0 || after.Ctxt-before.Ctxt < own {
			t.Errorf("Ctxt grew by %d; this thread alone switched %d times", after.Ctxt-before.Ctxt, own)
		}
	})
}

func TestStatCountsForks(t *testing.T) {
	before, err := Stat()
	if err != nil {
		t.Fatal(err)
	}
	const children = 3
	for range children {
		mustStartChild(t)
	}
	after, err := Stat()
	if err != nil {
		t.Fatal(err)
	}
	if after.Processes-before.Processes < children {
		t.Errorf("Processes grew by %d; %d children were started", after.Processes-before.Processes, children)
	}
}

func TestStatBootTimeIsWhereTheClocksPut(t *testing.T) {
	got, err := Stat()
	if err != nil {
		t.Fatal(err)
	}
	var since unix.Timespec
	bootTime(t, &since)
	want := time.Now().Add(-time.Duration(since.Nano()))
	// The kernel cuts to a second; another for a clock that is being adjusted.
	if off := want.Sub(got.BootTime); off < -time.Second || off > 2*time.Second {
		t.Errorf("BootTime = %v; the clocks say %v", got.BootTime, want)
	}
}

func TestStatCountsOnlineCPUs(t *testing.T) {
	// CPUs may come and go, but not for ever.
	var got StatInfo
	eventually(t, "as many CPUs in both lists", func() bool {
		online, err := OnlineCPUs()
		if err != nil {
			t.Fatal(err)
		}
		if got, err = Stat(); err != nil {
			t.Fatal(err)
		}
		return got.OnlineCPUs == len(online)
	})
}

func FuzzParseStat(f *testing.F) {
	f.Add(fixture(f, "stat"))
	f.Add([]byte("cpu0\nctxt 1\nbtime 2\nprocesses 3"))
	f.Fuzz(func(t *testing.T, b []byte) {
		got, err := parseStat(b)
		if err != nil && got != (StatInfo{}) || got.OnlineCPUs < 0 {
			t.Errorf("%+v, %v", got, err)
		}
	})
}
