package main

import (
	"bytes"
	"errors"
	"io/fs"
	"math/rand/v2"
	"os"
	"testing"
)

func TestTheCopyIsTheFile(t *testing.T) {
	random := rand.NewChaCha8([32]byte{1})
	for _, size := range []int{0, 1, 4096, block - 1, block, block + 1, 3*depth*block + 12345} {
		for _, direct := range []bool{true, false} {
			dir := t.TempDir()
			want := make([]byte, size)
			random.Read(want)
			if err := os.WriteFile(dir+"/from", want, 0o600); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(dir+"/to", make([]byte, 2*size+5), 0o600); err != nil { // is overwritten
				t.Fatal(err)
			}
			err := run(dir+"/from", dir+"/to", direct)
			if errors.Is(err, errors.ErrUnsupported) || errors.Is(err, fs.ErrPermission) {
				t.Skip(err)
			}
			if err != nil {
				t.Fatalf("%d bytes, direct %v: %v", size, direct, err)
			}
			if got, err := os.ReadFile(dir + "/to"); err != nil || !bytes.Equal(got, want) {
				t.Errorf("%d bytes, direct %v: %d bytes, %v", size, direct, len(got), err)
			}
		}
	}
}

func TestWhatCannotBeCopiedIsAnError(t *testing.T) {
	dir := t.TempDir()
	for from, to := range map[string]string{dir + "/none": dir + "/to", dir: dir + "/to", os.Args[0]: dir + "/no/such", "/proc/self/exe": os.Args[0]} {
		if err := run(from, to, true); err == nil {
			t.Errorf("cp %s %s succeeded", from, to)
		}
	}
}
