package doctor

import (
	"context"
	"encoding/binary"
	"fmt"
	"os"
	"strconv"
	"strings"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/ring3-go/ring3/internal/procfs"
)

func perfTrials() []trial {
	return []trial{
		{"perf events: own thread", perfOwnThread},
		{"perf events: every CPU", perfEveryCPU},
	}
}

const paranoid = "kernel.perf_event_paranoid"

func perfOwnThread(context.Context) Check {
	// The kernel's part is left out: an ordinary user may not have it.
	seen, caused, err := perfFaults(0, []int{-1}, unix.PerfBitExcludeKernel)
	if err != nil {
		evidence, remedy := unlessFiltered("perf_event_open", err, fmt.Sprintf("%v; %s", err, sysctl(paranoid)), "sudo sysctl "+paranoid+"=2")
		return refused(evidence, "a program cannot count its own events; rusage still does", remedy)
	}
	return perfResult(seen, caused, "its own events")
}

func perfEveryCPU(context.Context) Check {
	cpus, err := procfs.OnlineCPUs()
	if err != nil {
		return limited(err.Error(), "not known", "sudo mount -t sysfs sysfs /sys")
	}
	seen, caused, err := perfFaults(-1, cpus, 0)
	if err != nil {
		evidence, remedy := unlessFiltered("perf_event_open", err, fmt.Sprintf("%v; %s", err, sysctl(paranoid)), grantPerf())
		return refused(evidence, "page faults: back ends that use perf events cannot work", remedy)
	}
	return perfResult(seen, caused, "events of every CPU")
}

// grantPerf is the remedy where perf events of every task are refused. Some distributions add a level above 2
// to the setting, at which CAP_PERFMON does not help.
func grantPerf() string {
	b, err := os.ReadFile("/proc/sys/kernel/perf_event_paranoid")
	if err != nil || !mayTrace() {
		return grant(capPerfmon)
	}
	if level, err := strconv.Atoi(strings.TrimSpace(string(b))); err == nil && level > 2 {
		return "sudo sysctl " + paranoid + "=2, or run probe with sudo"
	}
	return grant(capPerfmon)
}

func perfResult(seen, caused uint64, of string) Check {
	evidence := fmt.Sprintf("%d page faults caused, %d seen; %s", caused, seen, sysctl(paranoid))
	if seen < caused {
		return limited(evidence, "counts of "+of+" are too low", "")
	}
	return passed("%s", evidence)
}

// perfFaults counts page faults of a process (0 this thread, -1 every task) on some CPUs (-1 all) by software
// perf events while this thread takes a known number of them.
func perfFaults(pid int, cpus []int, bits uint64) (seen, caused uint64, err error) {
	attr := unix.PerfEventAttr{
		Type:   unix.PERF_TYPE_SOFTWARE,
		Size:   uint32(unsafe.Sizeof(unix.PerfEventAttr{})),
		Config: unix.PERF_COUNT_SW_PAGE_FAULTS,
		Bits:   bits,
	}
	fresh, err := newPages()
	if err != nil {
		return 0, 0, err
	}
	defer fresh.free()
	var fds []int
	defer func() {
		for _, fd := range fds {
			unix.Close(fd)
		}
	}()
	for _, cpu := range cpus {
		fd, err := unix.PerfEventOpen(&attr, pid, cpu, -1, unix.PERF_FLAG_FD_CLOEXEC)
		if err != nil {
			return 0, 0, fmt.Errorf("perf_event_open: %w", err)
		}
		fds = append(fds, fd)
	}
	fresh.touch()
	for _, fd := range fds {
		var count [8]byte
		if _, err := unix.Read(fd, count[:]); err != nil {
			return 0, 0, fmt.Errorf("read perf event: %w", err)
		}
		seen += binary.NativeEndian.Uint64(count[:])
	}
	return seen, fresh.n, nil
}
