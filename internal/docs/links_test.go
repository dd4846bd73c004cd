package docs

import (
	"net/url"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"unicode"
)

func TestLinksBetweenFilesResolve(t *testing.T) {
	root := moduleRoot(t, ".")
	if _, err := os.Stat(filepath.Join(root, ".ci")); err != nil {
		t.Skipf("only a part of the tree is here: %v", err) // as inside the kernels of the matrix
	}
	for _, name := range files(t, root, "*.md") {
		for _, l := range lines(read(t, root, name)) {
			if l.lang != "" {
				continue
			}
			for _, target := range linksIn(l.text) {
				if why := broken(t, root, name, target); why != "" {
					t.Errorf("%s:%d: link to %s: %s", name, l.number, target, why)
				}
			}
		}
	}
}

var (
	codeSpan = regexp.MustCompile("`[^`]*`")
	linkForm = regexp.MustCompile(`\]\(\s*<?([^)\s>]+)|^\s*\[[^\]]+\]:\s*(\S+)|(?:src|href)="([^"]+)"`)
)

// linksIn returns the targets of the links in a line of a document.
func linksIn(text string) []string {
	var targets []string
	for _, groups := range linkForm.FindAllStringSubmatch(codeSpan.ReplaceAllString(text, "x"), -1) {
		targets = append(targets, groups[1]+groups[2]+groups[3])
	}
	return targets
}

// broken says what is wrong with a link in the document from, or nothing. A link with a scheme leaves the
// project and is not followed.
func broken(t *testing.T, root, from, target string) string {
	t.Helper()
	u, err := url.Parse(target)
	switch {
	case err != nil:
		return err.Error()
	case u.Scheme != "":
		return ""
	case path.IsAbs(u.Path):
		return "not relative"
	}
	to := from
	if u.Path != "" {
		to = path.Join(path.Dir(from), u.Path)
	}
	if strings.HasPrefix(to, "../") {
		return "outside the project"
	}
	info, err := os.Stat(filepath.Join(root, filepath.FromSlash(to)))
	if err != nil {
		return "no such file"
	}
	if u.Fragment != "" && !info.IsDir() && path.Ext(to) == ".md" && !slices.Contains(anchors(read(t, root, to)), u.Fragment) {
		return "no such heading"
	}
	return ""
}

// anchors returns the names that a web view of a document gives to its headings.
func anchors(markdown string) []string {
	var names []string
	seen := make(map[string]int)
	for _, l := range lines(markdown) {
		level := len(l.text) - len(strings.TrimLeft(l.text, "#"))
		if l.lang != "" || level == 0 || level > 6 || !strings.HasPrefix(l.text[level:], " ") {
			continue
		}
		name := strings.Map(func(r rune) rune {
			switch {
			case r == ' ':
				return '-'
			case r == '-' || r == '_' || unicode.IsLetter(r) || unicode.IsDigit(r):
				return unicode.ToLower(r)
			}
			return -1
		}, strings.TrimSpace(l.text[level:]))
		n := seen[name]
		seen[name]++
		if n > 0 {
			name += "-" + strconv.Itoa(n)
		}
		names = append(names, name)
	}
	return names
}

func TestLinksAreFoundAndFollowed(t *testing.T) {
	root := t.TempDir()
	document := "# One `thing`, and more\n```text\n[in a block](nowhere)\n```\n## Twice\n## Twice\n"
	if err := os.MkdirAll(filepath.Join(root, "docs"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(root, "docs", "a.md"), []byte(document), 0o644); err != nil {
		t.Fatal(err)
	}
	for text, want := range map[string]string{
		"[x](docs/a.md)":                            "",
		"[x](docs/a.md#one-thing-and-more)":         "",
		"[x](docs/a.md#twice-1) and [y](docs/)":     "",
		"[x](https://example.org/no/such)":          "",
		"`[x](nowhere)` is code":                    "",
		"[x]: docs/a.md":                            "",
		"[x](docs/b.md)":                            "no such file",
		"[x]: docs/b.md":                            "no such file",
		`<img src="docs/b.svg">`:                    "no such file",
		"[x](docs/a.md#three)":                      "no such heading",
		"[x](../elsewhere)":                         "outside the project",
		"[x](/docs/a.md)":                           "not relative",
		"![picture](docs/a.md) [two](docs/c \"t\")": "no such file",
	} {
		why := ""
		for _, target := range linksIn(text) {
			why += broken(t, root, "README.md", target)
		}
		if why != want {
			t.Errorf("%s: %q; want %q", text, why, want)
		}
	}
}
