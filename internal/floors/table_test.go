package floors

import "strings"

// module is the path that every package of ours begins with.
const module = "github.com/ring3-go/ring3"

// Third-party modules that have a place.
const (
	xsys  = "golang.org/x/sys"
	xarch = "golang.org/x/arch"
	ebpf  = "github.com/cilium/ebpf"
	every = "*"
)

// A rule gives packages their floor and the modules that they may import by name. What a lower floor
// brings along is that floor's business.
type rule struct {
	path    string // below the module; all that lies below it in turn is meant too
	floor   int
	modules []string
}

// table is the house; the first rule that fits a package holds. It may name packages that are yet to come.
var table = []rule{
	{"syscalls", 0, []string{xsys}},
	{"asm/step", 0, []string{xsys, xarch}},
	{"asm", 0, []string{xsys}},
	{"internal/hist", 0, []string{xsys}},

	{"internal/bpf", 1, []string{xsys, ebpf}},
	{"internal/target", 1, []string{xsys, ebpf}},
	{"internal", 1, []string{xsys}},
	{"mmu", 1, []string{xsys}},
	{"epoll", 1, []string{xsys}},
	{"iouring", 1, []string{xsys}},

	{"pagefault", 2, []string{xsys, xarch, ebpf}},
	{"ctxswitch", 2, []string{xsys, ebpf}},
	{"reactor", 2, []string{xsys}},

	{"async", 3, []string{xsys}},

	{"lab", 4, nil},
	{"examples", 4, nil},

	{"cmd/probe", 5, []string{every}},
}

// light are the packages that bring x/sys into a program and no other module, however indirectly.
var light = []string{"epoll", "iouring", "reactor", "async"}

// mayEnd are the packages, besides every main package, that may log, exit and have an init function:
// the command, and workload, which stands in for a program under observation.
var mayEnd = []string{"cmd", "internal/workload"}

// within reports whether pkg, a path below the module, is path or lies below it.
func within(pkg, path string) bool { return pkg == path || strings.HasPrefix(pkg, path+"/") }

func withinAny(pkg string, paths []string) bool {
	for _, path := range paths {
		if within(pkg, path) {
			return true
		}
	}
	return false
}

// ruleOf returns the rule for pkg, or nil where it has no floor.
func ruleOf(pkg string) *rule {
	for i := range table {
		if within(pkg, table[i].path) {
			return &table[i]
		}
	}
	return nil
}

// mayImport reports whether pkg may import dep, both packages of the house. On its own floor a package
// finds what lies above or below it in its own directory, and the tools in internal.
func mayImport(pkg, dep string) bool {
	from, to := ruleOf(pkg), ruleOf(dep)
	if from == nil || to == nil {
		return true // reported where the package itself is checked
	}
	if to.floor == from.floor {
		return within(pkg, dep) || within(dep, pkg) || within(dep, "internal")
	}
	return to.floor < from.floor
}
