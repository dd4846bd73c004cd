package floors

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// arches are those that the module is written for; a file for one of them may import what the other
// does not.
var arches = []string{"amd64", "arm64"}

func TestPackagesImportOnlyFromFloorsBelow(t *testing.T) {
	for _, arch := range arches {
		t.Run(arch, func(t *testing.T) {
			for _, problem := range checkImports(list(t, "", arch)) {
				t.Error(problem)
			}
		})
	}
}

func TestPackagesNeitherLogNorExitAndAreDocumented(t *testing.T) {
	problems, err := checkSources(list(t, "", arches[0]))
	if err != nil {
		t.Fatal(err)
	}
	for _, problem := range problems {
		t.Error(problem)
	}
}

// A pkg is what "go list" says about a package.
type pkg struct {
	ImportPath string
	Dir        string
	Name       string
	Standard   bool
	Imports    []string // of its files for this system, tests left out
	Deps       []string // the same, direct or not
	Module     *struct {
		Path string
		Main bool
	}
}

// ours reports whether p is a package of the module under test.
func (p *pkg) ours() bool { return p.Module != nil && p.Module.Main }

// rel is the path of one of our packages below the module; the root is ".".
func (p *pkg) rel() string {
	if p.ImportPath == module {
		return "."
	}
	return strings.TrimPrefix(p.ImportPath, module+"/")
}

// list returns every package of the module in or around dir, and all that they need, as built for Linux.
// It skips the test where there is no go command.
func list(t *testing.T, dir, arch string) map[string]*pkg {
	t.Helper()
	env := append(os.Environ(), "GOOS=linux", "GOARCH="+arch, "GOWORK=off")
	run := func(dir string, args ...string) []byte {
		t.Helper()
		cmd := exec.Command("go", args...)
		cmd.Dir, cmd.Env = dir, env
		out, err := cmd.Output()
		if errors.Is(err, exec.ErrNotFound) {
			t.Skipf("imports cannot be listed here: %v", err)
		}
		if err != nil {
			var exit *exec.ExitError
			if errors.As(err, &exit) {
				err = fmt.Errorf("%w\n%s", err, exit.Stderr)
			}
			t.Fatalf("go %s: %v", strings.Join(args, " "), err)
		}
		return out
	}
	root := filepath.Dir(string(bytes.TrimSpace(run(dir, "env", "GOMOD"))))
	out := run(root, "list", "-deps", "-json=ImportPath,Dir,Name,Standard,Imports,Deps,Module", "./...")
	pkgs := make(map[string]*pkg)
	for dec := json.NewDecoder(bytes.NewReader(out)); ; {
		var p pkg
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			return pkgs
		} else if err != nil {
			t.Fatalf("parse what go list printed: %v", err)
		}
		pkgs[p.ImportPath] = &p
	}
}

// checkImports returns what breaks the table, a sentence each, in order.
func checkImports(pkgs map[string]*pkg) []string {
	var problems []string
	for _, p := range pkgs {
		if !p.ours() {
			continue
		}
		rule := ruleOf(p.rel())
		if rule == nil {
			problems = append(problems, fmt.Sprintf("%s has no floor: give it one in table_test.go", p.rel()))
			continue
		}
		for _, path := range p.Imports {
			if why := checkImport(p, rule, pkgs[path]); why != "" {
				problems = append(problems, why)
			}
		}
		if !withinAny(p.rel(), light) {
			continue
		}
		for _, path := range p.Deps {
			if m := thirdParty(pkgs[path]); m != "" && m != xsys {
				problems = append(problems, fmt.Sprintf("%s brings %s into every program that imports it", p.rel(), m))
			}
		}
	}
	slices.Sort(problems)
	return slices.Compact(problems)
}

// checkImport says what is wrong with p importing dep, or nothing. dep is nil for "C" and "unsafe" alone.
func checkImport(p *pkg, rule *rule, dep *pkg) string {
	if dep == nil || dep.Standard {
		return ""
	}
	if dep.ours() {
		if !mayImport(p.rel(), dep.rel()) {
			return fmt.Sprintf("%s (floor %d) imports %s, which is not below it", p.rel(), rule.floor, dep.rel())
		}
		return ""
	}
	m := thirdParty(dep)
	if !slices.Contains(rule.modules, m) && !slices.Contains(rule.modules, every) {
		return fmt.Sprintf("%s (floor %d) imports %s, of module %s, which has no place there", p.rel(), rule.floor, dep.ImportPath, m)
	}
	return ""
}

// thirdParty is the module that dep comes from, or empty for the standard library and our own packages.
func thirdParty(dep *pkg) string {
	if dep == nil || dep.Standard || dep.Module == nil || dep.ours() {
		return ""
	}
	return dep.Module.Path
}
