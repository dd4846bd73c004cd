//go:build linux && (amd64 || arm64)

package features

import (
	"errors"
	"io/fs"
	"os"
	"testing"

	"github.com/cilium/ebpf"
	"golang.org/x/sys/unix"
)

// tries has how to find out about each feature: nil where the kernel has it.
func tries(t *testing.T) map[Feature]func() error {
	const onFault = "handle_mm_fault"
	userfault := func(bit int) func() error { return func() error { return tryUserfault(bit) } }
	ring := func(flags, features uint32) func() error { return func() error { return tryRing(flags, features) } }
	tracing := func(how ebpf.AttachType, to string) func() error {
		return func() error { return tryTracing(how, to) }
	}
	const none = ^uintptr(0) // no descriptor
	return map[Feature]func() error{
		BTFTracepoint:  tracing(ebpf.AttachTraceRawTp, "sched_switch"),
		FaultEntry:     tracing(ebpf.AttachTraceRawTp, "page_fault_user"),
		Fentry:         tracing(ebpf.AttachTraceFEntry, onFault),
		Fexit:          tracing(ebpf.AttachTraceFExit, onFault),
		PerfLink:       tryPerfLink,
		TaskStorage:    tryTaskStorage,
		VMAIterator:    tryIterator,
		SoftwareFaults: func() error { return openFaults(func(int) error { return nil }) },

		PopulateRead:   func() error { return tryAdvice(t, unix.MADV_POPULATE_READ) },
		GuardInstall:   func() error { return tryAdvice(t, unix.MADV_GUARD_INSTALL) },
		PagemapScan:    func() error { return tryPagemapScan(t) },
		Seal:           func() error { return refusedWith(unix.EINVAL, unix.SYS_MSEAL, 1, 1) }, // not a page's address
		ProcessRelease: func() error { return refusedWith(unix.EBADF, unix.SYS_PROCESS_MRELEASE, none) },
		CacheStat:      func() error { return refusedWith(unix.EBADF, unix.SYS_CACHESTAT, none) },

		Userfault:            func() error { _, err := userfaultBits(); return err },
		UserfaultDevice:      tryUserfaultDevice,
		UserfaultProtect:     userfault(0),
		UserfaultMinor:       userfault(10),
		UserfaultExact:       userfault(11),
		UserfaultUnpopulated: userfault(13),
		UserfaultPoison:      userfault(14),
		UserfaultAsync:       userfault(15),
		UserfaultMove:        userfault(16),

		EpollPwait2:   func() error { return tryEpollPwait2(t) },
		EpollBusyPoll: func() error { return tryBusyPoll(t) },
		FutexWaitv:    func() error { return refusedWith(unix.EINVAL, unix.SYS_FUTEX_WAITV) },
		Futex2:        func() error { return refusedWith(unix.EINVAL, unix.SYS_FUTEX_WAIT, 0, 0, 0, none) },
		Ring:          ring(0, 0),
		RingBuffers:   func() error { return tryRingBuffers(t) },
		RingDefer:     ring(1<<12|1<<13, 0), // SINGLE_ISSUER, DEFER_TASKRUN
		RingNoArray:   ring(1<<16, 0),       // NO_SQARRAY
		RingBundle:    ring(0, 1<<14),       // FEAT_RECVSEND_BUNDLE
		RingMinWait:   ring(0, 1<<15),       // FEAT_MIN_TIMEOUT
		VDSOGetrandom: func() error { return tryVDSO("__vdso_getrandom", "__kernel_getrandom") },

		MemoryPolicy: func() error { return refusedWith(unix.EINVAL, unix.SYS_GET_MEMPOLICY, 0, 0, 0, 0, none) },
		HomeNode:     func() error { return refusedWith(unix.EINVAL, unix.SYS_SET_MEMPOLICY_HOME_NODE, 1) },
		ProcessAdvice: func() error {
			return refusedWith(unix.EBADF, unix.SYS_PROCESS_MADVISE, none, 0, 0, unix.MADV_COLD)
		},
		ProtectionKeys: tryProtectionKeys,
		ShadowStack:    tryShadowStack,
		RingRegWait:    func() error { return tryRingRegWait(t) },
		RingQuery:      func() error { return call(unix.SYS_IO_URING_REGISTER, none, 35) }, // IORING_REGISTER_QUERY
	}
}

// TestTableIsWhatThisKernelCan tries every row. A kernel of the matrix must have exactly what the table
// says. Any other must have what it was built with, may have taken something from a later one, and may
// refuse a thing by a policy of its own.
func TestTableIsWhatThisKernelCan(t *testing.T) {
	k, err := Running()
	if err != nil {
		t.Fatal(err)
	}
	tries := tries(t)
	for _, f := range All() {
		try := tries[f]
		if try == nil {
			t.Errorf("%s: nobody knows how to try it", f)
			continue
		}
		t.Run(string(f), func(t *testing.T) {
			first, ever := f.Since(k.Arch)
			err := try()
			refused := errors.Is(err, fs.ErrPermission)
			switch {
			case err == nil && !k.Has(f) && k.Reference:
				t.Errorf("Linux %v has it; the table says %v (ever: %v)", k.Release, first, ever)
			case err != nil && k.Has(f) && refused && !(k.Reference && os.Geteuid() == 0):
				t.Skipf("tried: %v", err)
			case err != nil && k.Has(f):
				t.Errorf("Linux %v has it not (%v); the table says since %v", k.Release, err, first)
			}
		})
	}
}
