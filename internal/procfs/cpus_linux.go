package procfs

import (
	"fmt"
	"strings"
)

// maxCPU bounds the CPU numbers that are believed. The kernel's own bound,
// CONFIG_NR_CPUS, is at most 8192.
const maxCPU = 1<<16 - 1

// OnlineCPUs returns the numbers of the CPUs that the kernel schedules on now,
// in ascending order. Which of them this process may use is another question;
// see sched_getaffinity(2).
func OnlineCPUs() ([]int, error) { return read("/sys/devices/system/cpu/online", parseCPUList) }

// PossibleCPUs returns the numbers of the CPUs that can ever come online until
// the next boot, in ascending order. They may have gaps: something indexed by
// CPU number needs the last one plus one.
func PossibleCPUs() ([]int, error) { return read("/sys/devices/system/cpu/possible", parseCPUList) }

// NumPossibleCPU returns the number of possible CPUs: how many values a
// per-CPU BPF map has for a key.
func NumPossibleCPU() (int, error) {
	cpus, err := PossibleCPUs()
	return len(cpus), err
}

// parseCPUList parses a list such as "0-3,5" into the numbers it stands for.
// The kernel prints each list in ascending order, without overlap; a file
// about no CPU is empty but for the newline.
func parseCPUList(b []byte) ([]int, error) {
	list := strings.TrimSuffix(string(b), "\n")
	if list == "" {
		return nil, nil
	}
	var cpus []int
	next := 0
	for part := range strings.SplitSeq(list, ",") {
		low, high, isRange := strings.Cut(part, "-")
		if !isRange {
			high = low
		}
		first, err := parseID(low)
		if err != nil {
			return nil, fmt.Errorf("CPU list: %w", err)
		}
		last, err := parseID(high)
		if err != nil {
			return nil, fmt.Errorf("CPU list: %w", err)
		}
		if first < next || last < first || last > maxCPU {
			return nil, fmt.Errorf("CPU list: %q: out of order or range", part)
		}
		for cpu := first; cpu <= last; cpu++ {
			cpus = append(cpus, cpu)
		}
		next = last + 1
	}
	return cpus, nil
}
