//go:build linux

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestSpreadIsMedianAndEnds(t *testing.T) {
	for _, tt := range []struct {
		name   string
		values []float64
		want   Spread
	}{
		{"one", []float64{3}, Spread{3, 3, 3}},
		{"odd", []float64{9, 1, 2}, Spread{2, 1, 9}},
		{"even", []float64{4, 1, 2, 9}, Spread{3, 1, 9}},
		{"none", nil, Spread{}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := spread(tt.values); got != tt.want {
				t.Errorf("spread(%v) = %v; want %v", tt.values, got, tt.want)
			}
		})
	}
}

// sequence is a subject whose runs give these values.
func sequence(label string, values ...float64) Subject {
	return Subject{Label: label, Measure: func(*Env) (Sample, error) {
		v := values[0]
		values = values[1:]
		return Sample{Value: v, Parts: []Part{{"program", 1, v}}}, nil
	}}
}

// drifting is a benchmark on a machine that gets ten times slower between two rounds: the medians say
// nothing, the ratios are exact.
func drifting() Benchmark {
	absent := sequence("absent")
	absent.Needs = "no-such-program-anywhere"
	return Benchmark{
		Group: "group", Name: "drifting", What: "one thing", Unit: Nanoseconds, Per: "event",
		Ours: sequence("ours", 10, 100, 20),
		References: []Reference{
			{sequence("theirs", 20, 200, 40), 0.5},
			{sequence("faster", 5, 50, 10), 1.0},
			{sequence("informative", 1, 1, 1), 0},
			{absent, 1.0},
		},
	}
}

func TestRatioIsTakenRoundByRound(t *testing.T) {
	r, err := measure(context.Background(), nil, drifting(), 3)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := r.Against[0].Ratio, (Spread{0.5, 0.5, 0.5}); got != want {
		t.Errorf("ratio = %v; want %v", got, want)
	}
	for i, want := range []bool{true, false, false, false} {
		if got := r.Against[i].Met(); got != want {
			t.Errorf("%s: Met() = %v; want %v", r.Against[i].Label, got, want)
		}
	}
}

func TestMissingReferenceIsReportedAndNotAnError(t *testing.T) {
	r, err := measure(context.Background(), nil, drifting(), 3)
	if err != nil {
		t.Fatal(err)
	}
	var text, records bytes.Buffer
	if err := printText(&text, r); err != nil {
		t.Fatal(err)
	}
	if want := "missing: no-such-program-anywhere is not installed"; !strings.Contains(text.String(), want) {
		t.Errorf("text has no %q:\n%s", want, text.String())
	}
	if err := printJSON(&records, r); err != nil {
		t.Fatal(err)
	}
	var absent map[string]any
	for line := range strings.Lines(records.String()) {
		absent = map[string]any{}
		if err := json.Unmarshal([]byte(line), &absent); err != nil {
			t.Fatalf("%v: %s", err, line)
		}
		if absent["schema"] != "ring3/bench/v1" {
			t.Errorf("schema = %v", absent["schema"])
		}
	}
	for _, key := range []string{"ratio", "met", "reference_ns"} {
		if _, ok := absent[key]; ok {
			t.Errorf("record of a missing reference has %q", key)
		}
	}
}

func TestFailedRunIsAnError(t *testing.T) {
	broken := errors.New("broken")
	b := drifting()
	b.References = []Reference{{Subject{Label: "theirs", Measure: func(*Env) (Sample, error) { return Sample{}, broken }}, 1}}
	if _, err := measure(context.Background(), nil, b, 3); !errors.Is(err, broken) {
		t.Errorf("measure = %v; want %v", err, broken)
	}
}

func TestInterruptEndsBetweenRuns(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := measure(ctx, nil, drifting(), 3); !errors.Is(err, context.Canceled) {
		t.Errorf("measure = %v; want %v", err, context.Canceled)
	}
}

func TestTextFitsEightyColumns(t *testing.T) {
	for _, b := range benchmarks() {
		r := &Result{Benchmark: b, Runs: 1, Ours: Measured{Label: b.Ours.Label, Samples: []Sample{{Value: 123456}}}}
		for _, ref := range b.References {
			r.Against = append(r.Against, Comparison{
				Measured: Measured{Label: ref.Label, Samples: []Sample{{123456, []Part{{"fifteen-letters", 1, 9999}}}}},
				Target:   ref.Target, Ratio: Spread{10, 10, 10},
			})
		}
		var text bytes.Buffer
		if err := printText(&text, r); err != nil {
			t.Fatal(err)
		}
		if err := printList(&text, []Benchmark{b}); err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(text.String()) {
			if n := utf8.RuneCountInString(strings.TrimSuffix(line, "\n")); n > 80 {
				t.Errorf("%d columns: %s", n, line)
			}
		}
	}
}
