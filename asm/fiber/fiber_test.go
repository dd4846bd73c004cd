//go:build linux

package fiber

import "testing"

func TestTmp(t *testing.T) {
	p, err := NewPair()
	if err != nil {
		t.Fatal(err)
	}
	p.Switch(100000)
	p.Close()
	s, err := New(Options{Stacks: 3})
	if err != nil {
		t.Fatal(err)
	}
	f, err := s.Spawn(Count, 0, 10)
	if err != nil {
		t.Fatal(err)
	}
	g, _ := s.Spawn(Count, 0, 3)
	h, err := s.Spawn(Recurse, 3)
	if err != nil { t.Fatal(err) }
	for _, w := range f.Stack() {
		t.Log(w)
	}
	t.Log(s.Run(5))
	for _, w := range h.Stack() {
		t.Log(w)
	}
	t.Log(s.Run(50))
	t.Log(f.Words(), g.Words(), h.Words(), f.Done(), h.StackUsed(), f.StackUsed())
	s.Close()
}

func BenchmarkPair(b *testing.B) {
	p, err := NewPair()
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	p.Switch(b.N)
	p.Close()
}
func BenchmarkSched(b *testing.B) {
	s, err := New(Options{Stacks: 2})
	if err != nil {
		b.Fatal(err)
	}
	s.Spawn(Spin)
	s.Spawn(Spin)
	s.Run(b.N)
	s.Close()
}
