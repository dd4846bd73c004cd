package features

import (
	"fmt"
	"slices"
	"strings"
)

// A Version is a release of the kernel as far as features go: "6.12".
type Version struct{ Major, Minor int }

func (v Version) String() string { return fmt.Sprintf("%d.%d", v.Major, v.Minor) }

// Before reports whether v is older than w.
func (v Version) Before(w Version) bool {
	return v.Major < w.Major || v.Major == w.Major && v.Minor < w.Minor
}

// ParseVersion reads what uname(2) calls a release, "6.12.107+deb13-cloud-amd64".
func ParseVersion(release string) (Version, error) {
	var v Version
	if n, err := fmt.Sscanf(release, "%d.%d", &v.Major, &v.Minor); n < 2 || v.Major < 0 || v.Minor < 0 {
		return Version{}, fmt.Errorf("parse kernel release %q: %v", release, err)
	}
	return v, nil
}

// A Kernel is one that runs.
type Kernel struct {
	Arch    string // as GOARCH has it
	Release Version
	// Reference: one of those that the matrix boots, of which is known that nothing was left out and nothing
	// taken from a later one.
	Reference bool
	// Symbols are those of the table that this kernel has; nil where it does not
	// show them, and where it is one of those of the matrix.
	Symbols map[string]bool
	// Processor has the words of the table that /proc/cpuinfo says of the processor.
	Processor map[string]bool
}

// Has reports whether the kernel should have the feature: it is no older than the first that had it, was not
// built without, and runs on a processor that can.
func (k Kernel) Has(f Feature) bool {
	first, ok := f.Since(k.Arch)
	if !ok || k.Release.Before(first) {
		return false
	}
	if words := f.Processor(); len(words) > 0 && !slices.ContainsFunc(words, func(w string) bool { return k.Processor[w] }) {
		return false
	}
	symbol := f.Symbol()
	return k.Reference || symbol == "" || k.Symbols[symbol]
}

// readSymbols finds the symbols of the table in the text of /proc/kallsyms. System calls have a prefix there
// that differs between architectures.
func readSymbols(kallsyms string) map[string]bool {
	wanted := make(map[string]bool)
	for _, row := range table {
		if row.symbol != "" {
			wanted[row.symbol] = true
		}
	}
	found := make(map[string]bool)
	for line := range strings.Lines(kallsyms) {
		fields := strings.Fields(line) // address, type, name, and the module where it is one's
		if len(fields) != 3 {
			continue
		}
		if name := fields[2]; wanted[name] {
			found[name] = true
		}
	}
	return found
}

// readProcessor finds the words of the table in the text of /proc/cpuinfo, where the flags of amd64 and the
// features of arm64 stand in a line of their own.
func readProcessor(cpuinfo string) map[string]bool {
	found := make(map[string]bool)
	for line := range strings.Lines(cpuinfo) {
		name, words, _ := strings.Cut(line, ":")
		if name = strings.TrimSpace(name); name != "flags" && name != "Features" {
			continue
		}
		said := strings.Fields(words)
		for f := range table {
			for _, w := range f.Processor() {
				if slices.Contains(said, w) {
					found[w] = true
				}
			}
		}
		break // all processors have the same
	}
	return found
}
