//go:build linux

package fiber_test

import (
	"testing"

	"github.com/ring3-go/ring3/asm/fiber"
	"github.com/ring3-go/ring3/asm/internal/lessontest"
)

func TestLesson(t *testing.T) { lessontest.Check(t, fiber.Lesson()) }

func TestFunctionsOfTheLessonCanBeCalled(t *testing.T) {
	for _, f := range fiber.Lesson().Functions {
		f.Call()
	}
}

func BenchmarkPair(b *testing.B) {
	p, err := fiber.NewPair()
	if err != nil {
		b.Fatal(err)
	}
	defer p.Close()
	b.ReportAllocs()
	if err := p.Switch(b.N); err != nil {
		b.Fatal(err)
	}
	b.ReportMetric(float64(b.Elapsed())/float64(2*b.N), "ns/switch")
}

func BenchmarkRoundRobin(b *testing.B) {
	s := open(b, fiber.Options{Stacks: 2})
	spawn(b, s, fiber.Spin)
	spawn(b, s, fiber.Spin)
	b.ReportAllocs()
	b.ResetTimer()
	if _, err := s.Run(b.N); err != nil {
		b.Fatal(err)
	}
	b.ReportMetric(float64(b.Elapsed())/float64(b.N), "ns/switch")
}
