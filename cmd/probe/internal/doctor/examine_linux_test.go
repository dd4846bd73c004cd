package doctor

import (
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
	"unsafe"

	"go.uber.org/goleak"
	"golang.org/x/sys/unix"

	"github.com/ring3-go/ring3/ctxswitch"
	"github.com/ring3-go/ring3/internal/procfs"
	"github.com/ring3-go/ring3/pagefault"
)

// examined is this process's own examination, made once.
var examined = sync.OnceValue(func() []Check { return Examine(context.Background()) })

func TestReport(t *testing.T) {
	checks := examined()
	wantWellFormed(t, checks)
	var b strings.Builder
	if err := Text(&b, checks, false); err != nil {
		t.Fatal(err)
	}
	t.Log("\n" + b.String())
	for line := range strings.Lines(b.String()) {
		if n := len([]rune(strings.TrimSuffix(line, "\n"))); n > 80 {
			t.Errorf("line of %d columns: %s", n, line)
		}
	}
}

func TestRemediesCanBeCopied(t *testing.T) {
	for _, c := range examined() {
		if strings.HasPrefix(c.Remedy, "sudo ") && len(wrap(c.Remedy, columns-len(indent)-labelWidth)) > 1 {
			t.Errorf("%s: the command %q takes more than a line", c.Name, c.Remedy)
		}
	}
}

func TestBackendsAgreeWithObservers(t *testing.T) {
	checks := byName(examined())
	agree := func(name string, err error) {
		t.Helper()
		if c := checks[name]; (c.Status == OK) != (err == nil) {
			t.Errorf("Observe: %v; but the check says %+v", err, c)
		}
	}
	for _, b := range faultBackends {
		obs, err := pagefault.Observe(pagefault.Options{Target: pagefault.Target{Children: true}, Backend: b})
		agree(faultPrefix+string(b), err)
		if err == nil {
			obs.Close()
		}
	}
	for _, b := range switchBackends {
		obs, err := ctxswitch.Observe(ctxswitch.Options{Target: ctxswitch.Target{Children: true}, Backend: b})
		agree(switchPrefix+string(b), err)
		if err == nil {
			obs.Close()
		}
	}
}

func TestCapabilitiesAgreeWithProc(t *testing.T) {
	status, err := procfs.PidStatus(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	checks := byName(examined())
	for _, c := range interesting {
		admin := slices.Contains(forTracing, c) && status.CapEff&(1<<unix.CAP_SYS_ADMIN) != 0
		if got, want := checks["CAP_"+c.name].Status, status.CapEff&(1<<c.bit) != 0 || admin; (got != No) != want {
			t.Errorf("CAP_%s: %s; /proc shows %#x", c.name, got, status.CapEff)
		}
	}
}

func TestSwapAgreesWithSysinfo(t *testing.T) {
	var info unix.Sysinfo_t
	if err := unix.Sysinfo(&info); err != nil {
		t.Fatal(err)
	}
	if c := byName(examined())["swap"]; (c.Status != No) != (info.Totalswap > 0) {
		t.Errorf("%+v; sysinfo says %d bytes", c, info.Totalswap)
	}
}

func TestHugePagesAgreeWithSmaps(t *testing.T) {
	c := byName(examined())["transparent huge pages"]
	const size = 2 << 20
	mem, err := unix.Mmap(-1, 0, 2*size, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANON)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Munmap(mem)
	if err := unix.Madvise(mem, unix.MADV_HUGEPAGE); err != nil && c.Status == OK {
		t.Fatalf("madvise: %v; but %+v", err, c)
	}
	for i := range mem {
		mem[i] = 1
	}
	kib := 0
	smaps, err := os.ReadFile("/proc/self/smaps")
	if err != nil {
		t.Fatal(err)
	}
	_, ours, _ := strings.Cut(string(smaps), fmt.Sprintf("%x-", uintptr(unsafe.Pointer(unsafe.SliceData(mem)))))
	if _, field, ok := strings.Cut(ours, "AnonHugePages:"); ok {
		fmt.Sscan(field, &kib)
	}
	if c.Status == OK && kib == 0 || c.Status == No && kib > 0 {
		t.Errorf("%+v; smaps has %d KiB in huge pages", c, kib)
	}
}

// descriptors maps the open descriptors to what they are.
func descriptors(t *testing.T) map[string]string {
	t.Helper()
	open := make(map[string]string)
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if name, err := os.Readlink(filepath.Join("/proc/self/fd", e.Name())); err == nil { // not the directory's own
			open[e.Name()] = name
		}
	}
	return open
}

func TestExamineLeavesNothingBehind(t *testing.T) {
	defer goleak.VerifyNone(t)
	before := descriptors(t)
	capsBefore := capabilitiesOfThreads(t)
	mappingsBefore := mappings(t)
	Examine(t.Context())
	if after := descriptors(t); !maps.Equal(before, after) {
		t.Errorf("descriptors before: %v\nafter: %v", before, after)
	}
	// The loader unmaps in a cleanup, some time after a collection has found the mapping unused.
	deadline := time.Now().Add(10 * time.Second)
	for runtime.GC(); mappings(t) > mappingsBefore; runtime.GC() {
		if time.Now().After(deadline) {
			t.Errorf("%d mappings of kernel objects before, %d after", mappingsBefore, mappings(t))
			break
		}
	}
	if after := capabilitiesOfThreads(t); !maps.Equal(capsBefore, after) {
		t.Errorf("effective capabilities of threads before: %v; after: %v", capsBefore, after)
	}
}

