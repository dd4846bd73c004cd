package procfs

import (
	"fmt"
	"os"
	"runtime"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
	"pgregory.net/rapid"
)

func TestParseCPUList(t *testing.T) {
	for text, want := range map[string][]int{
		"0\n":         {0},
		"0-3\n":       {0, 1, 2, 3},
		"0-3,5":       {0, 1, 2, 3, 5},
		"1,3-4,65535": {1, 3, 4, 65535},
		"7-7":         {7},
		"\n":          nil,
		"":            nil,
	} {
		if got, err := parseCPUList([]byte(text)); err != nil || !slices.Equal(got, want) {
			t.Errorf("%q: %v, %v; want %v", text, got, err, want)
		}
	}
	for _, text := range []string{
		",", "0,", "-", "0-", "-1", "3-1", "1,1", "1-3,3", "5,2", "x", "+1", "0x1", " 0", "0-3:1/2", "0-1-2", "0\n\n",
		"65536", "0-4294967295", "99999999999999999999",
	} {
		if got, err := parseCPUList([]byte(text)); err == nil {
			t.Errorf("%q: parsed as %v", text, got)
		}
	}
}

func TestParseCPUListInvertsTheKernelsFormat(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := rapid.SliceOfNDistinct(rapid.IntRange(0, 300), 0, 100, rapid.ID).Draw(t, "cpus")
		slices.Sort(want)
		if got, err := parseCPUList([]byte(cpuList(want))); err != nil || !slices.Equal(got, want) {
			t.Fatalf("%q: %v, %v; want %v", cpuList(want), got, err, want)
		}
	})
}

// cpuList formats CPUs as the kernel does.
func cpuList(cpus []int) string {
	var parts []string
	for i := 0; i < len(cpus); {
		j := i
		for j+1 < len(cpus) && cpus[j+1] == cpus[j]+1 {
			j++
		}
		if i == j {
			parts = append(parts, fmt.Sprint(cpus[i]))
		} else {
			parts = append(parts, fmt.Sprintf("%d-%d", cpus[i], cpus[j]))
		}
		i = j + 1
	}
	return strings.Join(parts, ",") + "\n"
}

func TestOnlineCPUsHasTheCPUsThatThisProgramMayUse(t *testing.T) {
	online, err := OnlineCPUs()
	if err != nil {
		t.Fatal(err)
	}
	var allowed unix.CPUSet
	if err := unix.SchedGetaffinity(0, &allowed); err != nil {
		t.Fatal(err)
	}
	in := 0
	for _, cpu := range online {
		if allowed.IsSet(cpu) {
			in++
		}
	}
	if in == 0 || in != allowed.Count() {
		t.Errorf("OnlineCPUs = %v has %d of the %d CPUs that sched_getaffinity allows", online, in, allowed.Count())
	}
	if runtime.NumCPU() > len(online) {
		t.Errorf("%d CPUs online; the Go runtime has %d", len(online), runtime.NumCPU())
	}
}

func TestOnlineCPUsArePossible(t *testing.T) {
	online, err := OnlineCPUs()
	if err != nil {
		t.Fatal(err)
	}
	possible, err := PossibleCPUs()
	if err != nil {
		t.Fatal(err)
	}
	for _, cpu := range online {
		if !slices.Contains(possible, cpu) {
			t.Errorf("CPU %d is online and not among the possible %v", cpu, possible)
		}
	}
	n, err := NumPossibleCPU()
	if err != nil || n != len(possible) {
		t.Errorf("NumPossibleCPU = %d, %v; want %d", n, err, len(possible))
	}
	// Here the kernel prints a column for every possible CPU, online or not.
	b, err := os.ReadFile("/proc/softirqs")
	if err != nil {
		t.Fatal(err)
	}
	header, _, _ := strings.Cut(string(b), "\n")
	if columns := len(strings.Fields(header)); columns != n {
		t.Errorf("NumPossibleCPU = %d; /proc/softirqs has %d columns", n, columns)
	}
}

func FuzzParseCPUList(f *testing.F) {
	for _, text := range []string{"0-3,5\n", "", "0-65535", "1-0", "0-0,1"} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		cpus, err := parseCPUList(b)
		if err != nil {
			if cpus != nil {
				t.Errorf("with an error: %v", cpus)
			}
			return
		}
		if again, err := parseCPUList([]byte(cpuList(cpus))); err != nil || !slices.Equal(again, cpus) {
			t.Errorf("%q means %v; formatted again it means %v, %v", b, cpus, again, err)
		}
	})
}
