package target

import "testing"

func TestValidateRefusesWhatCannotBe(t *testing.T) {
	for _, tt := range []struct {
		name   string
		target Target
		ok     bool
	}{
		{"host", Target{}, true},
		{"process", Target{PID: 1}, true},
		{"thread", Target{TID: 1}, true},
		{"longest name", Target{Comm: "fifteen-bytes-x"}, true},
		{"name longer than the kernel keeps", Target{Comm: "sixteen-bytes-xx"}, false},
		{"two ways at once", Target{PID: 1, Comm: "sh"}, false},
		{"negative", Target{PID: -1}, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if err := tt.target.Validate(); (err == nil) != tt.ok {
				t.Errorf("Validate(%v) = %v; want ok %v", tt.target, err, tt.ok)
			}
		})
	}
}
