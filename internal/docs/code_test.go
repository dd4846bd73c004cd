package docs

import (
	"bytes"
	"encoding/json"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// A block is the lines of one code block.
type block struct {
	number int // of its first line
	lines  []string
}

// blocks returns the code blocks of a document in one language.
func blocks(markdown, lang string) []block {
	var found []block
	last := -1
	for _, l := range lines(markdown) {
		if l.lang != lang {
			continue
		}
		if l.number != last+1 {
			found = append(found, block{number: l.number})
		}
		last = l.number
		b := &found[len(found)-1]
		b.lines = append(b.lines, l.text)
	}
	return found
}

// What a block of Go leaves out, imports and a variable that speaks for itself, is made up for it; all else has
// to compile with the packages as they are now.
func TestGoInDocumentsCompiles(t *testing.T) {
	if _, err := exec.LookPath("go"); err != nil {
		t.Skipf("code cannot be checked here: %v", err)
	}
	root := moduleRoot(t, ".")
	var known map[string]string
	for _, name := range files(t, root, "*.md") {
		for _, b := range blocks(read(t, root, name), "go") {
			if known == nil {
				known = importable(t, root)
			}
			for _, why := range compile(t, root, known, b.lines) {
				t.Errorf("%s:%d: %s", name, b.number, why)
			}
		}
	}
}

// importable returns the paths of packages by name: ours, and those of the standard library.
func importable(t *testing.T, root string) map[string]string {
	t.Helper()
	cmd := exec.Command("go", "list", "-f", "{{.Name}} {{.ImportPath}}", "std", "./...")
	cmd.Dir, cmd.Env = root, append(os.Environ(), "GOOS=linux")
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	paths := make(map[string]string)
	for line := range strings.Lines(string(out)) {
		name, importPath, _ := strings.Cut(strings.TrimSpace(line), " ")
		if strings.Contains(importPath, "internal/") {
			continue
		}
		ours := strings.HasPrefix(importPath, module)
		if had, ok := paths[name]; !ok || ours || !strings.HasPrefix(had, module) && len(importPath) < len(had) {
			paths[name] = importPath
		}
	}
	return paths
}

// leftOut matches what the compiler may say of a block: a name without a package is one of the reader's own.
var leftOut = regexp.MustCompile(`undefined: [a-z]\w*$|declared and not used|missing return$|^#|too many errors`)

// compile returns what the compiler has to say against a block.
func compile(t *testing.T, root string, known map[string]string, text []string) (complaints []string) {
	t.Helper()
	source, err := wholeFile(known, text)
	if err != nil {
		return []string{err.Error()}
	}
	dir := t.TempDir()
	file := filepath.Join(dir, "block.go")
	inTree := filepath.Join(root, "internal", "docs", "block", "block.go") // there for the compiler alone
	overlay, err := json.Marshal(map[string]map[string]string{"Replace": {inTree: file}})
	if err != nil {
		t.Fatal(err)
	}
	for name, content := range map[string]string{file: source, filepath.Join(dir, "overlay"): string(overlay)} {
		if err := os.WriteFile(name, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.Command("go", "build", "-gcflags=-e", "-o", os.DevNull, "-overlay", filepath.Join(dir, "overlay"), "./internal/docs/block")
	cmd.Dir, cmd.Env = root, append(os.Environ(), "GOOS=linux", "CGO_ENABLED=0")
	out, err := cmd.CombinedOutput()
	if err == nil {
		return nil
	}
	if !bytes.Contains(out, []byte("block.go:")) {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	for line := range strings.Lines(string(out)) {
		if line = strings.TrimSpace(line); !leftOut.MatchString(line) {
			complaints = append(complaints, line)
		}
	}
	return complaints
}

// wholeFile makes a file of a block: declarations as they are, statements in a function, and imports.
func wholeFile(known map[string]string, text []string) (string, error) {
	var outside, inside []string
	declaration := false
	for _, line := range text {
		if regexp.MustCompile(`^(type|func) `).MatchString(line) {
			declaration = true
		}
		if declaration {
			outside = append(outside, line)
		} else {
			inside = append(inside, line)
		}
		if strings.HasSuffix(line, "}") && (strings.HasPrefix(line, "}") || regexp.MustCompile(`^(type|func) `).MatchString(line)) {
			declaration = false
		}
	}
	body := strings.Join(outside, "\n") + "\nfunc _() error {\n" + strings.Join(inside, "\n") + "\n}\n"
	file, err := parser.ParseFile(token.NewFileSet(), "block.go", "package block\n"+body, parser.SkipObjectResolution)
	if err != nil {
		return "", err
	}
	var imports []string
	ast.Inspect(file, func(n ast.Node) bool {
		if s, ok := n.(*ast.SelectorExpr); ok {
			if x, ok := s.X.(*ast.Ident); ok && known[x.Name] != "" && ast.IsExported(s.Sel.Name) {
				imports = append(imports, fmt.Sprintf("import %q\n", known[x.Name]))
			}
		}
		return true
	})
	slices.Sort(imports)
	return "package block\n" + strings.Join(slices.Compact(imports), "") + body, nil
}

func TestGoThatDoesNotCompileIsFound(t *testing.T) {
	if _, err := exec.LookPath("go"); err != nil {
		t.Skipf("code cannot be checked here: %v", err)
	}
	root := moduleRoot(t, ".")
	known := importable(t, root)
	for text, want := range map[string]string{
		"d := time.Duration(n)\nif d > 0 {\n\treturn err\n}": "",
		"type x struct{}\n\nfunc (x) F() {}\n\nx{}.F()":      "",
		"time.NoSuchThing()":                                 "undefined: time.NoSuchThing",
		"var l asm.Lesson\nl.NoSuchField = 1":                "l.NoSuchField undefined",
		"if {":                                               "missing condition",
		"var n int = time.Second":                            "cannot use time.Second",
	} {
		got := strings.Join(compile(t, root, known, strings.Split(text, "\n")), "\n")
		if (got == "") != (want == "") || !strings.Contains(got, want) {
			t.Errorf("%q: %q; want %q", text, got, want)
		}
	}
}

// An instruction that a lesson's document shows is one of its functions', but for the spacing. Columns side by
// side are taken apart, and a name before the first instruction falls away.
func TestAssemblyInDocumentsIsThatOfTheSource(t *testing.T) {
	root := moduleRoot(t, ".")
	for _, name := range files(t, root, "*.md") {
		shown := blocks(read(t, root, name), "asm")
		if len(shown) == 0 {
			continue
		}
		var source []string
		for _, file := range files(t, filepath.Join(root, filepath.FromSlash(path.Dir(name))), "*.s") {
			source = append(source, strings.Split(read(t, filepath.Join(root, filepath.FromSlash(path.Dir(name))), file), "\n")...)
		}
		for _, line := range missing(shown, source) {
			t.Errorf("%s: not in the assembly beside it: %s", name, line)
		}
	}
}

var columns = regexp.MustCompile(`\s{3,}|^\w+: `)

// missing returns what of the blocks is in no line of the source.
func missing(shown []block, source []string) (lines []string) {
	plain := func(line string) string {
		line, _, _ = strings.Cut(line, "//")
		return strings.Join(strings.Fields(line), " ")
	}
	have := map[string]bool{"": true}
	for _, line := range source {
		have[plain(line)] = true
	}
	for _, b := range shown {
		for _, line := range b.lines {
			if have[plain(line)] {
				continue
			}
			code, _, _ := strings.Cut(line, "//")
			for _, part := range columns.Split(code, -1) {
				if _, after, ok := strings.Cut(part, ": "); ok {
					part = after
				}
				if !have[plain(part)] {
					lines = append(lines, strings.TrimSpace(line))
					break
				}
			}
		}
	}
	return lines
}

func TestAssemblyThatIsNotInTheSourceIsFound(t *testing.T) {
	source := []string{"TEXT ·f(SB), NOSPLIT, $0", "\tMOVQ\ta+0(FP), AX // the first", "\tADDQ AX, BX", "\tRET"}
	for text, want := range map[string]int{
		"MOVQ a+0(FP), AX   // otherwise explained": 0,
		"a: ADDQ AX, BX      b: RET":                0,
		"ADDQ BX, AX":                               1,
		"ADDQ AX, BX         RET AX":                1,
	} {
		if got := missing([]block{{lines: []string{text}}}, source); len(got) != want {
			t.Errorf("%q: missing %q", text, got)
		}
	}
}
