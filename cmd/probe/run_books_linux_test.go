package main

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/ring3-go/ring3/internal/bpf/bpftest"
	"github.com/ring3-go/ring3/internal/workload"
	"github.com/ring3-go/ring3/pagefault"
)

// imbalance names every identity of the record that does not hold. It is the definition of closed books,
// written from the documentation of ring3/run/v1 alone.
func (r *record) imbalance() (wrong []string) {
	equal := func(what string, got, want int64) {
		if got != want {
			wrong = append(wrong, fmt.Sprintf("%s: %d, want %d", what, got, want))
		}
	}
	holds := func(what string, ok bool) {
		if !ok {
			wrong = append(wrong, what)
		}
	}
	f, s, k := r.Faults, r.Switches, r.Kernel
	equal("minor + major + before + exec + unseen against the kernel's faults",
		f.Minor+f.Major+f.Before+f.Exec+f.Unseen, k.Minor+k.Major)
	equal("involuntary switches against the kernel's", s.Involuntary+s.Before, k.Involuntary)
	holds(fmt.Sprintf("voluntary switches: the kernel's %d are not in [%d, %d]", k.Voluntary, s.Voluntary, s.Voluntary+s.Exit),
		k.Voluntary >= s.Voluntary && k.Voluntary <= s.Voluntary+s.Exit)
	equal("switches in total", s.Total, s.Voluntary+s.Involuntary+s.Exit)
	equal("faults in total", f.Total, f.Minor+f.Major+f.Failed+f.FixedUp)
	var classes, major, failed, blocked int64
	for _, c := range f.Classes {
		classes += c.Count
		if c.Major {
			major += c.Count
		}
		if c.Event == "failed" {
			failed += c.Count
		}
		holds("more times than faults in class "+c.Class, c.Timed <= c.Count)
	}
	equal("faults of all classes", classes, f.Total)
	equal("faults of major classes", major, f.Major)
	equal("faults of failed classes", failed, f.Failed)
	for _, o := range s.OffCPU {
		blocked += o.Count
		holds("quantiles of off-CPU time in "+o.Syscall, o.ordered())
	}
	holds("more ends of waiting than voluntary switches", blocked <= s.Voluntary)
	equal("run-queue delays by cause", s.Woken.Count+s.Preempted.Count, s.RunDelay.Count)
	holds("quantiles of run-queue delay", s.RunDelay.ordered())
	holds("time on CPU beyond time used", s.OnCPU.Count <= s.Total)
	return wrong
}

// ordered reports whether quantiles are where quantiles can be that are at most 12.5 % high.
func (h times) ordered() bool {
	return h.P50Ns <= h.P99Ns && 8*h.P99Ns <= 9*h.MaxNs+8 && h.MaxNs <= h.TotalNs && h.TotalNs <= h.Count*h.MaxNs
}

// A scale says how much work the tests make: an emulated machine, or a short run, gets less.
type scale struct{ small bool }

func (s scale) pick(large, small string) string {
	if s.small {
		return small
	}
	return large
}

// scaleOf measures how long the shortest run takes.
func scaleOf(t *testing.T) scale {
	t.Helper()
	began := time.Now()
	probeRun(t, nil, workload.Command("true"))
	took := time.Since(began)
	small := testing.Short() || took > time.Second
	t.Logf("the shortest run took %v; small workloads: %v", took.Round(time.Millisecond), small)
	return scale{small}
}

// said is what the command was told, and what it said of itself.
type said struct {
	args   []string
	stderr string
	report *workload.Report // nil where it died, or is no workload
}

// A book is a command whose books must close.
type book struct {
	name    string
	command func(t *testing.T, s scale) []string
	code    int
	signal  string
	once    bool   // with the best back end only, for it takes long
	core    bool   // with every back end, on a slow machine too
	unseen  string // bytes in pages that no exception announces
	check   func(t *testing.T, r *record, said said)
}

func work(args ...string) func(*testing.T, scale) []string {
	return func(*testing.T, scale) []string {
		return workload.Command(append([]string{"-report", "3"}, args...)...)
	}
}

