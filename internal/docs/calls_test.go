package docs

import (
	"go/ast"
	"go/build/constraint"
	"go/doc"
	"go/parser"
	"go/token"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// packages of which each exported name is documented, and each call is in the table.
var callPackages = []string{"syscalls", "syscalls/vdso"}

// parsePackage reads the files of a package for every processor, tests apart.
func parsePackage(t *testing.T, dir string) (files, tests []*ast.File, fset *token.FileSet) {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil || len(names) == 0 {
		t.Fatalf("no files in %s: %v", dir, err)
	}
	fset = token.NewFileSet()
	for _, name := range names {
		f, err := parser.ParseFile(fset, name, nil, parser.ParseComments)
		if err != nil {
			t.Fatal(err)
		}
		if strings.HasSuffix(name, "_test.go") {
			tests = append(tests, f)
		} else {
			files = append(files, f)
		}
	}
	return files, tests, fset
}

func TestEveryExportedNameIsDocumented(t *testing.T) {
	root := moduleRoot(t, ".")
	for _, dir := range callPackages {
		files, _, fset := parsePackage(t, filepath.Join(root, dir))
		for _, what := range undocumented(t, fset, files) {
			t.Errorf("%s: %s has no documentation", dir, what)
		}
	}
}

var (
	sinceWhen = regexp.MustCompile(`[Ss]ince (Linux |the )?\d|as old|[Ee]very kernel|[Mm]inimum kernel`)
	whichErr  = regexp.MustCompile(`\bE[A-Z0-9]{2,}\b|\bErr[A-Z]|[Ee]rrors( of all)? (as|are)|same errors|its errors|cannot fail|fails only|fail but`)
	// What has both, of the function that the documentation refers to.
	refersTo = regexp.MustCompile(`(?i)is \[[A-Za-z0-9]+\]|errors\.ErrUnsupported`)
)

// Every call says which kernel brought it and which errors it has.
func TestCallsSaySinceAndErrors(t *testing.T) {
	root := moduleRoot(t, ".")
	for _, dir := range callPackages {
		files, _, _ := parsePackage(t, filepath.Join(root, dir))
		for _, f := range files {
			for _, d := range f.Decls {
				fn, ok := d.(*ast.FuncDecl)
				if !ok || !fails(fn) || slices.Contains(notCalls, fn.Name.Name) {
					continue
				}
				text := strings.Join(strings.Fields(fn.Doc.Text()), " ")
				if !sinceWhen.MatchString(text) && !refersTo.MatchString(text) {
					t.Errorf("%s: %s does not say since when", dir, fn.Name.Name)
				}
				if !whichErr.MatchString(text) && !refersTo.MatchString(text) {
					t.Errorf("%s: %s does not say which errors", dir, fn.Name.Name)
				}
			}
		}
	}
}

// undocumented returns the exported names without a comment. In a group of constants or variables, and in a
// struct, the comment of the group or the struct serves all, or one on the line.
func undocumented(t *testing.T, fset *token.FileSet, files []*ast.File) (names []string) {
	t.Helper()
	p, err := doc.NewFromFiles(fset, files, "x")
	if err != nil {
		t.Fatal(err)
	}
	missing := func(comment, name string) {
		if strings.TrimSpace(comment) == "" {
			names = append(names, name)
		}
	}
	missing(p.Doc, "package "+p.Name)
	functions := func(prefix string, list []*doc.Func) {
		for _, f := range list {
			missing(f.Doc, prefix+f.Name)
		}
	}
	values := func(list []*doc.Value) {
		for _, v := range list {
			for _, spec := range v.Decl.Specs {
				s := spec.(*ast.ValueSpec)
				missing(v.Doc+s.Doc.Text()+s.Comment.Text(), s.Names[0].Name)
			}
		}
	}
	functions("", p.Funcs)
	values(p.Consts)
	values(p.Vars)
	for _, typ := range p.Types {
		missing(typ.Doc, typ.Name)
		functions("", typ.Funcs)
		functions(typ.Name+".", typ.Methods)
		values(typ.Consts)
		values(typ.Vars)
	}
	return names
}

// A callRow is one of the table in CALLS.md.
type callRow struct {
	call, since, xsys string
	functions, tests  []string
}

var (
	backquoted = regexp.MustCompile("`([^`]+)`")
	// The first kernels: of all processors, or of one by one where they differ.
	kernels = regexp.MustCompile(`^(all|(arm64 )?\d+\.\d+(\.\d+)?(, (arm64 )?\d+\.\d+(\.\d+)?)*)$`)
	// What x/sys has where it has no function.
	noFunction = regexp.MustCompile(`^(no|numbers? only|constants only)$`)
)

// notCalls can fail and make no call.
var notCalls = []string{"NodesOf"}

// callRows reads the table.
func callRows(t *testing.T, text string) (rows []callRow) {
	t.Helper()
	quoted := func(cell string) (list []string) {
		for _, m := range backquoted.FindAllStringSubmatch(cell, -1) {
			list = append(list, m[1])
		}
		return list
	}
	for _, line := range strings.Split(text, "\n") {
		if !strings.HasPrefix(line, "| ") || strings.HasPrefix(line, "| ---") || strings.HasPrefix(line, "| call |") {
			continue
		}
		cells := strings.Split(strings.TrimSuffix(strings.TrimPrefix(line, "|"), "|"), "|")
		if len(cells) != 5 {
			t.Errorf("row %q has %d cells", line, len(cells))
			continue
		}
		for i := range cells {
			cells[i] = strings.TrimSpace(cells[i])
		}
		rows = append(rows, callRow{cells[0], cells[2], cells[3], quoted(cells[1]), quoted(cells[4])})
	}
	return rows
}

// fails reports whether an exported function or method returns an error or an errno.
func fails(fn *ast.FuncDecl) bool {
	if !fn.Name.IsExported() || fn.Type.Results == nil {
		return false
	}
	switch last := fn.Type.Results.List[len(fn.Type.Results.List)-1].Type.(type) {
	case *ast.Ident:
		return last.Name == "error"
	case *ast.SelectorExpr:
		return last.Sel.Name == "Errno"
	}
	return false
}

// fallible returns the exported functions and methods that return an error or an errno, "vdso.State.Close".
func fallible(dir string, files []*ast.File) (names []string) {
	for _, f := range files {
		for _, d := range f.Decls {
			fn, ok := d.(*ast.FuncDecl)
			if !ok || !fails(fn) {
				continue
			}
			name := fn.Name.Name
			if fn.Recv != nil {
				receiver := fn.Recv.List[0].Type
				if star, ok := receiver.(*ast.StarExpr); ok {
					receiver = star.X
				}
				id, ok := receiver.(*ast.Ident)
				if !ok || !id.IsExported() {
					continue
				}
				name = id.Name + "." + name
			}
			names = append(names, prefixOf(dir)+name)
		}
	}
	slices.Sort(names)
	return slices.Compact(names) // a function for each processor is one
}

func TestTableOfCallsIsTrue(t *testing.T) {
	root := moduleRoot(t, ".")
	var functions []string
	exported, tests := make(map[string]bool), make(map[string]bool)
	for _, dir := range callPackages {
		files, testFiles, fset := parsePackage(t, filepath.Join(root, dir))
		functions = append(functions, fallible(dir, files)...)
		for _, name := range exportedNames(t, dir, fset, files) {
			exported[name] = true
		}
		for _, f := range testFiles {
			for _, d := range f.Decls {
				if fn, ok := d.(*ast.FuncDecl); ok && strings.HasPrefix(fn.Name.Name, "Test") {
					tests[fn.Name.Name] = true
				}
			}
		}
	}
	xsys := xsysFunctions(t)
	seen := make(map[string]bool)
	for _, row := range callRows(t, read(t, root, "syscalls/CALLS.md")) {
		if !kernels.MatchString(row.since) {
			t.Errorf("%s: since %q", row.call, row.since)
		}
		if m := backquoted.FindStringSubmatch(row.xsys); m == nil && !noFunction.MatchString(row.xsys) || m != nil && !xsys[m[1]] {
			t.Errorf("%s: x/sys has not %s", row.call, row.xsys)
		}
		if len(row.functions) == 0 || len(row.tests) == 0 {
			t.Errorf("%s: no function, or no test", row.call)
		}
		for _, name := range row.functions {
			seen[name] = true
			if !exported[name] {
				t.Errorf("%s: there is no %s", row.call, name)
			}
			if noFunction.MatchString(row.xsys) && xsys[name] {
				t.Errorf("%s: x/sys has a function %s", row.call, name)
			}
		}
		for _, name := range row.tests {
			if !tests[name] {
				t.Errorf("%s: there is no test %s", row.call, name)
			}
		}
	}
	for _, name := range functions {
		if !seen[name] && !slices.Contains(notCalls, name) {
			t.Errorf("%s is not in syscalls/CALLS.md", name)
		}
	}
}

// exportedNames returns the functions, methods and types of a package, "vdso.State.Close".
func exportedNames(t *testing.T, dir string, fset *token.FileSet, files []*ast.File) (names []string) {
	t.Helper()
	p, err := doc.NewFromFiles(fset, files, "x")
	if err != nil {
		t.Fatal(err)
	}
	add := func(prefix string, list []*doc.Func) {
		for _, f := range list {
			names = append(names, prefixOf(dir)+prefix+f.Name)
		}
	}
	add("", p.Funcs)
	for _, typ := range p.Types {
		names = append(names, prefixOf(dir)+typ.Name)
		add("", typ.Funcs)
		add(typ.Name+".", typ.Methods)
	}
	return names
}

// prefixOf is how the table names what is in another package than syscalls.
func prefixOf(dir string) string {
	if base := path.Base(dir); base != "syscalls" {
		return base + "."
	}
	return ""
}

// xsysFunctions are the exported functions of x/sys/unix on Linux.
func xsysFunctions(t *testing.T) map[string]bool {
	t.Helper()
	cmd := exec.Command("go", "list", "-f", "{{.Dir}}", "golang.org/x/sys/unix")
	out, err := cmd.Output()
	if err != nil {
		t.Skipf("go list: %v", err) // as inside the kernels of the matrix
	}
	files, _, _ := parsePackage(t, strings.TrimSpace(string(out)))
	names := make(map[string]bool)
	for _, f := range files {
		if !onLinux(f) {
			continue
		}
		for _, d := range f.Decls {
			if fn, ok := d.(*ast.FuncDecl); ok && fn.Recv == nil && fn.Name.IsExported() {
				names[fn.Name.Name] = true
			}
		}
	}
	return names
}

// onLinux reports whether a file's build constraint lets it be compiled on Linux, amd64 or arm64. Names of files
// do not matter there: those of x/sys for other systems have constraints too.
func onLinux(f *ast.File) bool {
	for _, group := range f.Comments {
		for _, c := range group.List {
			if !constraint.IsGoBuild(c.Text) || c.Pos() > f.Package {
				continue
			}
			expr, err := constraint.Parse(c.Text)
			if err != nil {
				return false
			}
			for _, arch := range []string{"amd64", "arm64"} {
				if expr.Eval(func(tag string) bool {
					return tag == "linux" || tag == arch || tag == "gc" || tag == "unix" || strings.HasPrefix(tag, "go1.")
				}) {
					return true
				}
			}
			return false
		}
	}
	return true
}

func TestUndocumentedNamesAreFound(t *testing.T) {
	const source = `// Package p is documented.
package p

// A T is a type.
type T int

// Group of constants.
const (
	A T = iota
	B
)

const C = 1
const D = 2 // on the line

func F() {}

func (T) M() error { return nil }
`
	fset := token.NewFileSet()
	f, err := parser.ParseFile(fset, "p.go", source, parser.ParseComments)
	if err != nil {
		t.Fatal(err)
	}
	files := []*ast.File{f}
	got := undocumented(t, fset, files)
	slices.Sort(got)
	if want := []string{"C", "F", "T.M"}; !slices.Equal(got, want) {
		t.Errorf("%q; want %q", got, want)
	}
	if got := fallible("syscalls/p", files); !slices.Equal(got, []string{"p.T.M"}) {
		t.Errorf("fallible: %q", got)
	}
}
