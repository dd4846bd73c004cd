package kernelmatrix

import (
	"debug/elf"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// findProgram finds a program of this host that is dynamically linked, or not.
func findProgram(t *testing.T, dynamic bool) (name string, machine elf.Machine) {
	t.Helper()
	var names []string
	for _, program := range []string{"sh", "go", "true"} {
		if name, err := exec.LookPath(program); err == nil {
			names = append(names, name)
		}
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range append(names, self) {
		f, err := elf.Open(name)
		if err != nil {
			continue // a script
		}
		defer f.Close()
		interpreted := false
		for _, p := range f.Progs {
			interpreted = interpreted || p.Type == elf.PT_INTERP
		}
		if interpreted == dynamic {
			return name, f.Machine
		}
	}
	t.Skipf("no program with dynamic linking %v among %v", dynamic, names)
	return "", 0
}

func TestCheckStatic(t *testing.T) {
	name, machine := findProgram(t, false)
	for goarch, m := range machines {
		if err := checkStatic(name, goarch); (err == nil) != (m == machine) {
			t.Errorf("%s for %s: error %v", name, goarch, err)
		}
	}
	text := filepath.Join(t.TempDir(), "text")
	if err := os.WriteFile(text, []byte("#!/bin/sh\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := checkStatic(text, "amd64"); err == nil {
		t.Error("a script passed")
	}
}

func TestCheckStaticRefusesDynamic(t *testing.T) {
	name, _ := findProgram(t, true)
	for goarch := range machines {
		if err := checkStatic(name, goarch); err == nil {
			t.Errorf("%s for %s: no error", name, goarch)
		}
	}
}
