// Package lessontest checks that a lesson is what package asm says a lesson is.
package lessontest

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"os"
	"runtime"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/ring3-go/ring3/asm"
)

// columns is the width that a lesson may print to.
const columns = 100

// Check runs the lesson, and fails t for all that is missing from it.
func Check(t *testing.T, lesson asm.Lesson) {
	t.Helper()
	t.Run("source", func(t *testing.T) { checkSource(t, lesson) })
	t.Run("functions", func(t *testing.T) { checkFunctions(t, lesson) })
	t.Run("run", func(t *testing.T) { checkRun(t, lesson) })
}

func checkSource(t *testing.T, lesson asm.Lesson) {
	if !strings.HasSuffix(lesson.Question, "?") || strings.Contains(lesson.Question, "\n") || len(lesson.Question) > columns {
		t.Errorf("the question is no line that ends with a question mark: %q", lesson.Question)
	}
	for _, name := range []string{"README.md", "doc.go", lesson.Name + ".go"} {
		if _, err := fs.Stat(lesson.Source, name); err != nil {
			t.Error(err)
		}
	}
	for _, arch := range []string{"amd64", "arm64"} {
		if found, err := fs.Glob(lesson.Source, "*_"+arch+".s"); err != nil || len(found) == 0 {
			t.Errorf("no assembly for %s (%v)", arch, err)
		}
	}
	if tests, err := fs.Glob(lesson.Source, "*_test.*"); err != nil || len(tests) > 0 {
		t.Errorf("tests among the source: %q, %v", tests, err)
	}
	names, err := fs.Glob(lesson.Source, "*")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		compiled, err := fs.ReadFile(lesson.Source, name)
		if err != nil {
			t.Error(err)
		}
		// Where the tests run beside their source, it is the same.
		if now, err := os.ReadFile(name); err == nil && !bytes.Equal(now, compiled) {
			t.Errorf("%s is not what was compiled", name)
		}
	}
}

func checkFunctions(t *testing.T, lesson asm.Lesson) {
	if len(lesson.Functions) == 0 {
		t.Error("no function to step")
	}
	seen := make(map[string]bool)
	for _, f := range lesson.Functions {
		if seen[f.Name] {
			t.Errorf("%s is there twice", f.Name)
		}
		seen[f.Name] = true
		if f.Call == nil {
			t.Errorf("%s cannot be called", f.Name)
		}
		fn := runtime.FuncForPC(f.Entry)
		if fn == nil || fn.Entry() != f.Entry || !strings.HasSuffix(fn.Name(), "/"+lesson.Name+"."+f.Name) {
			t.Errorf("%s does not begin at %#x", f.Name, f.Entry)
			continue
		}
		// The wrapper that Go code calls has the same name, and no file of ours.
		if file, _ := fn.FileLine(f.Entry); !strings.HasSuffix(file, ".s") {
			t.Errorf("the entry of %s is in %s, not in assembly", f.Name, file)
		}
		if len(f.Code()) == 0 {
			t.Errorf("%s has no code", f.Name)
		}
	}
}

func checkRun(t *testing.T, lesson asm.Lesson) {
	var out bytes.Buffer
	if err := lesson.Run(t.Context(), &out); err != nil {
		t.Error(err)
	}
	if out.Len() == 0 {
		t.Error("nothing printed")
	}
	for line := range strings.Lines(out.String()) {
		if utf8.RuneCountInString(strings.TrimSuffix(line, "\n")) > columns {
			t.Errorf("wider than %d columns: %s", columns, line)
		}
	}
	ended, end := context.WithCancel(t.Context())
	end()
	if err := lesson.Run(ended, &out); !errors.Is(err, context.Canceled) {
		t.Errorf("with a context that has ended: %v", err)
	}
	if t.Failed() {
		t.Logf("printed:\n%s", out.Bytes())
	}
}
