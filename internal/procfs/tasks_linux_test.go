package procfs

import (
	"errors"
	"os"
	"slices"
	"testing"

	"golang.org/x/sys/unix"
)

func TestTasksHasAThreadFromStartToEnd(t *testing.T) {
	tid, wake := sleeper(t, func() {})
	tids, err := Tasks(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Contains(tids, tid) || !slices.Contains(tids, os.Getpid()) {
		t.Errorf("Tasks = %v; want %d and %d in it", tids, os.Getpid(), tid)
	}
	if !slices.IsSorted(tids) {
		t.Errorf("Tasks = %v; want them in order", tids)
	}
	for _, tid := range tids {
		if err := unix.Tgkill(os.Getpid(), tid, 0); err != nil && err != unix.ESRCH {
			t.Errorf("signal 0 to task %d: %v", tid, err)
		}
	}
	wake()
	eventually(t, "the thread leaves Tasks", func() bool {
		tids, err := Tasks(os.Getpid())
		if err != nil {
			t.Fatal(err)
		}
		return !slices.Contains(tids, tid)
	})
}

func TestParseTasksRefusesWhatIsNoNumber(t *testing.T) {
	for _, name := range []string{"", "x", "-1", "+1", "2147483648"} {
		if tids, err := parseTasks([]string{"1", name}); err == nil {
			t.Errorf("%q: parsed as %v", name, tids)
		}
	}
}

// children returns the children of all threads of this process.
func children(t *testing.T) (pids []int) {
	t.Helper()
	tids, err := Tasks(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	for _, tid := range tids {
		of, err := Children(os.Getpid(), tid)
		if errors.Is(err, errors.ErrUnsupported) {
			t.Skip(err)
		}
		if err != nil && !Gone(err) {
			t.Fatal(err)
		}
		pids = append(pids, of...)
	}
	return pids
}

func TestChildrenHasAChildUntilItIsWaitedFor(t *testing.T) {
	first, second := mustStartChild(t), mustStartChild(t)
	if got := children(t); !slices.Contains(got, first.pid) || !slices.Contains(got, second.pid) {
		t.Errorf("children = %v; want %d and %d in it", got, first.pid, second.pid)
	}
	if err := unix.Kill(first.pid, unix.SIGKILL); err != nil {
		t.Fatal(err)
	}
	if err := unix.Waitid(unix.P_PID, first.pid, nil, unix.WEXITED|unix.WNOWAIT, nil); err != nil {
		t.Fatal(err)
	}
	if got := children(t); !slices.Contains(got, first.pid) {
		t.Errorf("children = %v; want the zombie %d in it", got, first.pid)
	}
	first.end()
	if got := children(t); slices.Contains(got, first.pid) || !slices.Contains(got, second.pid) {
		t.Errorf("children = %v; want %d in it, and %d, which was waited for, not", got, second.pid, first.pid)
	}
}

func TestChildrenOfAProcessWithoutAnyIsEmpty(t *testing.T) {
	c := mustStartChild(t)
	got, err := Children(c.pid, c.pid)
	if errors.Is(err, errors.ErrUnsupported) {
		t.Skip(err)
	}
	if err != nil || len(got) != 0 {
		t.Errorf("Children = %v, %v; want none", got, err)
	}
}

func FuzzParseChildren(f *testing.F) {
	for _, text := range []string{"", "1 ", "12 34 56 ", "-1", "0x1", "2147483648"} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		pids, err := parseChildren(b)
		if err != nil && pids != nil || slices.ContainsFunc(pids, func(pid int) bool { return pid < 0 }) {
			t.Errorf("%v, %v", pids, err)
		}
	})
}
