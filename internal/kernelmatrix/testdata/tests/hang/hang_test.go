// Package hang has a test that its own timeout must end.
package hang

import "testing"

func TestFine(t *testing.T) {}

func TestHangs(t *testing.T) { select {} }
