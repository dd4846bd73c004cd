package docs

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// module is the path that every package of ours begins with.
const module = "github.com/ring3-go/ring3"

// The commands themselves are not carried out: "go run -n" and "go test -n" look at packages and flags
// only, and of our own programs nothing but the help is asked for.
func TestCommandsInDocumentsCanBeGiven(t *testing.T) {
	root := moduleRoot(t, ".")
	help := make(map[string]string)
	for _, name := range files(t, root, "*.md") {
		checker := checker{dir: moduleRoot(t, filepath.Join(root, filepath.Dir(name))), help: help}
		for _, l := range joined(lines(read(t, root, name))) {
			if l.lang != "sh" {
				continue
			}
			if err := checker.check(words(l.text)); errors.Is(err, exec.ErrNotFound) {
				t.Skipf("commands cannot be checked here: %v", err)
			} else if err != nil {
				t.Errorf("%s:%d: %s: %v", name, l.number, strings.TrimSpace(l.text), err)
			}
		}
	}
}

// joined puts lines together that end in a backslash.
func joined(in []line) []line {
	var out []line
	for _, l := range in {
		if n := len(out); n > 0 && out[n-1].lang == "sh" && strings.HasSuffix(out[n-1].text, `\`) {
			out[n-1].text = strings.TrimSuffix(out[n-1].text, `\`) + l.text
			continue
		}
		out = append(out, l)
	}
	return out
}

var (
	word       = regexp.MustCompile(`'[^']*'|"[^"]*"|[^\s'"]+`)
	assignment = regexp.MustCompile(`^[A-Z_0-9]+=`)
)

// words splits the first command of a line as a shell would, as far as documents need that: quotes around
// whole words, and an end at a comment, a pipe, a redirection or a list. Assignments and sudo are dropped.
func words(text string) []string {
	var out []string
	for _, w := range word.FindAllString(text, -1) {
		if strings.ContainsAny(w[:1], "#|>&;") || strings.HasPrefix(w, "2>") {
			break
		}
		end := strings.HasSuffix(w, ";")
		w = strings.TrimSuffix(w, ";")
		if w[0] == '\'' || w[0] == '"' {
			w = w[1 : len(w)-1]
		}
		if len(out) > 0 || !(w == "sudo" || w == "$" || assignment.MatchString(w)) {
			out = append(out, w)
		}
		if end {
			break
		}
	}
	return out
}

// A checker looks at commands one by one, as given in dir, and remembers what it ran, by its directory and words.
type checker struct {
	dir  string
	help map[string]string
}

// check returns what is wrong with a command; one that it does not know is right.
func (c *checker) check(args []string) error {
	if len(args) > 3 && args[0] == "go" && args[1] == "-C" {
		inner := checker{filepath.Join(c.dir, args[2]), c.help}
		return inner.check(append([]string{"go"}, args[3:]...))
	}
	switch {
	case len(args) > 1 && args[0] == "go" && args[1] == "run":
		return c.checkRun(args[2:])
	case len(args) > 1 && args[0] == "go" && args[1] == "test":
		return c.dry(append([]string{"go", "test", "-n"}, args[2:]...)...)
	case len(args) > 1 && args[0] == "make":
		return c.checkMake(args[1:])
	}
	return nil
}

func (c *checker) checkMake(args []string) error {
	makefile, err := os.ReadFile(filepath.Join(c.dir, "Makefile"))
	if err != nil {
		return err
	}
	for _, target := range args {
		if strings.HasPrefix(target, "-") || assignment.MatchString(target) {
			continue
		}
		if !bytes.Contains(makefile, []byte("\n"+target+":")) {
			return fmt.Errorf("the Makefile has no target %s", target)
		}
	}
	return nil
}

// checkRun checks what follows "go run".
func (c *checker) checkRun(args []string) error {
	args = slices.Clone(args)
	at := slices.IndexFunc(args, func(a string) bool {
		return strings.HasPrefix(a, ".") || strings.HasPrefix(a, module)
	})
	if at < 0 {
		return nil // somebody else's program
	}
	args[at], _, _ = strings.Cut(args[at], "@") // a release is of this module, and this is the next one
	if err := c.dry(append([]string{"go", "run", "-n"}, args[:at+1]...)...); err != nil {
		return err
	}
	program, rest := args[at], args[at+1:]
	if end := slices.Index(rest, "--"); end >= 0 {
		rest = rest[:end]
	}
	if len(rest) == 0 {
		return nil
	}
	help, err := c.helpOf(program)
	if err != nil {
		return err
	}
	if i := slices.IndexFunc(rest, subcommand.MatchString); i >= 0 {
		more, err := c.helpOf(program, rest[i])
		if err != nil {
			return err
		}
		help += more
	}
	for _, a := range rest {
		if strings.HasPrefix(a, "-") && !describes(help, a) {
			return fmt.Errorf("%s has no flag %s", program, a)
		}
	}
	return nil
}

var subcommand = regexp.MustCompile(`^[a-z]+$`)

// describes reports whether a help text has the flag, with one dash or two.
func describes(help, flag string) bool {
	name, _, _ := strings.Cut(strings.TrimLeft(flag, "-"), "=")
	return regexp.MustCompile(`(?m)(?:^|[\s,\[])--?` + regexp.QuoteMeta(name) + `(?:[\s,=\]]|$)`).MatchString(help)
}

// helpOf returns what a program of ours prints when asked for help.
func (c *checker) helpOf(program string, args ...string) (string, error) {
	key := strings.Join(append([]string{c.dir, program}, args...), " ")
	if help, ok := c.help[key]; ok {
		return help, nil
	}
	help, err := c.run(append(append([]string{"go", "run", program}, args...), "--help")...)
	var exit *exec.ExitError
	if errors.As(err, &exit) { // to some programs a request for help is a mistake in usage
		err = nil
	}
	c.help[key] = help
	return help, err
}

// dry runs a go command with -n, once for all documents where it has no complaint.
func (c *checker) dry(args ...string) error {
	key := strings.Join(append([]string{c.dir}, args...), " ")
	if _, ok := c.help[key]; ok {
		return nil
	}
	out, err := c.run(args...)
	if err == nil && strings.Contains(out, "matched no packages") {
		err = errors.New("matched no packages")
	}
	if err == nil {
		c.help[key] = ""
	}
	return err
}

// run runs a command that changes nothing, and returns all that it printed.
func (c *checker) run(args ...string) (string, error) {
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Dir = c.dir
	cmd.Env = append(os.Environ(), "GOOS=", "GOARCH=") // programs are started here, whatever is under test
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Run(); err != nil {
		return out.String(), fmt.Errorf("%s: %w\n%s", strings.Join(args, " "), err, out.Bytes())
	}
	return out.String(), nil
}

func TestCommandsAreTakenApart(t *testing.T) {
	for text, want := range map[string][]string{
		"go run ./cmd/x -a b # why":                 {"go", "run", "./cmd/x", "-a", "b"},
		"$ sudo GOFLAGS=-v go test ./... | tail":    {"go", "test", "./..."},
		"go test -run 'A B' ./x > log":              {"go", "test", "-run", "A B", "./x"},
		"go test ./x; echo done":                    {"go", "test", "./x"},
		"# nothing":                                 nil,
		"go run ./x -- sh -c 'exit 1' 2>/dev/null ": {"go", "run", "./x", "--", "sh", "-c", "exit 1"},
	} {
		if got := words(text); !slices.Equal(got, want) {
			t.Errorf("%s is %q; want %q", text, got, want)
		}
	}
}

func TestWrongCommandsAreFound(t *testing.T) {
	if _, err := exec.LookPath("go"); err != nil {
		t.Skipf("commands cannot be checked here: %v", err)
	}
	c := checker{dir: moduleRoot(t, "."), help: make(map[string]string)}
	for text, ok := range map[string]bool{
		"go test -short ./internal/docs":                       true,
		"go test ./internal/no-such":                           false,
		"go test ./no/such/...":                                false,
		"go test -count=x ./internal/docs":                     false,
		"go run ./internal/kernelmatrix/cmd -list":             true,
		"go run ./internal/kernelmatrix/cmd -v ./internal/bpf": true,
		"go run ./internal/kernelmatrix/cmd --no-such-flag":    false,
		"go run ./internal/docs":                               false,
		"go run " + module + "/internal/kernelmatrix/cmd@v1":   true,
		"go -C internal test ./docs":                           true,
		"go -C internal test ./no-such":                        false,
		"make test":                                            true,
		"make no-such":                                         false,
		"make -j2 test":                                        true,
		"echo no problem":                                      true,
	} {
		if err := c.check(words(text)); (err == nil) != ok {
			t.Errorf("%s: %v; want ok %v", text, err, ok)
		}
	}
}