// sized is a workload whose first argument depends on the machine.
func sized(name, large, small string) func(*testing.T, scale) []string {
	return func(t *testing.T, s scale) []string { return work(name, s.pick(large, small))(t, s) }
}

func books() []book {
	return []book{
		{name: "nothing", core: true, command: work("true")},
		{name: "first touch", command: sized("touch", "128MiB", "32MiB"), once: true, check: checkTouch},
		{name: "first touch, less of it", command: work("touch", "8MiB"), check: checkTouch},
		{name: "copy-on-write after fork", core: true, command: work("fork-cow", "4MiB"), check: checkForkCow},
		{name: "mapped file", command: work("file-map", "temp", "4MiB")},
		{name: "huge pages", command: work("huge", "16MiB", "show"), check: checkHuge},
		{name: "hand-overs between threads", command: work("futex-pingpong", "8", "200"), check: checkPingPong},
		{name: "storm of forks", command: sized("forkbomb", "2000", "200"), once: true, check: checkEnds},
		{name: "forks", command: work("forkbomb", "100", "10"), check: checkEnds},
		{name: "threads that end", core: true, command: work("threads", "50"), check: checkEnds},
		{name: "shell pipelines of 200 children", command: pipelines, check: checkPipelines},
		{name: "death by SIGKILL", command: work("kill-self", "9"), code: 137, signal: "SIGKILL"},
		{name: "death by SIGSEGV", command: work("kill-self", "11"), code: 139, signal: "SIGSEGV"},
		{name: "death by SIGTERM", command: work("kill-self", "15"), code: 143, signal: "SIGTERM"},
		{name: "death by a wrong access", command: work("segv"), code: 139, signal: "SIGSEGV", check: checkFailed(1)},
		{name: "wrong accesses that are caught", core: true, command: work("failed", "50"), check: checkFailed(50)},
		{name: "pages by MAP_POPULATE", core: true, command: work("populate", "4MiB"), unseen: "4MiB"},
		{name: "pages by process_vm_writev", core: true, command: work("pvw", "4MiB"), unseen: "4MiB"},
		{name: "command that does not exist", command: missing, code: 127, check: checkNothing},
		{name: "command that is not executable", command: notExecutable, code: 126, check: checkNothing},
	}
}

func TestBooksCloseToTheUnit(t *testing.T) {
	bpftest.Exclusive(t)
	scale := scaleOf(t)
	best := true
	for _, backend := range []string{"fentry", "btf-tracepoint+perf", "perf"} {
		t.Run(backend, func(t *testing.T) {
			tryBackend(t, backend)
			for _, b := range books() {
				if best || b.core || !b.once && !scale.small {
					t.Run(b.name, func(t *testing.T) { b.run(t, backend, scale) })
				}
			}
			best = false
		})
	}
}

// tryBackend skips the test where a run with this back end is refused.
func tryBackend(t *testing.T, backend string) {
	t.Helper()
	cmd := asProcess(t, append([]string{"run", "--fault-backend", backend, "--"}, workload.Command("true")...)...)
	switch o := finish(t, cmd); o.code {
	case 0:
	case exitNotSupported, exitNotPermitted:
		needBackend(t, pagefault.Backend(backend))
		t.Fatalf("probe was refused what this process gets: %s", o.stderr)
	default:
		t.Fatalf("exit code %d: %s", o.code, o.stderr)
	}
}

// run runs the command under probe. Events may be lost to other users of eBPF on this machine, which probe
// has to admit and the books to allow for; but not every time.
func (b book) run(t *testing.T, backend string, s scale) {
	command := b.command(t, s)
	var r *record
	for range 3 {
		dir := t.TempDir()
		file, usage := filepath.Join(dir, "record"), filepath.Join(dir, "usage")
		cmd := asProcess(t)
		cmd.Args = append([]string{executable(), asCommand, "usage", usage},
			runArgs(file, []string{"--fault-backend", backend}, command)...)
		report := passReport(t, cmd)
		o := finish(t, cmd)
		text := readFile(t, file)
		if text == "" {
			t.Fatalf("exit code %d and no record; said %q", o.code, o.stderr)
		}
		r = parseRecord(t, text)
		if o.code != b.code || r.ExitCode != b.code || r.Signal != b.signal {
			t.Fatalf("exit code %d, in the record %d and signal %q; want %d and %q; said %q",
				o.code, r.ExitCode, r.Signal, b.code, b.signal, o.stderr)
		}
		if !r.Reconciled {
			t.Fatalf("not reconciled: %+v", r)
		}
		said := said{command, o.stderr, report()}
		checkKernel(t, r, o, usage, said.report)
		if r.Lost == 0 {
			b.checkRecord(t, r, backend, said)
			return
		}
	}
	t.Errorf("lost %d events, and as much in two runs before", r.Lost)
}

