package floors

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// checkSources returns what breaks the rules for the text of packages, a sentence each, in order. It
// reads every file but tests, whatever system the file is for.
func checkSources(pkgs map[string]*pkg) ([]string, error) {
	var problems []string
	for _, p := range pkgs {
		if !p.ours() {
			continue
		}
		names, err := filepath.Glob(filepath.Join(p.Dir, "*.go"))
		if err != nil {
			return nil, err
		}
		free := p.Name == "main" || withinAny(p.rel(), mayEnd)
		documented := false
		for _, name := range names {
			if strings.HasSuffix(name, "_test.go") {
				continue
			}
			fset := token.NewFileSet()
			file, err := parser.ParseFile(fset, name, nil, parser.ParseComments|parser.SkipObjectResolution)
			if err != nil {
				return nil, err
			}
			if file.Name.Name != p.Name {
				continue // a generator beside the package, which "go run" names by file
			}
			documented = documented || file.Doc != nil
			if free {
				continue
			}
			for _, f := range findings(file) {
				at := fset.Position(f.pos)
				problems = append(problems, fmt.Sprintf("%s:%d: %s", path.Join(p.rel(), filepath.Base(name)), at.Line, f.text))
			}
		}
		if !documented {
			problems = append(problems, fmt.Sprintf("%s has no package comment", p.rel()))
		}
	}
	slices.Sort(problems)
	return problems, nil
}

type finding struct {
	pos  token.Pos
	text string
}

// findings lists what only a command may do.
func findings(file *ast.File) []finding {
	var found []finding
	osName := ""
	for _, spec := range file.Imports {
		imported, err := strconv.Unquote(spec.Path.Value)
		switch {
		case err != nil:
			continue // the parser has seen to it
		case imported == "log" || imported == "log/slog":
			found = append(found, finding{spec.Pos(), "imports " + imported + ": return an error, and let the caller log"})
		case imported == "os":
			osName = "os"
			if spec.Name != nil {
				osName = spec.Name.Name
			}
		}
	}
	ast.Inspect(file, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.FuncDecl:
			if n.Recv == nil && n.Name.Name == "init" {
				found = append(found, finding{n.Pos(), "has an init function: do it on first use, or where the caller asks"})
			}
		case *ast.SelectorExpr:
			if x, ok := n.X.(*ast.Ident); ok && osName != "" && x.Name == osName && n.Sel.Name == "Exit" {
				found = append(found, finding{n.Pos(), "uses os.Exit: return an error, and let the caller exit"})
			}
		}
		return true
	})
	return found
}
