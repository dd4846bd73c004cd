package main

import (
	"bytes"
	"context"
	"debug/elf"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	tea "charm.land/bubbletea/v2"
	"golang.org/x/sys/unix"

	"github.com/ring3-go/ring3/asm/step"
)

// stepping skips a test where nothing can be stepped; package step has the tests of when that may be.
func stepping(t *testing.T) {
	t.Helper()
	l := lessons()[0]
	s, err := step.Start(t.Context(), l, l.Functions[0].Name, step.Options{})
	if errors.Is(err, errors.ErrUnsupported) || errors.Is(err, os.ErrPermission) || errors.Is(err, unix.ENOEXEC) {
		t.Skipf("tried to step: %v", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

func repeat(kind string, n int) []string { return slices.Repeat([]string{kind}, n) }

func TestAsmRecordsAreWhatTheirSchemasSay(t *testing.T) {
	stepping(t)
	deref := lessons()[0]
	for _, c := range []struct {
		args  []string
		code  int
		kinds []string
	}{
		{[]string{"asm", "--json"}, 0, repeat("ring3/lesson/v1", len(lessons()))},
		{[]string{"asm", "deref", "--json"}, 0, append([]string{"ring3/lesson/v1"}, repeat("ring3/code/v1", len(deref.Functions))...)},
		{[]string{"asm", "deref", "--step", "Load64", "--json"}, 0, repeat("ring3/step/v1", 4)},
		{[]string{"asm", "deref", "Store64", "--json", "--step", "--calls", "all"}, 0, repeat("ring3/step/v1", 4)},
		{[]string{"asm", "deref", "Load64", "--json", "--step", "--max", "2"}, exitError, append(repeat("ring3/step/v1", 2), "ring3/error/v1")},

		{[]string{"asm", "--json", "nothing"}, exitUsage, []string{"ring3/error/v1"}},
		{[]string{"asm", "--json", "\x1b[31m"}, exitUsage, []string{"ring3/error/v1"}},
		{[]string{"asm", "--json", "deref", "Load64"}, exitUsage, []string{"ring3/error/v1"}},
		{[]string{"asm", "--json", "deref", "Nothing", "--step"}, exitUsage, []string{"ring3/error/v1"}},
		{[]string{"asm", "--json", "deref", "Load64", "more", "--step"}, exitUsage, []string{"ring3/error/v1"}},
		{[]string{"asm", "--json", "--step"}, exitUsage, []string{"ring3/error/v1"}},
		{[]string{"asm", "--json", "deref", "--wait"}, exitUsage, []string{"ring3/error/v1"}},
		{[]string{"asm", "--json", "deref", "--step", "--wait"}, exitUsage, []string{"ring3/error/v1"}},
		{[]string{"asm", "--json", "deref", "--step", "--calls", "some"}, exitUsage, []string{"ring3/error/v1"}},
		{[]string{"asm", "--json", "deref", "--step", "--max", "0"}, exitUsage, []string{"ring3/error/v1"}},
	} {
		out := finish(t, asProcess(t, c.args...))
		if out.code != c.code {
			t.Errorf("%q: exit code %d, want %d; stderr %q", c.args, out.code, c.code, out.stderr)
		}
		wantRecords(t, out.stdout, c.kinds...)
		wantHarmless(t, out.stderr)
		if t.Failed() {
			t.Fatalf("%q", c.args)
		}
	}
}

// TestAnInterruptedLessonIsRecorded has a run end in the middle, as SIGINT does it.
func TestAnInterruptedLessonIsRecorded(t *testing.T) {
	lesson := lessons()[0]
	lesson.Run = func(_ context.Context, w io.Writer) error {
		fmt.Fprintln(w, "as far as it came")
		return context.Canceled
	}
	var data bytes.Buffer
	if err := showLesson(t.Context(), &output{data: &data, json: true}, &lesson); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
	wantRecords(t, data.String(), append([]string{"ring3/lesson/v1"}, repeat("ring3/code/v1", len(lesson.Functions))...)...)
	if !strings.Contains(data.String(), `"output":["as far as it came"]`) {
		t.Errorf("printed %s", data.String())
	}
}

// TestEveryLessonIsShownAndStepped goes through all of them as text and as records.
func TestEveryLessonIsShownAndStepped(t *testing.T) {
	stepping(t)
	for _, l := range lessons() {
		t.Run(l.Name, func(t *testing.T) {
			shown := finish(t, asProcess(t, "asm", l.Name))
			if shown.code != 0 || !strings.Contains(shown.stdout, l.Question) {
				t.Errorf("exit code %d, stdout %q, stderr %q", shown.code, shown.stdout, shown.stderr)
			}
			wantHarmless(t, shown.stdout)
			for _, f := range l.Functions {
				if !strings.Contains(shown.stdout, fmt.Sprintf("%s, %d bytes at ", f.Name, len(f.Code()))) {
					t.Errorf("%s is not shown", f.Name)
				}
				stepped := finish(t, asProcess(t, "asm", l.Name, f.Name, "--step", "--max", "2000"))
				limit := strings.Contains(stepped.stderr, step.ErrLimit.Error()) // a long loop is no failure
				if stepped.code != 0 && !limit || !strings.HasPrefix(stepped.stdout, l.Name+"."+f.Name+"\n") {
					t.Errorf("%s: exit code %d, stderr %q", f.Name, stepped.code, stepped.stderr)
				}
				wantHarmless(t, stepped.stdout)
			}
			readme := finish(t, asProcess(t, "asm", l.Name, "--readme"))
			if readme.code != 0 || !strings.HasPrefix(readme.stdout, "# ") {
				t.Errorf("exit code %d, text %q", readme.code, readme.stdout)
			}
		})
	}
}

// TestTheBytesShownAreThoseOfTheFile compares what is in memory with the executable on disk.
func TestTheBytesShownAreThoseOfTheFile(t *testing.T) {
	out := finish(t, asProcess(t, "asm", "deref", "--json"))
	file, err := elf.Open(executable())
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	if file.Type != elf.ET_EXEC {
		t.Skip("the executable is mapped at another address than it was linked for")
	}
	seen := 0
	for line := range strings.Lines(out.stdout) {
		var r codeRecord
		if err := json.Unmarshal([]byte(line), &r); err != nil {
			t.Fatal(err)
		}
		for _, in := range r.Instructions {
			pc, err := strconv.ParseUint(in.PC, 0, 64)
			if err != nil {
				t.Fatal(err)
			}
			want, err := hex.DecodeString(in.Bytes)
			if err != nil {
				t.Fatal(err)
			}
			got := make([]byte, len(want))
			text := file.Section(".text")
			if _, err := text.ReadAt(got, int64(pc-text.Addr)); err != nil || !bytes.Equal(got, want) {
				t.Errorf("at %s % x, in the file % x, %v", in.PC, want, got, err)
			}
			seen++
		}
	}
	if seen < 15 {
		t.Errorf("%d instructions", seen)
	}
}

// press sends keys to a view, and to the view what comes of them.
func press(t *testing.T, v *stepView, keys ...string) {
	t.Helper()
	for _, key := range keys {
		var cmd tea.Cmd
		if key == "" { // the beginning
			cmd = v.Init()
		} else {
			_, cmd = v.Update(tea.KeyPressMsg{Text: key, Code: []rune(key)[0]})
		}
		for cmd != nil {
			answer := cmd()
			if _, ok := answer.(arrived); !ok {
				return
			}
			_, cmd = v.Update(answer)
		}
	}
}

func TestTheViewWaitsForAKey(t *testing.T) {
	stepping(t)
	opts := asmOptions{calls: "own", step: true, max: step.StepsMax}
	if err := opts.parse([]string{"deref", "Load64"}); err != nil {
		t.Fatal(err)
	}
	feed := newFeed(opts)
	defer feed.close()
	v := newStepView(&output{}, opts, func() (*shownStep, error) { return feed.next(t.Context()) })
	wantStep := func(n int, says string) {
		t.Helper()
		content := v.View().Content
		if !strings.Contains(content, fmt.Sprintf("deref.Load64   step %d", n)) || !strings.Contains(content, says) {
			t.Errorf("want step %d and %q:\n%s", n, says, content)
		}
		lines := strings.Split(content, "\n")
		if len(lines) > v.height {
			t.Errorf("%d lines on a screen of %d", len(lines), v.height)
		}
		for _, line := range lines {
			if n := len([]rune(line)); n > v.width {
				t.Errorf("%d columns on a screen of %d: %s", n, v.width, line)
			}
		}
	}
	press(t, v, "")
	wantStep(1, "> ")
	press(t, v, "n")
	wantStep(2, "0x2a")
	press(t, v, "b")
	wantStep(1, "> ")
	press(t, v, "b")
	wantStep(1, "> ")
	press(t, v, "c")
	wantStep(4, "it returns")
	press(t, v, "n", "n")
	wantStep(4, "it returns")
	for _, size := range []tea.WindowSizeMsg{{Width: 60, Height: 12}, {Width: 30, Height: 3}, {Width: 200, Height: 80}} {
		v.Update(size)
		wantStep(4, "")
	}
	if _, cmd := v.Update(tea.KeyPressMsg{Text: "q", Code: 'q'}); cmd == nil {
		t.Error("q does not end it")
	}
}
