package kernelmatrix

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestWorkOfAKilledRunIsRemoved(t *testing.T) {
	parent := filepath.Join(t.TempDir(), "a, b: c")
	for _, name := range []string{"killed", "new"} {
		if err := os.MkdirAll(filepath.Join(parent, workPrefix+name, "amd64"), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("TMPDIR", parent)
	held, done, err := newWork()
	if err != nil {
		t.Fatal(err)
	}
	old := time.Now().Add(-2 * lockGrace)
	for _, dir := range []string{filepath.Join(parent, workPrefix+"killed"), held} {
		if err := os.Chtimes(dir, old, old); err != nil {
			t.Fatal(err)
		}
	}
	mine, doneMine, err := newWork()
	if err != nil {
		t.Fatal(err)
	}
	left := func() map[string]bool {
		entries, err := os.ReadDir(parent)
		if err != nil {
			t.Fatal(err)
		}
		names := make(map[string]bool)
		for _, e := range entries {
			names[filepath.Join(parent, e.Name())] = true
		}
		return names
	}
	fresh := filepath.Join(parent, workPrefix+"new")
	if diff := cmp.Diff(map[string]bool{held: true, mine: true, fresh: true}, left()); diff != "" {
		t.Error(diff)
	}
	for _, done := range []func() error{done, doneMine} {
		if err := done(); err != nil {
			t.Error(err)
		}
	}
	if diff := cmp.Diff(map[string]bool{fresh: true}, left()); diff != "" {
		t.Error(diff)
	}
}
