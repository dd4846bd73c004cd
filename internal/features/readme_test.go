package features

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/ring3-go/ring3/internal/kernelmatrix"
)

func TestReadmeSaysWhatTheTableSays(t *testing.T) {
	readme, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	for name, f := range map[string]Feature{
		"BTF tracepoints":                      BTFTracepoint,
		"tracepoints of page-fault exceptions": FaultEntry,
		"fentry and fexit programs":            Fentry,
		"programs linked to perf events":       PerfLink,
	} {
		if f == Fentry && table[Fentry] != table[Fexit] {
			t.Error("README has one row for fentry and fexit, and the table has two that differ")
		}
		row := "| " + name
		for _, arch := range []string{"amd64", "arm64"} {
			v, ok := f.Since(arch)
			if !ok {
				row += " | none has it"
				continue
			}
			row += fmt.Sprintf(" | %v", v)
		}
		if row += " |\n"; !strings.Contains(string(readme), row) {
			t.Errorf("README has not the row %q", row)
		}
	}
}

// TestReadmeHasTheKernelsOfTheMatrix holds the table of kernels against those that the matrix boots, and against what
// they have.
func TestReadmeHasTheKernelsOfTheMatrix(t *testing.T) {
	readme, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, text, found := strings.Cut(string(readme), "\n## Supported\n")
	if !found {
		t.Fatal("README has no section of what is supported")
	}
	text, _, _ = strings.Cut(text, "\n## ")
	rows := make(map[string][]string) // by the name of a kernel: the cells after it
	for line := range strings.Lines(text) {
		cells := strings.Split(strings.Trim(strings.TrimSpace(line), "|"), "|")
		names, debian := strings.CutSuffix(strings.TrimSpace(cells[0]), " (Debian)")
		if arch, releases, ok := strings.Cut(names, " "); ok && debian && len(cells) == 4 {
			for release := range strings.SplitSeq(releases, ", ") {
				rows[arch+"-"+release] = cells[1:]
			}
		}
	}
	for _, k := range kernelmatrix.Kernels() {
		cells := rows[k.Name()]
		delete(rows, k.Name())
		if cells == nil {
			t.Errorf("README has no row of %s", k.Name())
			continue
		}
		release, err := ParseVersion(k.Release)
		if err != nil {
			t.Fatal(err)
		}
		runs := Kernel{Arch: k.Arch, Release: release, Reference: true}
		fentry, entry := runs.Has(Fentry), runs.Has(FaultEntry)
		by, lacks := strings.TrimSpace(cells[0]), strings.TrimSpace(cells[2])
		if strings.HasPrefix(by, "fentry") != fentry || strings.Contains(lacks, "fentry") == fentry {
			t.Errorf("%s has fentry: %v; README: by %q, lacks %q", k.Name(), fentry, by, lacks)
		}
		words := strings.FieldsFunc(lacks, func(r rune) bool { return r == ' ' || r == ',' })
		if lackOfEntry := strings.Contains(lacks, "exceptions") || slices.Contains(words, "that"); lackOfEntry == entry {
			t.Errorf("%s has tracepoints of exceptions: %v; README: lacks %q", k.Name(), entry, lacks)
		}
	}
	for name := range rows {
		t.Errorf("README has a row of %s, which is not in the matrix", name)
	}
}
