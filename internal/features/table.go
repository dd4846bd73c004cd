package features

import "strings"

// A Feature is something that some kernels have and others have not. Its text is how people call it.
type Feature string

// What observers stand on.
const (
	BTFTracepoint  Feature = "BTF tracepoints (tp_btf)"
	FaultEntry     Feature = "tracepoints of page-fault exceptions"
	Fentry         Feature = "fentry programs"
	Fexit          Feature = "fexit programs"
	PerfLink       Feature = "programs linked to perf events"
	TaskStorage    Feature = "task storage of tracing programs"
	VMAIterator    Feature = "iterator over mappings (iter/task_vma)"
	SoftwareFaults Feature = "perf events of page faults"
)

// Memory.
const (
	PopulateRead         Feature = "MADV_POPULATE_READ"
	GuardInstall         Feature = "MADV_GUARD_INSTALL"
	PagemapScan          Feature = "PAGEMAP_SCAN"
	Seal                 Feature = "mseal"
	ProcessRelease       Feature = "process_mrelease"
	CacheStat            Feature = "cachestat"
	Userfault            Feature = "userfaultfd"
	UserfaultDevice      Feature = "/dev/userfaultfd"
	UserfaultProtect     Feature = "userfaultfd: write-protect"
	UserfaultMinor       Feature = "userfaultfd: minor faults of shared memory"
	UserfaultExact       Feature = "userfaultfd: exact addresses"
	UserfaultUnpopulated Feature = "userfaultfd: write-protect where no page is"
	UserfaultPoison      Feature = "userfaultfd: poison"
	UserfaultAsync       Feature = "userfaultfd: asynchronous write-protect"
	UserfaultMove        Feature = "userfaultfd: move"
)

// Waiting, and input and output.
const (
	EpollPwait2   Feature = "epoll_pwait2"
	EpollBusyPoll Feature = "epoll: busy-poll parameters"
	FutexWaitv    Feature = "futex_waitv"
	Futex2        Feature = "futex_wait, futex_wake, futex_requeue"
	Ring          Feature = "io_uring"
	RingBuffers   Feature = "io_uring: buffer rings"
	RingDefer     Feature = "io_uring: deferred task work"
	RingNoArray   Feature = "io_uring: submission without an index array"
	RingBundle    Feature = "io_uring: bundles"
	RingMinWait   Feature = "io_uring: minimum wait"
	VDSOGetrandom Feature = "getrandom in the vDSO"
)

// What the calls of memory and of rings need besides.
const (
	MemoryPolicy   Feature = "memory policies of nodes"
	HomeNode       Feature = "set_mempolicy_home_node"
	ProcessAdvice  Feature = "process_madvise"
	ProtectionKeys Feature = "memory protection keys"
	ShadowStack    Feature = "map_shadow_stack"
	RingRegWait    Feature = "io_uring: registered waits"
	RingQuery      Feature = "io_uring: query"
)

// A since is one row: the first kernels that have a feature, zero where none has.
type since struct {
	amd64, arm64 Version
	// symbol is one of the kernel's that is there only where the kernel was built with the option that the
	// feature needs; empty where every kernel has it.
	symbol string
	// processor is what /proc/cpuinfo says where the processor has the feature and the kernel uses it, one word for
	// each architecture; empty where every processor will do.
	processor string
}

// every is a row for a feature that came to all architectures at once.
func every(major, minor int, symbol string) since {
	v := Version{major, minor}
	return since{amd64: v, arm64: v, symbol: symbol}
}

// table is the whole of it. Versions are those of mainline.
var table = map[Feature]since{
	BTFTracepoint:  every(5, 5, "bpf_raw_tp_link_attach"),
	FaultEntry:     {amd64: Version{3, 13}, symbol: "__traceiter_page_fault_user"},
	Fentry:         {amd64: Version{5, 5}, arm64: Version{6, 4}, symbol: "register_ftrace_direct"},
	Fexit:          {amd64: Version{5, 5}, arm64: Version{6, 4}, symbol: "register_ftrace_direct"},
	PerfLink:       every(5, 15, "perf_event_set_bpf_prog"),
	TaskStorage:    every(5, 11, "bpf_task_storage_get"),
	VMAIterator:    every(5, 12, "bpf_iter_task_vma"),
	SoftwareFaults: every(2, 6, "perf_event_read_value"),

	PopulateRead:         every(5, 14, ""),
	GuardInstall:         every(6, 13, ""),
	PagemapScan:          every(6, 7, "do_pagemap_cmd"),
	Seal:                 every(6, 10, ""),
	ProcessRelease:       every(5, 15, ""),
	CacheStat:            every(6, 5, ""),
	Userfault:            every(4, 3, "handle_userfault"),
	UserfaultDevice:      every(6, 1, "handle_userfault"),
	UserfaultProtect:     {amd64: Version{5, 7}, arm64: Version{6, 10}, symbol: "handle_userfault"},
	UserfaultMinor:       every(5, 14, "handle_userfault"),
	UserfaultExact:       every(5, 18, "handle_userfault"),
	UserfaultUnpopulated: {amd64: Version{6, 4}, arm64: Version{6, 10}, symbol: "handle_userfault"},
	UserfaultPoison:      every(6, 6, "handle_userfault"),
	UserfaultAsync:       {amd64: Version{6, 7}, arm64: Version{6, 10}, symbol: "handle_userfault"},
	UserfaultMove:        every(6, 8, "handle_userfault"),

	EpollPwait2:   every(5, 11, ""),
	EpollBusyPoll: every(6, 9, "napi_busy_loop"),
	FutexWaitv:    every(5, 16, ""),
	Futex2:        every(6, 7, ""),
	Ring:          every(5, 1, "io_ring_exit_work"),
	RingBuffers:   every(5, 19, "io_ring_exit_work"),
	RingDefer:     every(6, 1, "io_ring_exit_work"),
	RingNoArray:   every(6, 6, "io_ring_exit_work"),
	RingBundle:    every(6, 10, "io_ring_exit_work"),
	RingMinWait:   every(6, 12, "io_ring_exit_work"),
	VDSOGetrandom: {amd64: Version{6, 11}, arm64: Version{6, 12}},

	MemoryPolicy:   every(2, 6, "mpol_shared_policy_init"),
	HomeNode:       every(5, 17, "mpol_shared_policy_init"),
	ProcessAdvice:  every(5, 10, ""),
	ProtectionKeys: {amd64: Version{4, 9}, arm64: Version{6, 12}, processor: "ospke poe"},
	ShadowStack:    {amd64: Version{6, 6}, arm64: Version{6, 13}, processor: "user_shstk gcs"},
	RingRegWait:    every(6, 13, "io_ring_exit_work"),
	RingQuery:      every(6, 18, "io_ring_exit_work"),
}

// All returns every feature of the table, in no order.
func All() []Feature {
	all := make([]Feature, 0, len(table))
	for f := range table {
		all = append(all, f)
	}
	return all
}

// Since returns the first kernel that has the feature on an architecture, as GOARCH has it. It is not ok
// where none has, and where the table knows nothing of either.
func (f Feature) Since(arch string) (v Version, ok bool) {
	switch row := table[f]; arch {
	case "amd64":
		v = row.amd64
	case "arm64":
		v = row.arm64
	}
	return v, v != Version{}
}

// Symbol returns the kernel symbol that tells whether a kernel was built with the feature, or nothing
// where each is.
func (f Feature) Symbol() string { return table[f].symbol }

// Processor returns the words of /proc/cpuinfo of which a processor with the feature has one, or none where
// each will do.
func (f Feature) Processor() []string { return strings.Fields(table[f].processor) }
