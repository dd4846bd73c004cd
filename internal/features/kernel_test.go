package features

import "testing"

func TestReleasesAreRead(t *testing.T) {
	for release, want := range map[string]Version{
		"6.12.107+deb13-cloud-amd64": {6, 12},
		"6.1.0-50-cloud-arm64":       {6, 1},
		"7.0-rc1":                    {7, 0},
	} {
		if got, err := ParseVersion(release); err != nil || got != want {
			t.Errorf("%s is %v, %v; want %v", release, got, err, want)
		}
	}
	for _, release := range []string{"", "6", "linux", "-1.2"} {
		if got, err := ParseVersion(release); err == nil {
			t.Errorf("%q is %v; want an error", release, got)
		}
	}
}

func TestKernelHasWhatIsNoNewerAndBuiltIn(t *testing.T) {
	with := map[string]bool{Fentry.Symbol(): true}
	for _, tt := range []struct {
		kernel Kernel
		want   bool
	}{
		{Kernel{Arch: "amd64", Release: Version{5, 4}, Symbols: with}, false},
		{Kernel{Arch: "amd64", Release: Version{5, 5}, Symbols: with}, true},
		{Kernel{Arch: "amd64", Release: Version{6, 18}}, false}, // built without
		{Kernel{Arch: "amd64", Release: Version{6, 18}, Reference: true}, true},
		{Kernel{Arch: "arm64", Release: Version{6, 1}, Symbols: with}, false},
		{Kernel{Arch: "arm64", Release: Version{6, 4}, Symbols: with}, true},
		{Kernel{Arch: "riscv64", Release: Version{6, 18}, Symbols: with}, false},
	} {
		if got := tt.kernel.Has(Fentry); got != tt.want {
			t.Errorf("%+v has fentry: %v; want %v", tt.kernel, got, tt.want)
		}
	}
}

func TestProcessorCountsWhereAFeatureNeedsIt(t *testing.T) {
	can := readProcessor("processor\t: 0\nflags\t\t: fpu pku ospke\n\nprocessor\t: 1\nflags\t\t: fpu\n")
	for _, tt := range []struct {
		kernel Kernel
		want   bool
	}{
		{Kernel{Arch: "amd64", Release: Version{6, 18}, Reference: true, Processor: can}, true},
		{Kernel{Arch: "amd64", Release: Version{4, 8}, Processor: can}, false},
		{Kernel{Arch: "amd64", Release: Version{6, 18}, Reference: true, Processor: readProcessor("flags\t: fpu pku\n")}, false},
		{Kernel{Arch: "arm64", Release: Version{6, 12}, Processor: readProcessor("Features\t: fp asimd poe\n")}, true},
		{Kernel{Arch: "arm64", Release: Version{6, 12}}, false},
	} {
		if got := tt.kernel.Has(ProtectionKeys); got != tt.want {
			t.Errorf("%+v has protection keys: %v; want %v", tt.kernel, got, tt.want)
		}
	}
}

func TestSymbolsOfModulesAreNotTheKernels(t *testing.T) {
	found := readSymbols("ffffffff81498820 T register_ftrace_direct\nffffffffc0000000 t handle_userfault\t[mod]\n0 T other\n")
	if len(found) != 1 || !found["register_ftrace_direct"] {
		t.Errorf("found %v", found)
	}
}
