package floors

import (
	"os"
	"path/filepath"
	"slices"
	"testing"
)

// planted is a module of our name in which most packages break one rule, and the others come close.
var planted = map[string]string{
	"go.mod": "module " + module + `

go 1.26.0

require (
	github.com/cilium/ebpf v0.0.0
	golang.org/x/sys v0.0.0
)

replace github.com/cilium/ebpf => ./third/ebpf

replace golang.org/x/sys => ./third/sys
`,
	"third/ebpf/go.mod":   "module github.com/cilium/ebpf\n",
	"third/ebpf/ebpf.go":  "package ebpf\n",
	"third/sys/go.mod":    "module golang.org/x/sys\n",
	"third/sys/unix/u.go": "package unix\n",

	// As they should be.
	"internal/bpf/bpf.go":       "// Package bpf is good.\npackage bpf\n\nimport (\n\t_ \"github.com/cilium/ebpf\"\n\t_ \"golang.org/x/sys/unix\"\n)\n",
	"internal/sub/cmd/main.go":  "// Sub is a command, which may exit.\npackage main\n\nimport (\n\t\"log\"\n\t\"os\"\n)\n\nfunc init() {}\n\nfunc main() { log.Print(); os.Exit(1) }\n",
	"mmu/mmu.go":                "// Package mmu is good.\npackage mmu\n\nimport _ \"" + module + "/syscalls/vdso\"\n",
	"mmu/mmu_test.go":           "package mmu\n\nimport _ \"" + module + "/async\"\n",
	"syscalls/vdso/vdso.go":     "// Package vdso is good.\npackage vdso\n\nimport _ \"golang.org/x/sys/unix\"\n",
	"lab/lab.go":                "// Package lab is good: what pagefault brings is not its own import.\npackage lab\n\nimport _ \"" + module + "/pagefault\"\n",
	"pagefault/pagefault.go":    "// Package pagefault is good.\npackage pagefault\n\nimport _ \"" + module + "/internal/bpf\"\n",
	"cmd/probe/ui/ui.go":        "// Package ui is good.\npackage ui\n\nimport \"os\"\n\nvar _ = os.Exit\n",
	"internal/workload/work.go": "// Package workload is good.\npackage workload\n\nimport \"os\"\n\nvar _ = os.Exit\n",

	// As they should not.
	"asm/deref/deref.go":       "// Package deref imports upward.\npackage deref\n\nimport _ \"" + module + "/mmu\"\n",
	"async/async.go":           "// Package async brings in cilium/ebpf.\npackage async\n\nimport _ \"" + module + "/pagefault\"\n",
	"ctxswitch/x_arm64.go":     "// Package ctxswitch imports its neighbour, on arm64 alone.\npackage ctxswitch\n\nimport _ \"" + module + "/pagefault\"\n",
	"ctxswitch/x.go":           "package ctxswitch\n",
	"garden/garden.go":         "// Package garden has no floor.\npackage garden\n",
	"internal/hist/hist.go":    "// Package hist imports a module that is not its.\npackage hist\n\nimport _ \"github.com/cilium/ebpf\"\n",
	"internal/mute/mute.go":    "package mute\n",
	"internal/loud/loud.go":    "// Package loud logs.\npackage loud\n\nimport _ \"log/slog\"\n",
	"internal/loud/windows.go": "//go:build windows\n\npackage loud\n\nimport system \"os\"\n\nfunc init() { system.Exit(1) }\n",
}

var (
	plantedImports = []string{
		"asm/deref (floor 0) imports mmu, which is not below it",
		"async brings github.com/cilium/ebpf into every program that imports it",
		"garden has no floor: give it one in table_test.go",
		"internal/hist (floor 0) imports github.com/cilium/ebpf, of module github.com/cilium/ebpf, which has no place there",
	}
	plantedImportsARM64 = slices.Insert(slices.Clone(plantedImports), 2,
		"ctxswitch (floor 2) imports pagefault, which is not below it")
	plantedSources = []string{
		"internal/loud/loud.go:4: imports log/slog: return an error, and let the caller log",
		"internal/loud/windows.go:7: has an init function: do it on first use, or where the caller asks",
		"internal/loud/windows.go:7: uses os.Exit: return an error, and let the caller exit",
		"internal/mute has no package comment",
	}
)

func TestPlantedViolationsAreFound(t *testing.T) {
	dir := t.TempDir()
	for name, text := range planted {
		name = filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for arch, want := range map[string][]string{"amd64": plantedImports, "arm64": plantedImportsARM64} {
		pkgs := list(t, dir, arch)
		if got := checkImports(pkgs); !slices.Equal(got, want) {
			t.Errorf("on %s the imports are found to be\n%q\nwant\n%q", arch, got, want)
		}
		got, err := checkSources(pkgs)
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(got, plantedSources) {
			t.Errorf("on %s the sources are found to be\n%q\nwant\n%q", arch, got, plantedSources)
		}
	}
}
