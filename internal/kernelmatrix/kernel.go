package kernelmatrix

import (
	"fmt"
	"strings"
)

// A Kernel is one that the matrix boots: a Debian cloud kernel.
type Kernel struct {
	Arch    string // as GOARCH has it, and Debian too
	Release string // "6.12"
	Suite   string // the Debian release that ships it
}

// Name is how users and reports call the kernel: "amd64-6.12".
func (k Kernel) Name() string { return k.Arch + "-" + k.Release }

// metaPackage depends on the package of the suite's current point release.
func (k Kernel) metaPackage() string { return "linux-image-cloud-" + k.Arch }

// Kernels returns every kernel of the matrix.
func Kernels() []Kernel {
	return []Kernel{
		{Arch: "amd64", Release: "6.1", Suite: "bookworm"},
		{Arch: "amd64", Release: "6.12", Suite: "trixie"},
		{Arch: "arm64", Release: "6.1", Suite: "bookworm"},
		{Arch: "arm64", Release: "6.12", Suite: "trixie"},
	}
}

// SelectKernels returns the kernels that a comma-separated list of names
// chooses, in the order of [Kernels]; an empty list chooses all.
func SelectKernels(names string) ([]Kernel, error) {
	all := Kernels()
	if names == "" {
		return all, nil
	}
	wanted := make(map[string]bool)
	for name := range strings.SplitSeq(names, ",") {
		wanted[strings.TrimSpace(name)] = true
	}
	var chosen []Kernel
	var known []string
	for _, k := range all {
		known = append(known, k.Name())
		if wanted[k.Name()] {
			chosen = append(chosen, k)
			delete(wanted, k.Name())
		}
	}
	for name := range wanted {
		return nil, fmt.Errorf("no kernel %q in the matrix: it has %s", name, strings.Join(known, ", "))
	}
	return chosen, nil
}
