package syscalls

import (
	"errors"
	"fmt"
	"os"
	"reflect"
	"runtime"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/ring3-go/ring3/internal/features"
	"github.com/ring3-go/ring3/internal/features/featuretest"
)

// numaMaps returns what /proc/self/task/TID/numa_maps says of the mapping at m: the policy, and the rest.
func numaMaps(t testing.TB, m []byte) (policy, rest string) {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/self/task/%d/numa_maps", unix.Gettid()))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if start, said, _ := strings.Cut(strings.TrimSpace(line), " "); start == strconv.FormatUint(uint64(addressOf(m)), 16) {
			policy, rest, _ = strings.Cut(said, " ")
			return policy, rest
		}
	}
	t.Fatalf("numa_maps has no mapping at %#x", addressOf(m))
	return "", ""
}

// oneNode returns a node that this thread may use, and the set of it alone.
func oneNode(t testing.TB) (node int, mask *NodeMask) {
	t.Helper()
	var allowed NodeMask
	if _, err := GetMempolicy(&allowed, 0, unix.MPOL_F_MEMS_ALLOWED); err != nil {
		featuretest.Skip(t, features.MemoryPolicy, err)
	}
	status, err := os.ReadFile("/proc/thread-self/status")
	if err != nil {
		t.Fatal(err)
	}
	_, list, _ := strings.Cut(string(status), "Mems_allowed_list:\t")
	if list, _, _ = strings.Cut(list, "\n"); allowed.String() != list {
		t.Fatalf("allowed are %q; /proc says %q", allowed.String(), list)
	}
	node = allowed.Nodes()[0]
	set, err := NodesOf(node)
	if err != nil {
		t.Fatal(err)
	}
	return node, &set
}

func TestMbindIsInNumaMaps(t *testing.T) {
	node, mask := oneNode(t)
	m := ownTest(t, 2)
	unix.Madvise(m, unix.MADV_NOHUGEPAGE)
	if err := Mbind(addressOf(m), uintptr(len(m)), unix.MPOL_BIND|unix.MPOL_F_STATIC_NODES, mask, unix.MPOL_MF_MOVE|unix.MPOL_MF_STRICT); err != nil {
		t.Fatal(err)
	}
	m[0] = 1
	policy, rest := numaMaps(t, m)
	if want := fmt.Sprintf("bind=static:%d", node); policy != want || !strings.Contains(rest+" ", fmt.Sprintf("N%d=1 ", node)) {
		t.Errorf("numa_maps: %s %s; want %s and one page", policy, rest, want)
	}
	var nodes NodeMask
	if p, err := GetMempolicy(&nodes, addressOf(m), unix.MPOL_F_ADDR); err != nil || p != unix.MPOL_BIND|unix.MPOL_F_STATIC_NODES || nodes != *mask {
		t.Errorf("policy %v of %v, %v", p, nodes.String(), err)
	}
	if n, err := GetMempolicy(nil, addressOf(m), unix.MPOL_F_ADDR|unix.MPOL_F_NODE); err != nil || int(n) != node {
		t.Errorf("the page is on %d, %v; want %d", n, err, node)
	}
	none, err := NodesOf(nodesMax - 1)
	if err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct{ got, want error }{
		"part of a page": {Mbind(addressOf(m)+1, 1, unix.MPOL_BIND, mask, 0), unix.EINVAL},
		"no such node":   {Mbind(addressOf(m), uintptr(len(m)), unix.MPOL_BIND, &none, 0), unix.EINVAL},
		"no nodes":       {Mbind(addressOf(m), uintptr(len(m)), unix.MPOL_BIND, nil, 0), unix.EINVAL},
		"no memory":      {second(GetMempolicy(nil, 0x1000, unix.MPOL_F_ADDR)), unix.EFAULT},
		"no sense":       {second(GetMempolicy(nil, 0, unix.MPOL_F_MEMS_ALLOWED|unix.MPOL_F_ADDR)), unix.EINVAL},
	} {
		if !errors.Is(tt.got, tt.want) {
			t.Errorf("%s: %v; want %v", name, tt.got, tt.want)
		}
	}
}

