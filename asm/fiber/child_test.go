//go:build linux

package fiber

import "testing"

func TestTmpChild(t *testing.T) {
	s, err := New(Options{Stacks: 3})
	if err != nil {
		t.Fatal(err)
	}
	f, _ := s.Spawn(Count, 0, 10)
	t.Log(s.RunInChild(t.Context(), 20))
	g, _ := s.Spawn(Recurse, 1000000)
	t.Log(s.RunInChild(t.Context(), 20))
	t.Log(f.Words(), g.Words())
}
