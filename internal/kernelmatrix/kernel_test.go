package kernelmatrix

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestSelectKernels(t *testing.T) {
	for list, want := range map[string]string{
		"":                       "amd64-6.1 amd64-6.12 arm64-6.1 arm64-6.12",
		"amd64-6.12":             "amd64-6.12",
		"arm64-6.1, amd64-6.1":   "amd64-6.1 arm64-6.1",
		"arm64-6.12,arm64-6.12,": "",
		"amd64-5.10":             "",
		"amd64":                  "",
	} {
		kernels, err := SelectKernels(list)
		var names []string
		for _, k := range kernels {
			names = append(names, k.Name())
		}
		if diff := cmp.Diff(want, strings.Join(names, " ")); diff != "" {
			t.Errorf("%q: %s", list, diff)
		}
		if (err != nil) != (want == "") {
			t.Errorf("%q: error %v", list, err)
		}
	}
}