func TestSetMempolicyIsTheThreads(t *testing.T) {
	node, mask := oneNode(t)
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	m := ownTest(t, 1)
	if err := SetMempolicy(unix.MPOL_PREFERRED, mask); err != nil {
		t.Fatal(err)
	}
	if policy, _ := numaMaps(t, m); policy != fmt.Sprintf("prefer:%d", node) {
		t.Errorf("numa_maps: %s", policy)
	}
	if p, err := GetMempolicy(nil, 0, 0); p != unix.MPOL_PREFERRED || err != nil {
		t.Errorf("policy %v, %v", p, err)
	}
	if err := SetMempolicy(unix.MPOL_DEFAULT, nil); err != nil {
		t.Fatal(err)
	}
	if policy, _ := numaMaps(t, m); policy != "default" {
		t.Errorf("numa_maps: %s", policy)
	}
	if err := SetMempolicy(100, nil); !errors.Is(err, unix.EINVAL) {
		t.Errorf("no policy: %v", err)
	}
}

// TestSetMempolicyHomeNode has only the kernel's errors to go by: nothing else shows a home node.
func TestSetMempolicyHomeNode(t *testing.T) {
	node, mask := oneNode(t)
	m := ownTest(t, 1)
	if err := SetMempolicyHomeNode(addressOf(m), uintptr(len(m)), node); errors.Is(err, unix.ENOSYS) {
		featuretest.Skip(t, features.HomeNode, err)
	} else if !errors.Is(err, unix.ENOENT) {
		t.Errorf("memory without a policy: %v", err)
	}
	if err := Mbind(addressOf(m), uintptr(len(m)), unix.MPOL_INTERLEAVE, mask, 0); err != nil {
		t.Fatal(err)
	}
	if err := SetMempolicyHomeNode(addressOf(m), uintptr(len(m)), node); !errors.Is(err, unix.EOPNOTSUPP) {
		t.Errorf("interleaved memory: %v", err)
	}
	if err := Mbind(addressOf(m), uintptr(len(m)), unix.MPOL_BIND, mask, 0); err != nil {
		t.Fatal(err)
	}
	if err := SetMempolicyHomeNode(addressOf(m), uintptr(len(m)), node); err != nil {
		t.Error(err)
	}
	if err := SetMempolicyHomeNode(addressOf(m), uintptr(len(m)), nodesMax); !errors.Is(err, unix.EINVAL) {
		t.Errorf("no such node: %v", err)
	}
}

func TestMovePagesSaysWherePagesAre(t *testing.T) {
	node, _ := oneNode(t)
	page := os.Getpagesize()
	m := ownTest(t, 2)
	unix.Madvise(m, unix.MADV_NOHUGEPAGE)
	m[0] = 1
	pages, status := []uintptr{addressOf(m), addressOf(m[page:])}, []int32{99, 99}
	for _, nodes := range [][]int32{nil, {int32(node), int32(node)}} {
		if left, err := MovePages(0, pages, nodes, status, unix.MPOL_MF_MOVE); err != nil || left != 0 {
			t.Errorf("to %v: %d left, %v", nodes, left, err)
		}
		if missing := unix.Errno(-status[1]); int(status[0]) != node || missing != unix.ENOENT && missing != unix.EFAULT {
			t.Errorf("to %v: %v; want %d and no page", nodes, status, node)
		}
	}
	if _, rest := numaMaps(t, m); !strings.Contains(rest+" ", fmt.Sprintf("N%d=1 ", node)) {
		t.Errorf("numa_maps: %s", rest)
	}
	for name, tt := range map[string]struct{ got, want error }{
		"lengths":      {second(MovePages(0, pages, nil, status[:1], 0)), unix.EINVAL},
		"more lengths": {second(MovePages(0, pages, []int32{0}, status, 0)), unix.EINVAL},
		"unknown flag": {second(MovePages(0, pages, nil, status, 1<<20)), unix.EINVAL},
		"no such node": {second(MovePages(0, pages, []int32{nodesMax - 1, nodesMax - 1}, status, unix.MPOL_MF_MOVE)), unix.ENODEV},
	} {
		if !errors.Is(tt.got, tt.want) {
			t.Errorf("%s: %v; want %v", name, tt.got, tt.want)
		}
	}
}

func TestMigratePages(t *testing.T) {
	node, mask := oneNode(t)
	m := ownTest(t, 1)
	m[0] = 1
	if left, err := MigratePages(0, mask, mask); left != 0 || err != nil {
		t.Errorf("%d left, %v", left, err)
	}
	if _, rest := numaMaps(t, m); !strings.Contains(rest+" ", fmt.Sprintf("N%d=1 ", node)) {
		t.Errorf("numa_maps: %s", rest)
	}
	none, err := NodesOf(nodesMax - 1)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := MigratePages(0, mask, &none); !errors.Is(err, unix.EINVAL) && !errors.Is(err, unix.EPERM) {
		t.Errorf("to no node: %v", err)
	}
	if _, err := MigratePages(1<<30, mask, mask); !errors.Is(err, unix.ESRCH) {
		t.Errorf("no process: %v", err)
	}
}

