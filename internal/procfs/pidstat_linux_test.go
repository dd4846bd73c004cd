package procfs

import (
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"
)

func TestParsePidStat(t *testing.T) {
	for file, want := range map[string]PidStatInfo{
		"pid_stat_comm": { // a name that looks like the fields after it
			Comm: "a) R 1 (\n\\b) Z", State: 'S', PPID: 3517, MinFlt: 20766,
			UTime: 200 * time.Millisecond, STime: 190 * time.Millisecond, NumThreads: 1, StartTime: 224352,
		},
		"pid_stat_kthread": {Comm: "kthreadd", State: 'S', NumThreads: 1, StartTime: 18},
		"pid_stat_zombie":  {Comm: "python3", State: 'Z', PPID: 3517, MinFlt: 237, NumThreads: 1, StartTime: 224458},
	} {
		got, err := parsePidStat(fixture(t, file))
		if err != nil {
			t.Errorf("%s: %v", file, err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", file, diff)
		}
	}
}

// statLine returns a stat line with every field distinct.
func statLine(comm string) string {
	return "4 (" + comm + ") R 104 105 106 107 108 109 110 111 112 113 114 115 116 117 118 119 120 121 122 123\n"
}

func TestParsePidStatTakesEachFieldFromItsPlace(t *testing.T) {
	want := PidStatInfo{
		Comm: "x", State: 'R', PPID: 104, MinFlt: 110, CMinFlt: 111, MajFlt: 112, CMajFlt: 113,
		UTime: 1140 * time.Millisecond, STime: 1150 * time.Millisecond, NumThreads: 120, StartTime: 122,
	}
	got, err := parsePidStat([]byte(statLine("x")))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestParsePidStatRefusesWhatIsNoStatLine(t *testing.T) {
	for name, line := range map[string]string{
		"empty":            "",
		"no name":          "1 init S 0",
		"crossed":          "1 )( S 0",
		"cut short":        statLine("x")[:40],
		"no state":         "1 (x)",
		"long state":       strings.Replace(statLine("x"), " R ", " RR ", 1),
		"negative counter": strings.Replace(statLine("x"), " 110 ", " -110 ", 1),
		"too many ticks":   strings.Replace(statLine("x"), " 114 ", " 922337203686 ", 1),
		"parent too large": strings.Replace(statLine("x"), " 104 ", " 4294967296 ", 1),
	} {
		if got, err := parsePidStat([]byte(line)); err == nil {
			t.Errorf("%s: parsed as %+v", name, got)
		}
	}
}

func TestTaskStatCountsWhatGetrusageCounts(t *testing.T) {
	pid := os.Getpid()
	onThread(func(tid int) {
		touch(t, 64) // and so the thread has faults of its own
		var before, after unix.Rusage
		rusage(t, unix.RUSAGE_THREAD, &before)
		got, err := TaskStat(pid, tid)
		rusage(t, unix.RUSAGE_THREAD, &after)
		if err != nil {
			t.Error(err)
			return
		}
		if got.MinFlt < 64 {
			t.Errorf("MinFlt = %d after 64 first touches", got.MinFlt)
		}
		compareRusage(t, got, before, after)
	})
}

func TestPidStatCountsWhatGetrusageCounts(t *testing.T) {
	touch(t, 64)
	var before, after unix.Rusage
	rusage(t, unix.RUSAGE_SELF, &before)
	got, err := PidStat(os.Getpid())
	rusage(t, unix.RUSAGE_SELF, &after)
	if err != nil {
		t.Fatal(err)
	}
	compareRusage(t, got, before, after)

	mustStartChild(t).end() // so that there is one waited for
	rusage(t, unix.RUSAGE_CHILDREN, &before)
	got, err = PidStat(os.Getpid())
	rusage(t, unix.RUSAGE_CHILDREN, &after)
	if err != nil {
		t.Fatal(err)
	}
	if got.CMinFlt == 0 {
		t.Error("CMinFlt = 0 after a child was waited for")
	}
	between(t, "CMinFlt", uint64(before.Minflt), got.CMinFlt, uint64(after.Minflt))
	between(t, "CMajFlt", uint64(before.Majflt), got.CMajFlt, uint64(after.Majflt))
}

// compareRusage holds a stat to getrusage's word from before and after it.
func compareRusage(t *testing.T, got PidStatInfo, before, after unix.Rusage) {
	t.Helper()
	between(t, "MinFlt", uint64(before.Minflt), got.MinFlt, uint64(after.Minflt))
	between(t, "MajFlt", uint64(before.Majflt), got.MajFlt, uint64(after.Majflt))
	duration := func(tv unix.Timeval) time.Duration { return time.Duration(tv.Nano()) }
	between(t, "UTime", duration(before.Utime).Truncate(tick), got.UTime, duration(after.Utime))
	between(t, "STime", duration(before.Stime).Truncate(tick), got.STime, duration(after.Stime))
}

func rusage(t *testing.T, who int, ru *unix.Rusage) {
	t.Helper()
	if err := unix.Getrusage(who, ru); err != nil {
		t.Error(err)
	}
}

// touch takes a fault for each of n new pages on the calling thread.
func touch(t *testing.T, n int) {
	t.Helper()
	page := os.Getpagesize()
	b, err := unix.Mmap(-1, 0, n*page, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANON)
	if err != nil {
		t.Error(err)
		return
	}
	unix.Madvise(b, unix.MADV_NOHUGEPAGE) // fails where there are none, and then does not matter
	for i := 0; i < len(b); i += page {
		b[i] = 1
	}
	if err := unix.Munmap(b); err != nil {
		t.Error(err)
	}
}

func TestTaskStatGivesTheCommandNameToTheByte(t *testing.T) {
	for _, comm := range []string{"", "x", "two words", "a) R 1 (", "(((", ")))", "\n\t\\", "\x80\xff\x01", "fifteen bytes !"} {
		onThread(func(tid int) {
			if err := setComm(comm); err != nil {
				t.Error(err)
				return
			}
			got, err := TaskStat(os.Getpid(), tid)
			if err != nil || got.Comm != comm || got.State != 'R' {
				t.Errorf("TaskStat = Comm %q, State %c, %v; want %q, R", got.Comm, got.State, err, comm)
			}
		})
	}
}

// setComm names the calling thread.
func setComm(comm string) error {
	return os.WriteFile("/proc/thread-self/comm", []byte(comm), 0)
}

func TestPidStatKnowsParentThreadsAndStart(t *testing.T) {
	self, err := PidStat(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	if self.PPID != os.Getppid() {
		t.Errorf("PPID = %d; getppid says %d", self.PPID, os.Getppid())
	}
	var early, late unix.Timespec
	bootTime(t, &early)
	c := mustStartChild(t)
	bootTime(t, &late)
	got, err := PidStat(c.pid)
	if err != nil {
		t.Fatal(err)
	}
	if got.PPID != os.Getpid() {
		t.Errorf("PPID of the child = %d; want %d", got.PPID, os.Getpid())
	}
	const nsTick = int64(tick)
	between(t, "StartTime", uint64(early.Nano()/nsTick), got.StartTime, uint64(late.Nano()/nsTick))
	eventually(t, "NumThreads is the number of Tasks", func() bool {
		tids, err := Tasks(c.pid)
		if err != nil {
			t.Fatal(err)
		}
		if got, err = PidStat(c.pid); err != nil {
			t.Fatal(err)
		}
		return got.NumThreads == len(tids)
	})
}

// bootTime reads the clock that start times are on.
func bootTime(t *testing.T, ts *unix.Timespec) {
	t.Helper()
	if err := unix.ClockGettime(unix.CLOCK_BOOTTIME, ts); err != nil {
		t.Fatal(err)
	}
}

func TestTaskStatOfASleepingThreadSaysS(t *testing.T) {
	tid, _ := sleeper(t, func() {})
	eventually(t, "state S", func() bool {
		got, err := TaskStat(os.Getpid(), tid)
		if err != nil {
			t.Fatal(err)
		}
		return got.State == 'S'
	})
}

func FuzzParsePidStat(f *testing.F) {
	for _, file := range []string{"pid_stat_comm", "pid_stat_kthread", "pid_stat_zombie"} {
		f.Add(fixture(f, file))
	}
	f.Add([]byte(statLine("x")))
	f.Add([]byte(")("))
	f.Fuzz(func(t *testing.T, b []byte) {
		got, err := parsePidStat(b)
		if err != nil && got != (PidStatInfo{}) {
			t.Errorf("with an error: %+v", got)
		}
		if got.UTime < 0 || got.STime < 0 || got.PPID < 0 || got.NumThreads < 0 {
			t.Errorf("negative: %+v", got)
		}
	})
}

// FuzzParsePidStatComm checks that no command name can change another field.
func FuzzParsePidStatComm(f *testing.F) {
	for _, comm := range []string{"", "x", "a) R 1 (", "\n", "))", "((", "\x00\xff"} {
		f.Add(comm)
	}
	f.Fuzz(func(t *testing.T, comm string) {
		want, err := parsePidStat([]byte(statLine("")))
		if err != nil {
			t.Fatal(err)
		}
		want.Comm = comm
		if got, err := parsePidStat([]byte(statLine(comm))); err != nil || got != want {
			t.Errorf("%q: %+v, %v; want %+v", comm, got, err, want)
		}
	})
}
