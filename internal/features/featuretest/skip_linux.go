package featuretest

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"testing"

	"github.com/ring3-go/ring3/internal/features"
)

// Skip ends a test that tried a feature and was refused with err. It fails the test where the running kernel
// should have the feature and this process may use it; otherwise it skips it.
func Skip(t testing.TB, f features.Feature, err error) {
	t.Helper()
	k, kernelErr := features.Running()
	if kernelErr != nil {
		t.Fatal(kernelErr)
	}
	if why := wrong(k, f, err, privileged()); why != "" {
		t.Fatalf("%s: %v", why, err)
	}
	t.Skipf("tried %s: %v", f, err)
}

// wrong says why a test may not skip a feature that was refused with err, or nothing where it may.
func wrong(k features.Kernel, f features.Feature, err error, privileged bool) string {
	first, ok := f.Since(k.Arch)
	if !ok || !k.Has(f) {
		return ""
	}
	// A kernel that has a feature may refuse it by a policy of its own to whoever asks. Those of the matrix
	// are known to have none.
	if errors.Is(err, fs.ErrPermission) && !(k.Reference && privileged) {
		return ""
	}
	return fmt.Sprintf("Linux %v should have %s, which came to %s with %v", k.Release, f, k.Arch, first)
}

// privileged reports whether this process may do everything that root of the host may.
func privileged() bool {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return false
	}
	users, err := os.ReadFile("/proc/self/uid_map")
	if err != nil || strings.Join(strings.Fields(string(users)), " ") != "0 0 4294967295" {
		return false // root of a user namespace
	}
	const sysAdmin = 1 << 21
	var caps uint64
	filtered := true
	for line := range strings.Lines(string(status)) {
		switch name, value, _ := strings.Cut(line, ":"); name {
		case "CapEff":
			fmt.Sscanf(strings.TrimSpace(value), "%x", &caps)
		case "Seccomp":
			filtered = strings.TrimSpace(value) != "0"
		}
	}
	return caps&sysAdmin != 0 && !filtered
}
