package kernelmatrix

import (
	"bytes"
	"os/exec"
	"path"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// bootable finds what a boot needs, and skips where that is not there. It
// fetches nothing.
func bootable(t *testing.T) (Options, CachedKernel) {
	t.Helper()
	if testing.Short() {
		t.Skip("boots a kernel")
	}
	for _, k := range Kernels() {
		if k.Arch != runtime.GOARCH || k.Release != "6.12" {
			continue
		}
		cache, err := DefaultCache()
		if err != nil {
			t.Skip(err)
		}
		ck, err := cache.Lookup(k)
		if err != nil {
			t.Skip(err)
		}
		if _, err := exec.LookPath("go"); err != nil {
			t.Skip(err)
		}
		if err := tools(k); err != nil {
			t.Skip(err)
		}
		return Options{Kernels: []Kernel{k}, Cache: cache, Timeout: time.Minute, Progress: t.Output()}, ck
	}
	t.Skipf("no kernel for %s", runtime.GOARCH)
	return Options{}, CachedKernel{}
}

// fixtures are packages that no pattern finds but the one that names them.
const fixtures = "./testdata/tests/"

func TestBootedKernelRunsTests(t *testing.T) {
	opt, ck := bootable(t)
	var text bytes.Buffer
	report := NewReport(&text, false)
	selection := Selection{Packages: []string{fixtures + "fail", fixtures + "pass", fixtures + "quit"}}
	if err := Test(t.Context(), opt, selection, report); err != nil {
		t.Fatal(err)
	}
	totals, err := report.Close()
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for line := range strings.Lines(text.String()) {
		name, rest, _ := strings.Cut(line, " ")
		if outcome, _, _ := strings.Cut(strings.TrimSpace(rest), " "); strings.Contains(name, "/testdata/tests/") {
			got = append(got, path.Join(path.Base(path.Dir(name)), path.Base(name))+" "+outcome)
		}
	}
	want := []string{
		"TestError/deep FAIL", "fail/TestError FAIL", "fail/TestFine PASS", "fail/TestPanics FAIL",
		"pass/TestRunsInPackageDirectory PASS", "pass/TestFileSystems PASS", "pass/TestLoopback PASS",
		"pass/TestUnprivilegedUser PASS", "pass/TestNoOtherPrograms PASS", "pass/TestSkips SKIP",
		"TestSubtests/two SKIP", "pass/TestSubtests PASS", "tests/quit FAIL",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s\n%s", diff, text.String())
	}
	// Two subtests that passed are counted and not printed.
	if (totals != Totals{Passed: 9, Failed: 4, Skipped: 2}) {
		t.Errorf("totals %v", totals)
	}
	release := strings.TrimPrefix(ck.Package, "linux-image-")
	if !strings.Contains(text.String(), "("+release+")\n") {
		t.Errorf("the report does not name release %s:\n%s", release, text.String())
	}
}

func TestBootedKernelRunsAProgram(t *testing.T) {
	opt, _ := bootable(t)
	var stdout, stderr bytes.Buffer
	code, err := Exec(t.Context(), opt, opt.Kernels[0], fixtures+"program", []string{"7", "a b"}, &stdout, &stderr)
	if err != nil {
		t.Fatal(err)
	}
	if code != 7 || stdout.String() != "arguments: [\"7\" \"a b\"]\n" || stderr.String() != "no newline" {
		t.Errorf("exit status %d, standard output %q, standard error %q", code, stdout.String(), stderr.String())
	}
}
