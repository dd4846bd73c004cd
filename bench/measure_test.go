//go:build linux

package main

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/santhosh-tekuri/jsonschema/v6"
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
	var text, printed bytes.Buffer
	if err := printText(&text, r); err != nil {
		t.Fatal(err)
	}
	if want := "missing: no-such-program-anywhere is not installed"; !strings.Contains(text.String(), want) {
		t.Errorf("text has no %q:\n%s", want, text.String())
	}
	if err := printJSON(&printed, r); err != nil {
		t.Fatal(err)
	}
	all := records(t, printed.String())
	for _, key := range []string{"ratio", "met", "reference_ns"} {
		if _, ok := all[len(all)-1][key]; ok {
			t.Errorf("record of a missing reference has %q", key)
		}
	}
}

func TestNothingIsClaimedWhereOursIsMissing(t *testing.T) {
	b := drifting()
	b.Ours.Needs = "no-such-program-anywhere"
	r, err := measure(context.Background(), nil, b, 3)
	if err != nil {
		t.Fatal(err)
	}
	var text, printed bytes.Buffer
	if err := errors.Join(printText(&text, r), printJSON(&printed, r)); err != nil {
		t.Fatal(err)
	}
	if strings.Contains(text.String(), "met") || !strings.Contains(text.String(), "missing: no-such-program-anywhere") {
		t.Errorf("text:\n%s", text.String())
	}
	for _, rec := range records(t, printed.String()) {
		for _, key := range []string{"ratio", "met", "ns"} {
			if _, ok := rec[key]; ok {
				t.Errorf("record has %q: %v", key, rec)
			}
		}
		if rec["subject_missing"] == nil {
			t.Errorf("record does not say what is missing: %v", rec)
		}
	}
}

// records takes JSON records apart, and holds each against the schema.
func records(t *testing.T, text string) (all []map[string]any) {
	t.Helper()
	schema, err := jsonschema.NewCompiler().Compile("record.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(text) {
		value, err := jsonschema.UnmarshalJSON(strings.NewReader(line))
		if err != nil {
			t.Fatalf("%v: %s", err, line)
		}
		if err := schema.Validate(value); err != nil {
			t.Errorf("%v: %s", err, line)
		}
		all = append(all, value.(map[string]any))
	}
	if len(all) == 0 {
		t.Fatal("no records")
	}
	return all
}

// Each unit has members of its own.
func TestRecordsAreThoseOfTheSchema(t *testing.T) {
	for _, b := range benchmarks() {
		r := &Result{Benchmark: b, Runs: 1, Ours: Measured{Label: b.Ours.Label, Samples: []Sample{{Value: 123456}}}}
		for _, ref := range b.References {
			r.Against = append(r.Against, Comparison{
				Measured: Measured{Label: ref.Label, Samples: []Sample{{246912, []Part{{"program", 1, 9999}}}}},
				Target:   ref.Target, Ratio: Spread{0.5, 0.5, 0.5},
			})
		}
		var printed bytes.Buffer
		if err := printJSON(&printed, r); err != nil {
			t.Fatal(err)
		}
		records(t, printed.String())
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

func TestASubjectMayFindOutThatItIsMissing(t *testing.T) {
	b := Benchmark{Ours: Subject{Label: "ours", Measure: func(*Env) (Sample, error) { return Sample{}, missingError("no driver here") }}}
	b.References = []Reference{{sequence("theirs", 1, 2, 3), 1}}
	r, err := measure(context.Background(), nil, b, 3)
	if err != nil {
		t.Fatal(err)
	}
	if r.Ours.Missing != "no driver here" || len(r.Against[0].Samples) != 3 || r.Against[0].Met() {
		t.Errorf("missing %q, %d samples of the reference, met: %v", r.Ours.Missing, len(r.Against[0].Samples), r.Against[0].Met())
	}
}

func TestWhatIsMissingForAllIsReportedOfEach(t *testing.T) {
	b := drifting()
	b.Prepare = func(*Env) (undo func(), err error) { return nil, missingError("needs root") }
	r, err := measure(context.Background(), nil, b, 3)
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range append([]Comparison{{Measured: r.Ours}}, r.Against...) {
		if m.Missing != "needs root" || len(m.Samples) != 0 || m.Met() {
			t.Errorf("%s: missing %q, %d samples", m.Label, m.Missing, len(m.Samples))
		}
	}
}
