package features

import (
	"fmt"
	"os"
	"strings"
	"testing"
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
