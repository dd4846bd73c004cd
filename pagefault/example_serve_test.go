//go:build linux && (amd64 || arm64)

package pagefault_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/ring3-go/ring3/internal/features"
	"github.com/ring3-go/ring3/internal/features/featuretest"
	"github.com/ring3-go/ring3/pagefault"
)

// A snapshot that is loaded as it is needed: the region is there at once, and a page is read from the file when
// somebody asks for it.
func ExampleServe_snapshot() {
	if err := snapshotFile(os.Stdout, os.TempDir()); err != nil {
		fmt.Println(err)
	}
}

func snapshotFile(w io.Writer, dir string) error {
	page := int64(os.Getpagesize())
	path := filepath.Join(dir, fmt.Sprintf("snapshot-%d", os.Getpid()))
	defer os.Remove(path)
	if err := os.WriteFile(path, bytes.Repeat([]byte("snapshot"), int(256*page)/8), 0o600); err != nil {
		return err
	}
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	defer file.Close()

	pages := 0 // the handler runs once at a time
	region, err := pagefault.Serve(pagefault.ServeOptions{Size: 256 * page, Handler: func(r *pagefault.Request) error {
		pages++
		_, err := file.ReadAt(r.Page, r.Offset)
		return err
	}})
	if err != nil {
		return err
	}
	defer region.Close()
	b := make([]byte, 8)
	for _, at := range []int64{0, 100 * page, 100*page + 8} {
		if _, err := region.ReadAt(b, at); err != nil {
			return err
		}
	}
	fmt.Fprintf(w, "%s: %d of 256 pages loaded\n", b, pages)
	return nil
}

// Which pages does something write to? Each comes protected, and its first write is a fault.
func ExampleServe_writeTracking() {
	if err := trackWrites(os.Stdout); err != nil {
		fmt.Println(err)
	}
}

func trackWrites(w io.Writer) error {
	page := int64(os.Getpagesize())
	var mu sync.Mutex
	var dirty []int64
	region, err := pagefault.Serve(pagefault.ServeOptions{
		Size: 64 * page, Faults: pagefault.ServeMissing | pagefault.ServeWriteProtect,
		Handler: func(r *pagefault.Request) error {
			if r.Faults == pagefault.ServeMissing {
				r.Protect()
				return nil
			}
			mu.Lock()
			defer mu.Unlock()
			dirty = append(dirty, r.Offset/page)
			return nil
		},
	})
	if err != nil {
		return err
	}
	defer region.Close()
	round := func(pages ...int64) error {
		for _, p := range pages {
			if _, err := region.WriteAt([]byte("dirty"), p*page); err != nil {
				return err
			}
		}
		slices.Sort(dirty)
		fmt.Fprintln(w, "written to:", dirty)
		dirty = nil
		return region.Protect(0, region.Size()) // and begin again
	}
	return errors.Join(round(7, 3, 7, 40), round(3))
}

// Memory that comes out of a function: a table too large to compute, of which the part is there that was looked at.
func ExampleServe_function() {
	if err := squares(os.Stdout); err != nil {
		fmt.Println(err)
	}
}

func squares(w io.Writer) error {
	region, err := pagefault.Serve(pagefault.ServeOptions{Size: 1 << 40, Handler: func(r *pagefault.Request) error {
		for i := 0; i < len(r.Page); i += 8 {
			n := uint64(r.Offset+int64(i)) / 8
			binary.NativeEndian.PutUint64(r.Page[i:], n*n)
		}
		return nil
	}})
	if err != nil {
		return err
	}
	defer region.Close()
	return region.Use(8*1_000_000_000, 8, pagefault.AccessRead, func(m []byte) error {
		fmt.Fprintln(w, binary.NativeEndian.Uint64(m))
		return nil
	})
}

// TestExamplesOfServe runs the examples: as such they could not say that the process may not.
func TestExamplesOfServe(t *testing.T) {
	for _, tt := range []struct {
		name  string
		run   func(io.Writer) error
		needs features.Feature
		want  string
	}{
		{"snapshot", func(w io.Writer) error { return snapshotFile(w, t.TempDir()) }, features.PopulateRead, "snapshot: 2 of 256 pages loaded\n"},
		{"write tracking", trackWrites, features.UserfaultProtect, "written to: [3 7 40]\nwritten to: [3]\n"},
		{"function", squares, features.PopulateRead, "1000000000000000000\n"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var b strings.Builder
			err := tt.run(&b)
			if errors.Is(err, errors.ErrUnsupported) || errors.Is(err, os.ErrPermission) {
				featuretest.Skip(t, tt.needs, err)
			}
			if err != nil || b.String() != tt.want {
				t.Errorf("%q, %v; want %q", b.String(), err, tt.want)
			}
		})
	}
}
