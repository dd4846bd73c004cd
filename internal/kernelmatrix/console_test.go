package kernelmatrix

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestVerdictSaysWhatEndedTheMachine(t *testing.T) {
	lines := encode(t, sampleFrames())
	failed := encode(t, []Frame{{Kind: KindBoot}, {Kind: KindFail, Data: []byte("mount bpf: no such device")}})
	for _, c := range []struct {
		claim, console string
		err            error
		want           string // in the verdict; empty: none
	}{
		{"job done", strings.Join(lines, ""), nil, ""},
		{"ended by the host after the job", strings.Join(lines, ""), errors.New("it fell silent"), ""},
		{"frame lost", lines[0] + lines[2] + lines[3] + lines[4] + lines[5], nil, "1 frames were lost"},
		{"nothing at all", "", nil, "ended before init ran (and its console is empty)"},
		{"panic at boot", "[    0.1] Kernel panic - not syncing: x\n", nil, "before init ran; its console ends with\n[    0.1] Kernel panic"},
		{"panic in a test", lines[0] + lines[1] + "[    9.1] Kernel panic\n", nil, "before the job was done; its console ends with\n[    9.1] Kernel panic"},
		{"silence", lines[0] + lines[1], errors.New("it fell silent"), "machine: it fell silent"},
		{"emulator that does not start", "qemu: no such machine\n", errors.New("exit status 1"), "exit status 1; its console ends with\nqemu"},
		{"guest that gives up", strings.Join(failed, ""), nil, "no such device"},
	} {
		var machine console
		if err := machine.read(strings.NewReader(c.console)); err != nil {
			t.Fatal(err)
		}
		err := machine.verdict(c.err)
		if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: verdict %v, want %q", c.claim, err, c.want)
		}
	}
}

func TestConsoleFollowsTheJob(t *testing.T) {
	var events []string
	note := func(format string, args ...any) { events = append(events, fmt.Sprintf(format, args...)) }
	c := console{
		boot:  func(release string) { note("boot %s", release) },
		start: func(step int) { note("start %d", step) },
		data:  func(step int, kind Kind, data []byte) { note("%s %d %s", kind, step, data) },
		exit:  func(step int, e Exit) { note("exit %d %d", step, e.Code) },
	}
	err := c.read(strings.NewReader(strings.Join(encode(t, []Frame{
		{Kind: KindBoot, Data: []byte("6.1")},
		{Kind: KindStart, Step: 0},
		{Kind: KindOut, Step: 0, Data: []byte("a")},
		{Kind: KindErr, Step: 0, Data: []byte("b")},
		{Kind: KindExit, Step: 0, Exit: &Exit{Code: 3}},
		{Kind: KindOut, Step: 0, Data: []byte("of nobody")},
		{Kind: KindBeat},
		{Kind: KindStart, Step: 1},
		{Kind: "unheard of", Step: 1},
	}), "")))
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"boot 6.1", "start 0", "out 0 a", "err 0 b", "exit 0 3", "start 1"}
	if diff := cmp.Diff(want, events); diff != "" {
		t.Error(diff)
	}
	if c.step != 1 || c.next != 2 {
		t.Errorf("step %d runs and %d is next, want 1 and 2", c.step, c.next)
	}
}

func TestTailKeepsTheLastLines(t *testing.T) {
	var machine console
	var text strings.Builder
	for i := range tailLines + 5 {
		fmt.Fprintf(&text, "line %d\n\n", i)
	}
	if err := machine.read(strings.NewReader(text.String())); err != nil {
		t.Fatal(err)
	}
	if len(machine.tail) != tailLines || machine.tail[0] != "line 5" {
		t.Errorf("%d lines from %q, want %d from line 5", len(machine.tail), machine.tail[0], tailLines)
	}
}
