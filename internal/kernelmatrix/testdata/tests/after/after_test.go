// Package after is run last.
package after

import "testing"

func TestAfter(t *testing.T) {}