// capabilitiesOfThreads is the set of effective sets that the process's threads have.
func capabilitiesOfThreads(t *testing.T) map[uint64]bool {
	t.Helper()
	tids, err := procfs.Tasks(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	sets := make(map[uint64]bool)
	for _, tid := range tids {
		st, err := procfs.TaskStatus(os.Getpid(), tid)
		if procfs.Gone(err) {
			continue
		} else if err != nil {
			t.Fatal(err)
		}
		sets[st.CapEff] = true
	}
	return sets
}

// mappings counts those of kernel objects: maps, rings and events.
func mappings(t *testing.T) (n int) {
	t.Helper()
	b, err := os.ReadFile("/proc/self/maps")
	if err != nil {
		t.Fatal(err)
	}
	return strings.Count(string(b), "anon_inode:")
}

func TestEveryCheckIsBounded(t *testing.T) {
	release := make(chan struct{})
	defer close(release)
	hangs := trial{"hangs", func(context.Context) Check { <-release; return passed("at last") }}
	if c := hangs.run(t.Context(), time.Millisecond); c.Status != Limited || c.Name != "hangs" || !strings.Contains(c.Evidence, "no answer") {
		t.Errorf("got %+v; want limited for want of an answer", c)
	}
}

func TestFailingCheckDoesNotStopTheRest(t *testing.T) {
	forbidden, err := unix.Mmap(-1, 0, os.Getpagesize(), unix.PROT_NONE, unix.MAP_PRIVATE|unix.MAP_ANON)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Munmap(forbidden)
	checks := inTurn(t.Context(), []trial{
		{"panics", func(context.Context) Check { panic("no") }},
		{"faults", func(context.Context) Check { forbidden[0] = 1; return passed("") }},
		{"works", func(context.Context) Check { return passed("yes") }},
	})
	want := []Status{Limited, Limited, OK}
	for i, c := range checks {
		if c.Status != want[i] {
			t.Errorf("%+v; want %s", c, want[i])
		}
	}
	if len(checks) != len(want) {
		t.Errorf("%d checks; want %d", len(checks), len(want))
	}
}

func TestCancelledExaminationReturnsWhatItHas(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	checks := inTurn(ctx, []trial{
		{"first", func(context.Context) Check { return passed("1") }},
		{"cancels", func(context.Context) Check { cancel(); return passed("2") }},
		{"late", func(context.Context) Check { t.Error("ran after the context ended"); return passed("3") }},
	})
	if len(checks) != 2 {
		t.Errorf("got %+v; want the two that ran", checks)
	}
	if got := Examine(ctx); len(got) != 0 {
		t.Errorf("Examine of an ended context: %+v; want nothing", got)
	}
}

func TestWithoutCapabilitiesPutsThemBack(t *testing.T) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	before, err := effective()
	if err != nil {
		t.Fatal(err)
	}
	var inside uint64
	if err := withoutCapabilities(func() (err error) { inside, err = effective(); return err }); err != nil {
		t.Fatal(err)
	}
	after, err := effective()
	if err != nil {
		t.Fatal(err)
	}
	if inside != 0 || after != before {
		t.Errorf("before %#x, inside %#x, after %#x; want nothing inside and the same after", before, inside, after)
	}
}

func TestMeasureHoldsObserversToTheKernel(t *testing.T) {
	for _, tt := range []struct {
		name string
		t    tally
		want Status
	}{
		{"exact", tally{64, 64, 64}, OK},
		{"between", tally{65, 64, 66}, OK},
		{"too few", tally{63, 64, 66}, Limited},
		{"too many", tally{67, 64, 66}, Limited},
		{"attached in vain", tally{0, 64, 66}, No},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c, wrong := miscounted(tt.t, "evidence")
			if wrong != (tt.want != OK) || wrong && c.Status != tt.want {
				t.Errorf("miscounted(%v) = %+v, %v; want %s", tt.t, c, wrong, tt.want)
			}
		})
	}
}

func TestConsequenceIsWhatTheRestCannotTell(t *testing.T) {
	order := []string{"best", "good", "poor"}
	cannot := func(b string) []string {
		return map[string][]string{"good": {"colour"}, "poor": {"colour", "size"}}[b]
	}
	for _, tt := range []struct {
		name  string
		works []Status
		want  []string
	}{
		{"all work", []Status{OK, OK, OK}, []string{"", "", ""}},
		{"the best fails", []Status{No, OK, OK}, []string{"leaves good, which cannot tell: colour", "", ""}},
		{"a lesser one fails", []Status{OK, No, OK}, []string{"", "none: best works and tells more", ""}},
		{"one is left", []Status{No, No, OK}, []string{"leaves poor, which cannot tell: colour; size", "leaves poor, which cannot tell: size", ""}},
		{"none is left", []Status{No, No, No}, []string{"nothing", "nothing", "nothing"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var checks []Check
			for i, b := range order {
				checks = append(checks, Check{Name: "x: " + b, Status: tt.works[i]})
			}
			relate(checks, "x: ", order, cannot, "nothing")
			for i, c := range checks {
				if c.Consequence != tt.want[i] {
					t.Errorf("%s: %q; want %q", c.Name, c.Consequence, tt.want[i])
				}
			}
		})
	}
}
