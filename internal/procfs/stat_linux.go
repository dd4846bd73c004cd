package procfs

import (
	"fmt"
	"math"
	"strings"
	"time"
)

// A StatInfo is what /proc/stat says of the host since it started.
type StatInfo struct {
	// Ctxt counts context switches on all CPUs.
	Ctxt uint64
	// Processes counts forks and clones, threads included.
	Processes uint64
	// BootTime is when the host started, to the second, by the wall clock as
	// it is set now.
	BootTime time.Time
	// OnlineCPUs is the number of CPUs that have a line of their own: those
	// that were online.
	OnlineCPUs int
}

// Stat reads /proc/stat. The kernel adds the counters up over the CPUs one
// after another while they run on, so a switch that happens meanwhile may be
// in Ctxt or not.
func Stat() (StatInfo, error) { return read("/proc/stat", parseStat) }

// parseStat parses lines "key value…".
func parseStat(b []byte) (StatInfo, error) {
	var info StatInfo
	var btime uint64
	missing := map[string]*uint64{"ctxt": &info.Ctxt, "btime": &btime, "processes": &info.Processes}
	for line := range strings.Lines(string(b)) {
		key, value, _ := strings.Cut(strings.TrimSuffix(line, "\n"), " ")
		if cpu, ok := strings.CutPrefix(key, "cpu"); ok && cpu != "" { // "cpu" alone is the sum
			info.OnlineCPUs++
		}
		field, ok := missing[key]
		if !ok {
			continue
		}
		delete(missing, key)
		var err error
		if *field, err = parseUint(value); err != nil {
			return StatInfo{}, fmt.Errorf("%s: %w", key, err)
		}
	}
	for key := range missing {
		return StatInfo{}, fmt.Errorf("%s: missing", key)
	}
	if btime > math.MaxInt64 {
		return StatInfo{}, fmt.Errorf("btime: %d: out of range", btime)
	}
	info.BootTime = time.Unix(int64(btime), 0)
	return info, nil
}
