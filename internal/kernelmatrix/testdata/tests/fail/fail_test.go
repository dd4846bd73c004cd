// Package fail has the ways in which tests fail and let the binary end.
package fail

import (
	"os"
	"testing"
)

func TestError(t *testing.T) {
	os.Stdout.WriteString("without a newline")
	t.Run("deep", func(t *testing.T) { t.Error("two and two are five") })
	t.Run("fine", func(t *testing.T) {})
}

func TestFine(t *testing.T) {}

func TestPanics(t *testing.T) {
	var m map[string]int
	m["a"]++
}

func TestNeverBegins(t *testing.T) {}