// passReport hands descriptor 3 through probe to the command, for a workload's report.
func passReport(t *testing.T, cmd *exec.Cmd) (report func() *workload.Report) {
	t.Helper()
	f, err := os.Create(filepath.Join(t.TempDir(), "report"))
	if err != nil {
		t.Fatal(err)
	}
	cmd.ExtraFiles = []*os.File{f}
	return func() *workload.Report {
		t.Helper()
		f.Close()
		text := readFile(t, f.Name())
		if text == "" {
			return nil
		}
		r := new(workload.Report)
		if err := json.Unmarshal([]byte(text), r); err != nil {
			t.Fatalf("report of the workload: %v", err)
		}
		return r
	}
}

// checkKernel holds the kernel's side of the record against the kernel: what it said of probe's children
// afterwards, of probe's whole tree, and of the command while it ran.
func checkKernel(t *testing.T, r *record, o outcome, usage string, self *workload.Report) {
	t.Helper()
	var children counters
	if err := json.Unmarshal([]byte(readFile(t, usage)), &children); err != nil {
		t.Fatal(err)
	}
	if r.Kernel != children {
		t.Errorf("kernel %+v; getrusage says %+v", r.Kernel, children)
	}
	if !r.Kernel.within(o.tree) {
		t.Errorf("kernel %+v; more than wait4 says of probe and all: %+v", r.Kernel, o.tree)
	}
	if self == nil {
		return
	}
	total, reaped := self.Total, self.Children
	least := counters{
		total.MinorFaults + reaped.MinorFaults, total.MajorFaults + reaped.MajorFaults,
		total.Voluntary + reaped.Voluntary, total.Involuntary + reaped.Involuntary,
	}
	if !least.within(r.Kernel) {
		t.Errorf("kernel %+v; less than the command found before its end: %+v", r.Kernel, least)
	}
}

func (b book) checkRecord(t *testing.T, r *record, backend string, said said) {
	t.Helper()
	for _, wrong := range r.imbalance() {
		t.Error(wrong)
	}
	var unseen int64
	if b.unseen != "" && backend != "fentry" {
		unseen = pages(t, b.unseen)
	}
	if r.Faults.Unseen != unseen {
		t.Errorf("unseen %d; want %d", r.Faults.Unseen, unseen)
	}
	if b.check != nil {
		b.check(t, r, said)
	}
	if t.Failed() {
		t.Logf("%+v", r)
	}
}

// pages is how many a size such as 4MiB has.
func pages(t *testing.T, size string) int64 {
	t.Helper()
	mib, err := strconv.ParseInt(strings.TrimSuffix(size, "MiB"), 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return mib << 20 / int64(syscall.Getpagesize())
}

func TestManyShortRunsReconcile(t *testing.T) {
	bpftest.Exclusive(t)
	runs := 30
	if scaleOf(t).small {
		runs = 5
	}
	lossless := 0
	for i := range runs {
		o, r := probeRun(t, nil, workload.Command("true"))
		if r.Backend.Faults == "procfs" {
			needEBPF(t)
			t.Fatalf("back end procfs, though this process gets a better one: %s", o.stderr)
		}
		if o.code != 0 || !r.Reconciled {
			t.Errorf("run %d: exit code %d, reconciled %v: %+v", i, o.code, r.Reconciled, r)
		}
		if r.Lost == 0 {
			lossless++
			for _, wrong := range r.imbalance() {
				t.Errorf("run %d: %s", i, wrong)
			}
		}
	}
	t.Logf("%d runs, %d without a lost event", runs, lossless)
	if lossless == 0 {
		t.Error("every run lost events")
	}
}
