package kernelmatrix

import (
	"bytes"
	"encoding/json"
	"os"
	"path"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// writeTree makes files in a new directory; a name that ends in a slash is one too.
func writeTree(t *testing.T, files map[string]string) (root string) {
	t.Helper()
	root = t.TempDir()
	for name, text := range files {
		name = filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return root
}

// entriesOf writes the image and reads it back.
func entriesOf(t *testing.T, im *image) map[string]parsedEntry {
	t.Helper()
	var b bytes.Buffer
	if err := im.write(&b); err != nil {
		t.Fatal(err)
	}
	entries := make(map[string]parsedEntry)
	for _, e := range parseCPIO(t, b.Bytes()) {
		if dir := path.Dir(e.Name); dir != "." && entries[dir].Mode != cpioDir|0o755 {
			t.Errorf("%s stands before its directory", e.Name)
		}
		if _, ok := entries[e.Name]; ok {
			t.Errorf("%s is there twice", e.Name)
		}
		entries[e.Name] = e
	}
	return entries
}

func TestImageHoldsTheModulesTree(t *testing.T) {
	big := string(make([]byte, sourceFileMax+1))
	root := writeTree(t, map[string]string{
		"go.mod": "module m\n", "a/a.go": "package a\n", "a/testdata/deep/x.txt": "x\n", "testdata/big": big,
		"a/big": big, ".git/config": "", "bench/go.mod": "module b\n", "bench/b.go": "package b\n",
	})
	if err := os.Symlink("a.go", filepath.Join(root, "a", "link.go")); err != nil {
		t.Fatal(err)
	}
	im := &image{dirs: make(map[string]bool)}
	if err := im.source(root); err != nil {
		t.Fatal(err)
	}
	got := make(map[string]uint32)
	entries := entriesOf(t, im)
	for name, e := range entries {
		got[name] = e.Mode
	}
	want := map[string]uint32{
		"src": cpioDir | 0o755, "src/go.mod": cpioRegular | 0o644, "src/a": cpioDir | 0o755,
		"src/a/a.go": cpioRegular | 0o644, "src/a/link.go": cpioSymlink | 0o777,
		"src/a/testdata": cpioDir | 0o755, "src/a/testdata/deep": cpioDir | 0o755,
		"src/a/testdata/deep/x.txt": cpioRegular | 0o644,
		"src/testdata":              cpioDir | 0o755, "src/testdata/big": cpioRegular | 0o644,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if body := entries["src/a/link.go"].Body; body != "a.go" {
		t.Errorf("link to %q", body)
	}
}

func TestEveryGuestHasInitJobAndUsers(t *testing.T) {
	root := writeTree(t, map[string]string{"init": "\x7fELF"})
	job := Job{BPFFS: true, Steps: []Step{{Argv: []string{"/tests/a.test"}, Dir: "/src/a"}}}
	im, err := newImage(filepath.Join(root, "init"), job)
	if err != nil {
		t.Fatal(err)
	}
	entries := entriesOf(t, im)
	if init := entries["init"]; init.Mode != cpioRegular|0o755 || init.Body != "\x7fELF" {
		t.Errorf("init: %+v", init)
	}
	if console := entries["dev/console"]; console.Mode != cpioChar|0o600 || console.Major != 5 || console.Minor != 1 {
		t.Errorf("console: %+v", console)
	}
	var got Job
	if err := json.Unmarshal([]byte(entries[path.Base(JobPath)].Body), &got); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(job, got); diff != "" {
		t.Error(diff)
	}
}

func TestImageRefusesWhatIsNoFile(t *testing.T) {
	im := &image{dirs: make(map[string]bool)}
	for _, host := range []string{t.TempDir(), "/dev/null", filepath.Join(t.TempDir(), "missing")} {
		if err := im.file("/x", host, 0o755); err == nil {
			t.Errorf("%s: no error", host)
		}
	}
}
