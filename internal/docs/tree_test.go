package docs

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// moduleRoot is the directory of the nearest go.mod, in dir or above.
func moduleRoot(t *testing.T, dir string) string {
	t.Helper()
	dir, err := filepath.Abs(dir)
	if err != nil {
		t.Fatal(err)
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir
		}
		if filepath.Dir(dir) == dir {
			t.Fatal("no go.mod here or above")
		}
		dir = filepath.Dir(dir)
	}
}

// files returns the paths below root, slash-separated, of the files that match one of the patterns by
// name. Fixtures and what git keeps are left out.
func files(t *testing.T, root string, patterns ...string) []string {
	t.Helper()
	var found []string
	err := filepath.WalkDir(root, func(name string, d fs.DirEntry, err error) error {
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return nil // somebody works in the tree
		case err != nil:
			return err
		case d.IsDir() && (d.Name() == ".git" || d.Name() == "testdata"):
			return fs.SkipDir
		case !d.Type().IsRegular():
			return nil
		}
		matches := func(pattern string) bool {
			ok, err := filepath.Match(pattern, d.Name())
			return err == nil && ok
		}
		if slices.ContainsFunc(patterns, matches) {
			rel, err := filepath.Rel(root, name)
			if err != nil {
				return err
			}
			found = append(found, filepath.ToSlash(rel))
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

func read(t *testing.T, root, name string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(root, filepath.FromSlash(name)))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// A line of a document; lang is the language of the code block that it is in, "" outside of any and
// "text" where the block names none.
type line struct {
	number int // from 1
	lang   string
	text   string
}

// lines splits a document, without the fences of its code blocks.
func lines(markdown string) []line {
	var out []line
	fence, lang := "", ""
	for i, text := range strings.Split(markdown, "\n") {
		trimmed := strings.TrimSpace(text)
		switch {
		case fence == "" && (strings.HasPrefix(trimmed, "```") || strings.HasPrefix(trimmed, "~~~")):
			fence = trimmed[:3]
			lang, _, _ = strings.Cut(strings.Trim(trimmed, "`~ "), " ")
			if lang == "" {
				lang = "text"
			}
		case fence != "" && strings.HasPrefix(trimmed, fence):
			fence, lang = "", ""
		default:
			out = append(out, line{i + 1, lang, text})
		}
	}
	return out
}
