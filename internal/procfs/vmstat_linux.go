package procfs

import (
	"fmt"
	"strings"
)

// VMStat reads /proc/vmstat: the host's memory counters by the kernel's names.
// Which there are depends on the kernel: pgfault and pgmajfault always are,
// thp_fault_alloc only with transparent huge pages. So test for presence where
// an absent counter must not pass for zero.
//
// The event counters (pgfault, thp_…) are exact sums over the CPUs; pgfault
// includes the major faults.
func VMStat() (map[string]uint64, error) { return read("/proc/vmstat", parseVMStat) }

// parseVMStat parses lines "name value".
func parseVMStat(b []byte) (map[string]uint64, error) {
	counters := make(map[string]uint64)
	for line := range strings.Lines(string(b)) {
		name, value, ok := strings.Cut(strings.TrimSuffix(line, "\n"), " ")
		if !ok || name == "" {
			return nil, fmt.Errorf("line %q: want a name and a number", line)
		}
		n, err := parseUint(value)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		counters[name] = n
	}
	return counters, nil
}
