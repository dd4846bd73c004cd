package step_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/ring3-go/ring3/asm/step"
	"github.com/ring3-go/ring3/asm/step/internal/sample"
)

func TestARepeatedInstructionIsOneStep(t *testing.T) {
	steps, out := run(t, sample.Lesson(), "Copy", step.Options{})
	var addr uint64
	if _, err := fmt.Sscanf(out, "%v", &addr); err != nil {
		t.Fatal(err)
	}
	i := slices.IndexFunc(steps, func(s step.Step) bool { return strings.HasPrefix(s.Go, "REP") })
	if i < 0 || steps[i].Times != 20 {
		t.Fatalf("no repeated instruction that ran 20 times: %+v", steps)
	}
	from, to := accesses(steps, addr), accesses(steps, addr+36)
	const text = "a string instruction"
	if len(from) != 1 || from[0].Kind != step.Read || string(from[0].Before) != text {
		t.Errorf("read %+v", from)
	}
	if len(to) != 1 || to[0].Kind != step.Write || string(to[0].After) != text || strings.TrimSpace(string(to[0].Before)) != "" {
		t.Errorf("wrote %+v", to)
	}

	steps, _ = run(t, sample.Lesson(), "Find", step.Options{})
	i = slices.IndexFunc(steps, func(s step.Step) bool { return strings.HasPrefix(s.Go, "REP") })
	if i < 0 || steps[i].Times != 10 || len(steps[i].Memory) != 1 || steps[i].Memory[0].Size != 10 || len(steps[i].Memory[0].Before) != 10 {
		t.Errorf("a comparison that ends at byte 9: %+v", steps[max(i, 0)])
	}
}
