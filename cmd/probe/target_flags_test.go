package main

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"github.com/ring3-go/ring3/internal/bpf"
)

// usageMistakes are arguments after "faults" or "switches", and a word that the complaint must have.
var usageMistakes = []struct{ args, word string }{
	{"0", "interval"}, {"x", "interval"}, {"nan", "interval"}, {"1e400", "interval"}, {"-1", "negative"}, {"1 -1", "negative"},
	{"1us", "1ms"}, {"1 0", "count"}, {"1 1.5", "count"}, {"1 x", "count"}, {"1 2 3", "nothing after"},
	{"-p 0", "pid"}, {"-p -3", "pid"}, {"-p x", "pid"}, {"-p 99999999999999999999", "pid"}, {"--tid 0", "tid"},
	{"--comm=", "comm"}, {"--cgroup=", "cgroup"}, {"--comm 0123456789abcdef", "15 bytes"},
	{"-p 1 --comm x", "give one"}, {"-p 1 --tid 1", "give one"}, {"--comm x -c /", "give one"},
	{"--no-follow", "--pid"}, {"--by nothing", "nothing"}, {"--by comm,,pid", "want"}, {"--top -1", "--top"},
	{"--duration 0", "--duration"}, {"--duration -1s", "--duration"}, {"--duration=", "--duration"},
	{"--backend ftrace", "procfs"}, {"--backend=", "procfs"}, {"--no-such-flag", "no-such-flag"}, {"--color mauve", "mauve"},
}

func TestMistakesInArgumentsAreUsageErrors(t *testing.T) {
	mistakes := append(usageMistakes[:len(usageMistakes):len(usageMistakes)], struct{ args, word string }{})
	for _, command := range []string{"faults", "switches"} {
		mistakes[len(mistakes)-1] = map[string]struct{ args, word string }{
			"faults": {"--by syscall", "class"}, "switches": {"--by class", "syscall"},
		}[command]
		for _, m := range mistakes {
			var data, talk bytes.Buffer
			args := append([]string{command}, strings.Fields(m.args)...)
			if code := probe(args, nil, &data, &talk); code != exitUsage {
				t.Errorf("%q exits with %d; want %d", args, code, exitUsage)
			}
			if data.Len() > 0 || !strings.Contains(talk.String(), m.word) {
				t.Errorf("%q prints %q and says %q; want %q in what it says", args, data.String(), talk.String(), m.word)
			}
		}
	}
	for _, args := range [][]string{{"no-such-command"}, {"doctor", "x"}} {
		if code := probe(args, nil, new(bytes.Buffer), new(bytes.Buffer)); code != exitUsage {
			t.Errorf("%q exits with %d; want %d", args, code, exitUsage)
		}
	}
}

func TestMistakesAreRecordsWhereRecordsAreAskedFor(t *testing.T) {
	var data, talk bytes.Buffer
	code := probe([]string{"--json", "faults", "--by", "\x1b[31m\n"}, nil, &data, &talk)
	var r errorRecord
	if err := json.Unmarshal(data.Bytes(), &r); err != nil {
		t.Fatalf("%q: %v", data.String(), err)
	}
	if r.Schema != "ring3/error/v1" || r.ExitCode != code || code != exitUsage || talk.Len() > 0 {
		t.Errorf("%+v, exit code %d, talk %q", r, code, talk.String())
	}
	wantHarmless(t, data.String())
}

func TestKeysMayComeInAnyOrderAndTwice(t *testing.T) {
	flags := newFaults(&output{}).Flags()
	if def := flags.Lookup("by").DefValue; def != "comm,pid" {
		t.Errorf("default groups %q", def)
	}
	keys, err := parseBy("comm,pid,tid", ^bpf.By(0))
	if err != nil {
		t.Fatal(err)
	}
	for _, list := range []string{"tid,pid,comm", "pid,comm,pid,tid", " comm, pid ,tid"} {
		if got, err := parseBy(list, keys); err != nil || got != keys {
			t.Errorf("%q is %v, %v; want %v", list, got, err, keys)
		}
	}
	if none, err := parseBy("", keys); err != nil || none != 0 {
		t.Errorf("no keys are %v, %v", none, err)
	}
}
