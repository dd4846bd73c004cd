//go:build amd64 || arm64

package cpuid

import (
	"bufio"
	"bytes"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ring3-go/ring3/asm"
	"github.com/ring3-go/ring3/asm/internal/lessontest"
)

func TestLessonKeepsItsContract(t *testing.T) { lessontest.Check(t, Lesson()) }

// on runs f on one processor.
func on(t *testing.T, cpu int, f func()) {
	t.Helper()
	unpin, err := asm.Pin(cpu)
	if err != nil {
		t.Fatal(err)
	}
	defer unpin()
	f()
}

// cpus returns those that the test may run on.
func cpus(t *testing.T) []int {
	t.Helper()
	list, err := asm.CPUs()
	if err != nil {
		t.Fatal(err)
	}
	return list
}

// cpuinfo returns what /proc/cpuinfo says of one processor.
func cpuinfo(t *testing.T, cpu int) map[string]string {
	t.Helper()
	f, err := os.Open("/proc/cpuinfo")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var info map[string]string
	for lines := bufio.NewScanner(f); lines.Scan(); {
		name, value, _ := strings.Cut(lines.Text(), ":")
		name, value = strings.TrimSpace(name), strings.TrimSpace(value)
		if name == "processor" {
			if info != nil {
				break
			}
			if value == strconv.Itoa(cpu) {
				info = make(map[string]string)
			}
		}
		if info != nil {
			info[name] = value
		}
	}
	if info == nil {
		t.Fatalf("no processor %d in /proc/cpuinfo", cpu)
	}
	return info
}

// words makes a set of a list.
func words(list string) map[string]bool {
	set := make(map[string]bool)
	for _, w := range strings.Fields(list) {
		set[w] = true
	}
	return set
}

// number reads a file with a number in it, in kibibytes where it says so.
func number(t *testing.T, parts ...string) int {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(parts...))
	if err != nil {
		t.Fatal(err)
	}
	s, kib := strings.CutSuffix(strings.TrimSpace(string(b)), "K")
	n, err := strconv.Atoi(s)
	if err != nil {
		t.Fatal(err)
	}
	if kib {
		n <<= 10
	}
	return n
}

// What the processor says does not depend on what else happens: the exceptions that answer it on arm64, and the
// exits to a hypervisor on amd64, among signals and collections.
func TestAnswersUnderCollectorAndProfiler(t *testing.T) {
	on(t, cpus(t)[0], func() { // another processor may answer otherwise
		features := Features()
		lessontest.UnderPressure(t, func() {
			for range 20 {
				if diff := cmp.Diff(features, Features()); diff != "" {
					t.Fatal(diff)
				}
			}
			if err := Lesson().Run(t.Context(), new(bytes.Buffer)); err != nil {
				t.Error(err)
			}
		})
	})
}

func TestEveryFeatureHasANameOfItsOwn(t *testing.T) {
	names := make(map[string]bool)
	for _, f := range Features() {
		if names[f.Name] {
			t.Errorf("%s is there twice", f.Name)
		}
		names[f.Name] = true
	}
	if len(names) < 40 {
		t.Errorf("only %d features", len(names))
	}
}
