package featuretest

import (
	"errors"
	"fmt"
	"os"
	"testing"

	"github.com/ring3-go/ring3/internal/features"
)

func TestOnlyWhatAKernelHasNotIsSkipped(t *testing.T) {
	unsupported := errors.New("not supported")
	denied := fmt.Errorf("load: %w", os.ErrPermission)
	kernel := func(arch string, minor int, reference bool) features.Kernel {
		return features.Kernel{
			Arch: arch, Release: features.Version{Major: 6, Minor: minor}, Reference: reference,
			Symbols: map[string]bool{features.Fentry.Symbol(): true},
		}
	}
	for _, tt := range []struct {
		name       string
		kernel     features.Kernel
		err        error
		privileged bool
		fails      bool
	}{
		{"too old", kernel("arm64", 1, true), unsupported, true, false},
		{"should have it", kernel("arm64", 12, true), unsupported, true, true},
		{"should have it, whoever asks", kernel("amd64", 18, false), unsupported, false, true},
		{"should allow it", kernel("arm64", 12, true), denied, true, true},
		{"without privilege", kernel("arm64", 12, true), denied, false, false},
		{"a policy of its own", kernel("amd64", 18, false), denied, true, false},
		{"another architecture", kernel("riscv64", 18, false), unsupported, true, false},
	} {
		if why := wrong(tt.kernel, features.Fentry, tt.err, tt.privileged); (why != "") != tt.fails {
			t.Errorf("%s: %q; want a failure %v", tt.name, why, tt.fails)
		}
	}
}
