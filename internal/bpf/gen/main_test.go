package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/btf"
)

// TestObjectsKeepTheirRelocations: the objects in the tree have been through here, and once more changes no byte.
// The library finds no lines in them, and every program's relocations.
func TestObjectsKeepTheirRelocations(t *testing.T) {
	objects, err := filepath.Glob("../../../*/*_bpfel.o")
	if err != nil || len(objects) < 4 {
		t.Fatalf("found %q, %v", objects, err)
	}
	for _, object := range objects {
		before, err := os.ReadFile(object)
		if err != nil {
			t.Fatal(err)
		}
		again := filepath.Join(t.TempDir(), "object")
		if err := os.WriteFile(again, before, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := run(again); err != nil {
			t.Fatalf("%s: %v", object, err)
		}
		if after, err := os.ReadFile(again); err != nil || string(after) != string(before) {
			t.Errorf("%s changed (%v)", object, err)
		}
		spec, err := ebpf.LoadCollectionSpec(object)
		if err != nil {
			t.Fatal(err)
		}
		for name, p := range spec.Programs {
			var relocations int
			for i := range p.Instructions {
				if p.Instructions[i].Source() != nil {
					t.Fatalf("%s: program %s has lines", object, name)
				}
				if btf.CORERelocationMetadata(&p.Instructions[i]) != nil {
					relocations++
				}
			}
			if relocations == 0 {
				t.Errorf("%s: program %s has no relocations", object, name)
			}
		}
	}
}

func TestWhatIsNoObjectIsLeftAlone(t *testing.T) {
	file := filepath.Join(t.TempDir(), "object")
	if err := os.WriteFile(file, []byte("no object"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := run(file); err == nil {
		t.Error("no error")
	}
	if b, err := os.ReadFile(file); err != nil || string(b) != "no object" {
		t.Errorf("now it is %q (%v)", b, err)
	}
}
