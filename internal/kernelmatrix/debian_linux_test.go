package kernelmatrix

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

func TestImagePackageIsTheOneThatTheMetaPackageNeeds(t *testing.T) {
	const trixie = `Package: linux-image-cloud-arm64
Source: linux-signed-arm64 (6.12.107+1)
Version: 6.12.107-1
Architecture: arm64
Depends: linux-image-6.12.107+deb13-cloud-arm64 (= 6.12.107-1)
Provides: linux-latest-modules-6.12.107+deb13-cloud-arm64
`
	for control, want := range map[string]string{
		trixie: "linux-image-6.12.107+deb13-cloud-arm64",
		"Package: x\nDepends: dkms, linux-image-6.1.0-50-cloud-amd64 (= 6.1.176-1) | y\n": "linux-image-6.1.0-50-cloud-amd64",
		"Package: x\nPre-Depends: linux-image-1\nDepends: libc6\n":                        "",
		"": "",
	} {
		got, err := imagePackage(control)
		if got != want || (err != nil) != (want == "") {
			t.Errorf("%q: %q, %v; want %q", control, got, err, want)
		}
	}
}

func TestOnlyBootFilesLeaveThePackage(t *testing.T) {
	var archive bytes.Buffer
	w := tar.NewWriter(&archive)
	for _, name := range []string{
		"./boot/System.map-6.12", "./usr/lib/modules/6.12/vmlinuz-6.12", "./boot/vmlinuz-../../escape", // a name chooses no place
		"./boot/vmlinuz-6.12", "./boot/config-6.12",
	} {
		if err := w.WriteHeader(&tar.Header{Name: name, Typeflag: tar.TypeReg, Size: int64(len(name))}); err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(w, name); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	found, err := copyBoot(&archive, dir)
	if err != nil || !found {
		t.Fatalf("found %v, %v", found, err)
	}
	for name, want := range map[string]string{"vmlinuz": "./boot/vmlinuz-6.12", "config": "./boot/config-6.12"} {
		if text, err := os.ReadFile(filepath.Join(dir, name)); err != nil || string(text) != want {
			t.Errorf("%s: %q, %v", name, text, err)
		}
	}
	if entries, err := os.ReadDir(dir); err != nil || len(entries) != 2 {
		t.Errorf("%v, %v; want two files", entries, err)
	}
}

func TestCacheHitNeedsNothingElse(t *testing.T) {
	t.Setenv("PATH", "") // no apt, no network through it
	c := Cache{Dir: writeTree(t, map[string]string{
		"amd64-6.12/vmlinuz": "MZ", "amd64-6.12/package": "linux-image-6.12-cloud-amd64\n", "arm64-6.12/package": "half\n",
	})}
	var progress strings.Builder
	kernels, err := SelectKernels("amd64-6.12,arm64-6.1,arm64-6.12")
	if err != nil {
		t.Fatal(err)
	}
	got, err := c.Get(t.Context(), kernels[0], &progress)
	if err != nil || got.Package != "linux-image-6.12-cloud-amd64" || progress.Len() != 0 {
		t.Errorf("%+v, %v, %q", got, err, progress.String())
	}
	if text, err := os.ReadFile(got.Image); err != nil || string(text) != "MZ" {
		t.Errorf("image %q, %v", text, err)
	}
	for _, k := range kernels[1:] {
		if _, err := c.Lookup(k); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("Lookup(%s): %v, want %v", k.Name(), err, fs.ErrNotExist)
		}
		if _, err := c.Get(t.Context(), k, &progress); !errors.Is(err, exec.ErrNotFound) || !strings.Contains(err.Error(), "apt") {
			t.Errorf("Get(%s): %v, want one that says that apt is missing", k.Name(), err)
		}
	}
	left, err := filepath.Glob(filepath.Join(c.Dir, ".fetch-*"))
	if err != nil || len(left) != 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

func TestDamagedImageIsFetchedAgain(t *testing.T) {
	t.Setenv("PATH", "")
	const sum = "bc3428aacea4165a6d0e69f8ee8ae9bb9a3a2e0c4c5f2b8e9cbe4bfa2ab9b2f7" // of something else
	c := Cache{Dir: writeTree(t, map[string]string{
		"amd64-6.12/vmlinuz": "M", "amd64-6.12/package": "linux-image-6.12-cloud-amd64\n", "amd64-6.12/sum": sum + "\n",
		fetchPrefix + "1/half": "of a process that was killed",
	})}
	k := Kernels()[1]
	if _, err := c.Lookup(k); !errors.Is(err, ErrDamaged) {
		t.Errorf("Lookup: %v, want %v", err, ErrDamaged)
	}
	// It is tried: apt is what is missing here.
	if _, err := c.Get(t.Context(), k, io.Discard); !errors.Is(err, exec.ErrNotFound) {
		t.Errorf("Get: %v, want %v", err, exec.ErrNotFound)
	}
	if _, err := os.Stat(filepath.Join(c.Dir, fetchPrefix+"1")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("what a killed process left is still there: %v", err)
	}
	good, err := fileSum(filepath.Join(c.Dir, "amd64-6.12/vmlinuz"))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(c.Dir, "amd64-6.12/sum"), []byte(good+"\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Lookup(k); err != nil {
		t.Error(err)
	}
}

func TestWaitingForTheCacheCanBeEnded(t *testing.T) {
	c := Cache{Dir: t.TempDir()}
	unlock, err := c.lock(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() {
		_, err := c.lock(ctx)
		ended <- err
	}()
	cancel()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Errorf("error %v, want %v", err, context.Canceled)
	}
	if err := unlock(); err != nil {
		t.Fatal(err)
	}
	if unlock, err = c.lock(t.Context()); err != nil {
		t.Fatal(err)
	}
	unlock()
}
