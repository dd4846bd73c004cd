package main

import (
	"bytes"
	"errors"
	"io"
	"os"
	"syscall"
	"testing"
)

func TestFilesComeInTheirOrder(t *testing.T) {
	dir := t.TempDir()
	var paths []string
	var want bytes.Buffer
	for i, size := range []int{0, 1, part - 1, part, part + 1, 3*part + 7} {
		b := bytes.Repeat([]byte{byte('a' + i)}, size)
		path := dir + "/" + string(rune('a'+i))
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		for range 20 { // more than are open at a time
			paths = append(paths, path)
			want.Write(b)
		}
	}
	r, w, err := os.Pipe() // which takes less than a part at a time
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	done := make(chan error, 1)
	go func() {
		done <- run(paths, int(w.Fd()))
		w.Close()
	}()
	got, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	if err := <-done; err != nil {
		if errors.Is(err, errors.ErrUnsupported) || errors.Is(err, os.ErrPermission) {
			t.Skip(err)
		}
		t.Fatal(err)
	}
	if !bytes.Equal(got, want.Bytes()) {
		t.Errorf("%d bytes; want %d", len(got), want.Len())
	}
	if err := run([]string{paths[0], dir + "/none"}, int(os.Stdout.Fd())); !errors.Is(err, syscall.ENOENT) {
		t.Errorf("a file that is not there: %v", err)
	}
}