func TestNodeMask(t *testing.T) {
	for want, nodes := range map[string][]int{"": nil, "0": {0}, "0-2,63-64,1023": {0, 1, 2, 63, 64, 1023}} {
		m, err := NodesOf(nodes...)
		if err != nil || m.String() != want || !reflect.DeepEqual(m.Nodes(), nodes) {
			t.Errorf("%v is %q, %v, %v", nodes, m.String(), m.Nodes(), err)
		}
		for _, n := range []int{-1, 0, 5, 64, 1023, 1024} {
			in := false
			for _, has := range nodes {
				in = in || has == n
			}
			if m.Has(n) != in {
				t.Errorf("%v has %d: %v", nodes, n, m.Has(n))
			}
		}
	}
	for _, n := range []int{-1, nodesMax} {
		if _, err := NodesOf(n); !errors.Is(err, unix.EINVAL) {
			t.Errorf("node %d: %v", n, err)
		}
	}
	for p, want := range map[MemPolicy]string{
		unix.MPOL_DEFAULT: "MPOL_DEFAULT", unix.MPOL_BIND | unix.MPOL_F_STATIC_NODES: "MPOL_BIND|MPOL_F_STATIC_NODES", 50: "50",
	} {
		if p.String() != want {
			t.Errorf("%d is %s; want %s", uint32(p), p, want)
		}
	}
}

// stayOnOneProcessor keeps the test on a thread, and the thread on a processor, until the test ends.
func stayOnOneProcessor(t testing.TB) {
	t.Helper()
	lockThread(t)
	var all, one unix.CPUSet
	if err := unix.SchedGetaffinity(0, &all); err != nil {
		t.Fatal(err)
	}
	for cpu := 0; one.Count() == 0; cpu++ {
		if all.IsSet(cpu) {
			one.Set(cpu)
		}
	}
	if err := unix.SchedSetaffinity(0, &one); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.SchedSetaffinity(0, &all) })
}

// TestProcessMadviseCoolsPages sees the pages' accessed bits go.
func TestProcessMadviseCoolsPages(t *testing.T) {
	stayOnOneProcessor(t) // the kernel passes over pages that wait in another's batch for the list of all pages
	pidfd, err := unix.PidfdOpen(os.Getpid(), 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(pidfd)
	page := os.Getpagesize()
	m := ownTest(t, 4)
	unix.Madvise(m, unix.MADV_NOHUGEPAGE)
	for i := range 4 {
		m[i*page] = 1
	}
	want := fmt.Sprintf("%d kB", 4*page/1024)
	if got := smaps(t, m)["Referenced"]; got != want {
		t.Fatalf("smaps: referenced %s; want %s", got, want)
	}
	cool := []unix.RemoteIovec{{Base: addressOf(m), Len: page}, {Base: addressOf(m[2*page:]), Len: page}}
	n, err := ProcessMadvise(pidfd, cool, unix.MADV_COLD)
	if err != nil {
		featuretest.Skip(t, features.ProcessAdvice, err)
	}
	if got, want := smaps(t, m)["Referenced"], fmt.Sprintf("%d kB", 2*page/1024); n != 2*page || got != want {
		t.Errorf("%d bytes; smaps: referenced %s; want %s", n, got, want)
	}
	for name, tt := range map[string]struct{ got, want error }{
		"no pidfd":       {second(ProcessMadvise(-1, cool, unix.MADV_COLD)), unix.EBADF},
		"no advice":      {second(ProcessMadvise(pidfd, cool, 1000)), unix.EINVAL},
		"part of a page": {second(ProcessMadvise(pidfd, []unix.RemoteIovec{{Base: addressOf(m) + 1, Len: page}}, unix.MADV_COLD)), unix.EINVAL},
		"not mapped":     {second(ProcessMadvise(pidfd, []unix.RemoteIovec{{Base: 0x1000, Len: page}}, unix.MADV_COLD)), unix.ENOMEM},
	} {
		if !errors.Is(tt.got, tt.want) {
			t.Errorf("%s: %v; want %v", name, tt.got, tt.want)
		}
	}
}
