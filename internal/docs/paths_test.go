package docs

import (
	"regexp"
	"strings"
	"testing"
)

// machinePath is an absolute path below the home or working directories of whoever wrote it.
var machinePath = regexp.MustCompile(`(?:^|[^\w./-])(/(?:work|root|home)/[\w.-]*)`)

// Objects are read too: a debugging format remembers where it was compiled.
func TestNoFileNamesAPathOfADeveloperMachine(t *testing.T) {
	root := moduleRoot(t, ".")
	for _, name := range files(t, root, "*.md", "*.go", "*.c", "*.h", "*.s", "*.S", "*.o", "*.sh", "*.yml", "*.json", "*.mod", "Makefile", "run") {
		for i, text := range strings.Split(read(t, root, name), "\n") {
			if m := machinePath.FindStringSubmatch(text); m != nil {
				t.Errorf("%s:%d: path of a developer's machine: %q", name, i+1, m[1])
			}
		}
	}
}

func TestMachinePathsAreToldFromOthers(t *testing.T) {
	dir := "/" + "home/" // in two parts, or this file would be found
	for text, want := range map[string]bool{
		"see " + dir + "someone/notes": true,
		dir + "someone":                true,
		`"` + dir + `x"`:               true,
		"cmd" + dir + "x":              false,
		"./internal" + dir:             false,
		"https://example.org" + dir:    false,
	} {
		if got := machinePath.MatchString(text); got != want {
			t.Errorf("%q is a machine's path: %v; want %v", text, got, want)
		}
	}
}
