package kernelmatrix

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"strconv"
	"strings"
)

// guestPackage is the source of the guest's /init.
const guestPackage = "github.com/ring3-go/ring3/internal/kernelmatrix/guest"

// A testPackage is a package that has tests for one architecture.
type testPackage struct {
	importPath string
	rel        string // below the module's root, slash-separated; "." is the root
	root       string // the module's directory on the host
	binary     string // of the built tests, on the host
}

// guestBinary is where the image has the tests. The file is called as
// "go test" calls it: tests that filter by command name depend on that.
func (p testPackage) guestBinary() string {
	return path.Join(guestTests, p.rel, p.testName())
}

func (p testPackage) testName() string { return path.Base(p.importPath) + ".test" }

func (p testPackage) guestDir() string { return path.Join(guestSource, p.rel) }

// goCommand runs the go command for a target and returns its standard output. What it builds in between is in tmp, which
// it leaves as it is when it is interrupted.
func goCommand(ctx context.Context, goarch, tmp string, args ...string) ([]byte, error) {
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Env = append(os.Environ(), "GOOS=linux", "GOARCH="+goarch, "CGO_ENABLED=0", "GOTMPDIR="+tmp)
	var out, talk bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &talk
	if err := cmd.Run(); err != nil {
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		return nil, fmt.Errorf("go %s for %s: %w\n%s%s", args[0], goarch, err, talk.Bytes(), out.Bytes())
	}
	return out.Bytes(), nil
}

// listTests finds the packages among patterns that have tests.
func listTests(ctx context.Context, goarch, dir string, patterns []string) ([]testPackage, error) {
	args := append([]string{"list", "-json=ImportPath,TestGoFiles,XTestGoFiles,Module", "--"}, patterns...)
	out, err := goCommand(ctx, goarch, dir, args...)
	if err != nil {
		return nil, err
	}
	var found []testPackage
	for dec := json.NewDecoder(bytes.NewReader(out)); ; {
		var p struct {
			ImportPath                string
			TestGoFiles, XTestGoFiles []string
			Module                    *struct{ Path, Dir string }
		}
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			return found, nil
		} else if err != nil {
			return nil, fmt.Errorf("parse go list: %w", err)
		}
		if len(p.TestGoFiles)+len(p.XTestGoFiles) == 0 {
			continue
		}
		if p.Module == nil {
			return nil, fmt.Errorf("package %s is in no module", p.ImportPath)
		}
		rel := strings.TrimPrefix(strings.TrimPrefix(p.ImportPath, p.Module.Path), "/")
		found = append(found, testPackage{importPath: p.ImportPath, rel: path.Clean(rel), root: p.Module.Dir})
	}
}

// buildTests builds the tests of each package below dir and sets its binary.
// The go command builds many packages much faster than one after another, but
// names the binaries by the last element of the path alone: so packages that
// share it go into different rounds.
func buildTests(ctx context.Context, goarch, dir string, pkgs []testPackage) error {
	rounds := make(map[int][]string)
	used := make(map[string]int)
	for i := range pkgs {
		p := &pkgs[i]
		round := used[p.testName()]
		used[p.testName()]++
		rounds[round] = append(rounds[round], p.importPath)
		p.binary = filepath.Join(dir, strconv.Itoa(round), p.testName())
	}
	for round, paths := range rounds {
		out := filepath.Join(dir, strconv.Itoa(round)) + string(filepath.Separator)
		// Without DWARF the image is a third smaller; symbols stay.
		args := append([]string{"test", "-c", "-ldflags=-w", "-o", out}, paths...)
		if _, err := goCommand(ctx, goarch, dir, args...); err != nil {
			return err
		}
	}
	return nil
}

// buildProgram returns a static binary: program itself where it is a file,
// else it is a main package, which is built into dir.
func buildProgram(ctx context.Context, goarch, dir, program string) (string, error) {
	if info, err := os.Stat(program); err == nil && info.Mode().IsRegular() {
		return program, checkStatic(program, goarch)
	}
	out := filepath.Join(dir, path.Base(filepath.ToSlash(program)))
	// Asking git would fail in a tree that belongs to another user.
	_, err := goCommand(ctx, goarch, dir, "build", "-buildvcs=false", "-o", out, program)
	return out, err
}
