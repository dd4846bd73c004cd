package doctor

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"strings"
	"unsafe"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/btf"
	"golang.org/x/sys/unix"

	"github.com/ring3-go/ring3/internal/procfs"
)

func kernelTrials() []trial {
	return []trial{
		{"kernel", kernel},
		{"kernel types (BTF)", kernelTypes},
		{"lockdown", lockdown},
	}
}

// kernel is for the reader of a report: nothing else here asks for a version.
func kernel(context.Context) Check {
	var uts unix.Utsname
	if err := unix.Uname(&uts); err != nil {
		return limited(fmt.Sprintf("uname: %v", err), "not known", "")
	}
	evidence := fmt.Sprintf("%s %s %s", unix.ByteSliceToString(uts.Sysname[:]), unix.ByteSliceToString(uts.Release[:]), unix.ByteSliceToString(uts.Machine[:]))
	if cpus, err := procfs.OnlineCPUs(); err == nil {
		evidence += fmt.Sprintf(", %d CPUs online", len(cpus))
	}
	if runtime.GOARCH != "amd64" && runtime.GOARCH != "arm64" {
		return refused(evidence, "nothing can be observed on this architecture", "run it on amd64 or arm64")
	}
	return passed("%s", evidence)
}

func kernelTypes(context.Context) Check {
	const file = "/sys/kernel/btf/vmlinux"
	const means = "no eBPF: programs cannot be fitted to this kernel"
	const remedy = "a kernel built with CONFIG_DEBUG_INFO_BTF=y"
	info, openErr := os.Stat(file)
	spec, err := btf.LoadKernelSpec()
	if err != nil {
		return refused(err.Error(), means, remedy)
	}
	var task *btf.Struct
	if err := spec.TypeByName("task_struct", &task); err != nil {
		return refused(fmt.Sprintf("read, but without task_struct: %v", err), means, remedy)
	}
	if openErr != nil {
		return passed("not in /sys, but found on disk; task_struct has %d members", len(task.Members))
	}
	return passed("%s: %d KiB; task_struct has %d members", file, info.Size()>>10, len(task.Members))
}

// lockdown reads what lockdown says of itself; what it forbids, the other checks find out.
func lockdown(context.Context) Check {
	const dir = "/sys/kernel/security"
	b, err := os.ReadFile(dir + "/lockdown")
	if err != nil {
		var fs unix.Statfs_t
		if unix.Statfs(dir, &fs) == nil && fs.Type == unix.SECURITYFS_MAGIC && errors.Is(err, os.ErrNotExist) {
			return passed("none: kernel without it")
		}
		return limited("unknown: "+err.Error(), "where something is refused, lockdown may be why",
			"sudo mount -t securityfs securityfs "+dir)
	}
	// All modes, the one in force in brackets: "none [integrity] confidentiality".
	modes := strings.TrimSpace(string(b))
	if strings.Contains(modes, "[confidentiality]") {
		return limited(modes, "eBPF may not read kernel memory; perf events are refused", "boot with lockdown=integrity")
	}
	return passed("%s", modes)
}

// unprivilegedBPF shows what this host gives to a process without capabilities. No answer is a fault: the
// observers' programs need CAP_BPF and CAP_PERFMON either way.
func unprivilegedBPF(context.Context) Check {
	err := withoutCapabilities(func() error {
		attr := struct{ mapType, keySize, valueSize, maxEntries uint32 }{unix.BPF_MAP_TYPE_ARRAY, 4, 4, 1}
		fd, _, errno := unix.Syscall(unix.SYS_BPF, unix.BPF_MAP_CREATE, uintptr(unsafe.Pointer(&attr)), unsafe.Sizeof(attr))
		if errno != 0 {
			return errno
		}
		return unix.Close(int(fd))
	})
	setting := sysctl("kernel.unprivileged_bpf_disabled")
	if err != nil {
		return passed("off: %v, without capabilities; %s", err, setting)
	}
	return passed("on: a map was granted without capabilities; %s", setting)
}

// sysctl is a setting as sysctl(8) prints it.
func sysctl(name string) string {
	b, err := os.ReadFile("/proc/sys/" + strings.ReplaceAll(name, ".", "/"))
	if err != nil {
		return name + " is not there"
	}
	return name + " = " + strings.TrimSpace(string(b))
}

func programStatistics(context.Context) Check {
	stats, err := ebpf.EnableStats(uint32(unix.BPF_STATS_RUN_TIME))
	if err != nil {
		evidence, remedy := unlessFiltered("bpf", err, fmt.Sprintf("BPF_ENABLE_STATS: %v", err), grant(capAdmin))
		return refused(evidence, "what the observers themselves cost is not measured by the kernel", remedy)
	}
	stats.Close()
	return passed("BPF_ENABLE_STATS granted: the observers' own cost is known")
}
