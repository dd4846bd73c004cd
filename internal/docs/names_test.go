package docs

import (
	"go/ast"
	"go/token"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// unnamed are constants that no String writes: masks, and what is no bit.
var unnamed = map[string]bool{"PER_LINUX": true, "PER_MASK": true, "IORING_REGISTER_USE_REGISTERED_RING": true}

// inHeader is how the kernel calls what a constant stands for, where that is not its own name: an operation of a
// userfaultfd is a bit only here. The events' String puts a prefix before the rest.
func inHeader(constant string) string {
	if rest, ok := strings.CutPrefix(constant, "UFFD_IOCTL_"); ok {
		return "UFFDIO_" + rest
	}
	return strings.TrimPrefix(constant, "UFFD_EVENT_")
}

// A flag's String writes the name of the constant that has this value, and has one for every constant that is named as in
// the headers.
func TestFlagsAreWrittenByTheNamesOfTheirConstants(t *testing.T) {
	headerName := regexp.MustCompile(`^[A-Z][A-Z0-9]*_[A-Z0-9_]+$`)
	files, _, _ := parsePackage(t, filepath.Join(moduleRoot(t, "."), "syscalls"))
	texts, hasString, constants := make(map[string]bool), make(map[string]bool), make(map[string]string)
	for _, f := range files {
		ast.Inspect(f, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.BasicLit:
				if s, err := strconv.Unquote(n.Value); err == nil && n.Kind == token.STRING {
					texts[s] = true
				}
			case *ast.FuncDecl:
				if n.Name.Name == "String" && n.Recv != nil {
					if id, ok := n.Recv.List[0].Type.(*ast.Ident); ok {
						hasString[id.Name] = true
					}
				}
			case *ast.CompositeLit: // {uint64(NAME), "NAME"}
				if constant, text, ok := pair(n); ok && inHeader(constant) != text {
					t.Errorf("%s is written %q", constant, text)
				}
			case *ast.GenDecl:
				typ := ""
				for _, spec := range n.Specs {
					v, ok := spec.(*ast.ValueSpec)
					if !ok || n.Tok != token.CONST {
						break
					}
					if id, ok := v.Type.(*ast.Ident); ok {
						typ = id.Name
					} else if len(v.Values) > 0 {
						typ = ""
					}
					constants[v.Names[0].Name] = typ
				}
			}
			return true
		})
	}
	found := 0
	for name, typ := range constants {
		if !headerName.MatchString(name) || !hasString[typ] || unnamed[name] {
			continue
		}
		found++
		if !texts[inHeader(name)] {
			t.Errorf("no String writes %s", name)
		}
	}
	if found < 300 {
		t.Errorf("found %d constants", found)
	}
}

// pair is a constant and its text in a table of names.
func pair(c *ast.CompositeLit) (constant, text string, ok bool) {
	if len(c.Elts) != 2 {
		return "", "", false
	}
	value, name := c.Elts[0], c.Elts[1]
	if call, isCall := value.(*ast.CallExpr); isCall && len(call.Args) == 1 {
		value = call.Args[0]
	}
	switch v := value.(type) {
	case *ast.Ident:
		constant = v.Name
	case *ast.SelectorExpr:
		constant = v.Sel.Name
	default:
		return "", "", false
	}
	literal, isLiteral := name.(*ast.BasicLit)
	if !isLiteral || literal.Kind != token.STRING {
		return "", "", false
	}
	text, err := strconv.Unquote(literal.Value)
	return constant, text, err == nil
}
