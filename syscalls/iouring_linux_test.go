package syscalls

import (
	"errors"
	"os"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"
	"unsafe"

	"github.com/cilium/ebpf/btf"
	"golang.org/x/sys/unix"

	"github.com/ring3-go/ring3/internal/features"
	"github.com/ring3-go/ring3/internal/features/featuretest"
)

// A testRing is a ring of which the test is the only user.
type testRing struct {
	fd     int
	params IoUringParams
	sq, cq []byte // mappings: both queues, one after the other where they are one mapping
	sqes   []IoUringSQE
}

// openTestRing makes and maps a ring of four entries, or skips where there is no io_uring.
func openTestRing(t testing.TB, flags IoUringSetupFlags, needs features.Feature) *testRing {
	t.Helper()
	r := &testRing{params: IoUringParams{Flags: flags}}
	fd, err := IoUringSetup(4, &r.params)
	if err != nil {
		featuretest.Skip(t, needs, err)
	}
	r.fd = fd
	t.Cleanup(func() { unix.Close(fd) })
	p := &r.params
	sq, cq := int(p.SQOff.Array+4*p.SQEntries), int(p.CQOff.CQEs+uint32(unsafe.Sizeof(IoUringCQE{}))*p.CQEntries)
	if p.Features&IORING_FEAT_SINGLE_MMAP == 0 {
		t.Fatal("no kernel that is supported maps the queues apart")
	}
	r.sq = mapTest(t, fd, IORING_OFF_SQ_RING, max(sq, cq))
	r.cq = r.sq
	sqes := mapTest(t, fd, IORING_OFF_SQES, int(p.SQEntries)*int(unsafe.Sizeof(IoUringSQE{})))
	r.sqes = unsafe.Slice((*IoUringSQE)(unsafe.Pointer(&sqes[0])), p.SQEntries)
	return r
}

// mapTest maps size bytes of a descriptor, or of no file with -1, until the test ends.
func mapTest(t testing.TB, fd int, offset int64, size int) []byte {
	t.Helper()
	flags := unix.MAP_SHARED | unix.MAP_POPULATE
	if fd < 0 {
		flags = unix.MAP_PRIVATE | unix.MAP_ANON
	}
	m, err := unix.Mmap(fd, offset, size, unix.PROT_READ|unix.PROT_WRITE, flags)
	if err != nil {
		t.Fatal(os.NewSyscallError("mmap", err))
	}
	t.Cleanup(func() { unix.Munmap(m) })
	return m
}

func word(m []byte, offset uint32) *uint32 { return (*uint32)(unsafe.Pointer(&m[offset])) }

// put adds an entry to the submission queue: the kernel reads the tail when it is entered.
func (r *testRing) put(e IoUringSQE) {
	tail := word(r.sq, r.params.SQOff.Tail)
	at := *tail & *word(r.sq, r.params.SQOff.RingMask)
	r.sqes[at] = e
	*word(r.sq, r.params.SQOff.Array+4*at) = at
	atomic.StoreUint32(tail, *tail+1)
}

// take removes the completion that is there, if there is one.
func (r *testRing) take() (c IoUringCQE, ok bool) {
	head, tail := word(r.cq, r.params.CQOff.Head), word(r.cq, r.params.CQOff.Tail)
	if *head == atomic.LoadUint32(tail) {
		return c, false
	}
	at := *head & *word(r.cq, r.params.CQOff.RingMask)
	c = *(*IoUringCQE)(unsafe.Pointer(&r.cq[r.params.CQOff.CQEs+at*uint32(unsafe.Sizeof(c))]))
	atomic.StoreUint32(head, *head+1)
	return c, true
}

// retry calls do until it is not interrupted: the runtime's own signals interrupt waits.
func retry[T any](do func() (T, error)) (T, error) {
	for {
		if v, err := do(); !errors.Is(err, unix.EINTR) {
			return v, err
		}
	}
}

func TestIoUringCompletesANop(t *testing.T) {
	r := openTestRing(t, 0, features.Ring)
	for name, enter := range map[string]func() (int, error){
		"error": func() (int, error) { return IoUringEnter(r.fd, 1, 1, IORING_ENTER_GETEVENTS, nil) },
		"mask":  func() (int, error) { return IoUringEnter(r.fd, 1, 1, IORING_ENTER_GETEVENTS, new(unix.Sigset_t)) },
		"argument": func() (int, error) {
			return IoUringEnterArg(r.fd, 1, 1, IORING_ENTER_GETEVENTS, new(IoUringGeteventsArg))
		},
		"errno": func() (int, error) {
			n, errno := IoUringEnterErrno(r.fd, 1, 1, IORING_ENTER_GETEVENTS, nil, 0)
			return n, asError(errno)
		},
		"raw": func() (int, error) { n, errno := RawIoUringEnter(r.fd, 1, 0, 0); return n, asError(errno) },
	} {
		t.Run(name, func(t *testing.T) {
			r.put(IoUringSQE{Opcode: IORING_OP_NOP, UserData: 42})
			if n, err := enter(); n != 1 || err != nil {
				t.Fatalf("submitted %d, %v", n, err)
			}
			if c, ok := r.take(); !ok || c != (IoUringCQE{UserData: 42}) {
				t.Errorf("completion %+v, %v", c, ok)
			}
		})
	}
}

func asError(errno unix.Errno) error {
	if errno != 0 {
		return errno
	}
	return nil
}

// TestIoUringReadsASocket sees that the fields of an entry are where the kernel looks for them. A read of a
// pipe would do no better: before 6.4 it takes a worker thread, whose start signals can spoil (ECANCELED).
func TestIoUringReadsASocket(t *testing.T) {
	lockThread(t) // with the thread its operations would end
	r := openTestRing(t, 0, features.Ring)
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(pair[0])
	defer unix.Close(pair[1])
	buf := mapTest(t, -1, 0, os.Getpagesize())
	r.put(IoUringSQE{
		Opcode: IORING_OP_READ, FD: int32(pair[0]), Off: ^uint64(0), Addr: uint64(uintptr(unsafe.Pointer(&buf[0]))),
		Len: uint32(len(buf)), UserData: 1,
	})
	if n, err := IoUringEnter(r.fd, 1, 0, 0, nil); n != 1 || err != nil {
		t.Fatalf("submitted %d, %v", n, err)
	}
	if c, ok := r.take(); ok {
		t.Fatalf("nothing was written yet: %+v", c)
	}
	if _, err := unix.Write(pair[1], []byte("ring")); err != nil {
		t.Fatal(err)
	}
	if _, err := retry(func() (int, error) { return IoUringEnter(r.fd, 0, 1, IORING_ENTER_GETEVENTS, nil) }); err != nil {
		t.Fatal(err)
	}
	if c, ok := r.take(); !ok || c.Res != 4 || string(buf[:4]) != "ring" {
		t.Errorf("completion %+v, %v; bytes %q", c, ok, buf[:4])
	}
}

func TestIoUringWaitEndsWithItsTime(t *testing.T) {
	r := openTestRing(t, 0, features.Ring)
	timeout := &unix.Timespec{Nsec: 20e6}
	arg := &IoUringGeteventsArg{Timeout: uint64(uintptr(unsafe.Pointer(timeout)))}
	begin := time.Now()
	_, err := retry(func() (int, error) {
		begin = time.Now()
		return IoUringEnterArg(r.fd, 0, 1, IORING_ENTER_GETEVENTS, arg)
	})
	if waited := time.Since(begin); !errors.Is(err, unix.ETIME) || waited < 20*time.Millisecond {
		t.Errorf("%v after %v", err, waited)
	}
	runtime.KeepAlive(timeout)
}

func TestIoUringWaitsAsRegistered(t *testing.T) {
	r := openTestRing(t, IORING_SETUP_R_DISABLED, features.Ring)
	memory := mapTest(t, -1, 0, os.Getpagesize())
	wait := unsafe.Slice((*IoUringRegWait)(unsafe.Pointer(&memory[0])), 2)
	wait[1] = IoUringRegWait{Timeout: unix.Timespec{Nsec: 20e6}, Flags: IORING_REG_WAIT_TS}
	region := &IoUringRegionDesc{
		UserAddr: uint64(uintptr(unsafe.Pointer(&memory[0]))), Size: uint64(len(memory)), Flags: IORING_MEM_REGION_TYPE_USER,
	}
	reg := &IoUringMemRegionReg{Region: uint64(uintptr(unsafe.Pointer(region))), Flags: IORING_MEM_REGION_REG_WAIT_ARG}
	_, err := IoUringRegister(r.fd, IORING_REGISTER_MEM_REGION, unsafe.Pointer(reg), 1)
	runtime.KeepAlive(region)
	if err != nil {
		featuretest.Skip(t, features.RingRegWait, err)
	}
	if _, err := IoUringRegister(r.fd, IORING_REGISTER_ENABLE_RINGS, nil, 0); err != nil {
		t.Fatal(err)
	}
	begin := time.Now()
	_, err = retry(func() (int, error) {
		begin = time.Now()
		return IoUringEnterRegWait(r.fd, 0, 1, IORING_ENTER_GETEVENTS, unsafe.Sizeof(wait[0]))
	})
	if waited := time.Since(begin); !errors.Is(err, unix.ETIME) || waited < 20*time.Millisecond {
		t.Errorf("%v after %v", err, waited)
	}
	_, err = IoUringEnterRegWait(r.fd, 0, 1, IORING_ENTER_GETEVENTS, uintptr(len(memory)))
	if !errors.Is(err, unix.EFAULT) {
		t.Errorf("outside of the memory: %v", err)
	}
}

func TestIoUringDisabledRingIsEnabled(t *testing.T) {
	r := openTestRing(t, IORING_SETUP_R_DISABLED, features.Ring)
	r.put(IoUringSQE{Opcode: IORING_OP_NOP})
	if _, err := IoUringEnter(r.fd, 1, 0, 0, nil); !errors.Is(err, unix.EBADFD) {
		t.Errorf("disabled: %v", err)
	}
	if _, err := IoUringRegister(r.fd, IORING_REGISTER_ENABLE_RINGS, nil, 0); err != nil {
		t.Fatal(err)
	}
	if n, err := IoUringEnter(r.fd, 1, 0, 0, nil); n != 1 || err != nil {
		t.Errorf("enabled: submitted %d, %v", n, err)
	}
}

func TestIoUringRefuses(t *testing.T) {
	openTestRing(t, 0, features.Ring)
	notRing, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	defer notRing.Close()
	fd := int(notRing.Fd())
	one := func(_ int, err error) error { return err }
	number := func(_ int, errno unix.Errno) error { return asError(errno) }
	for name, tt := range map[string]struct{ got, want error }{
		"no entries":       {one(IoUringSetup(0, new(IoUringParams))), unix.EINVAL},
		"unknown flag":     {one(IoUringSetup(1, &IoUringParams{Flags: 1 << 31})), unix.EINVAL},
		"no params":        {one(IoUringSetup(1, nil)), unix.EFAULT},
		"no descriptor":    {one(IoUringEnter(-1, 0, 0, 0, nil)), unix.EBADF},
		"no ring":          {one(IoUringEnter(fd, 0, 0, 0, nil)), unix.EOPNOTSUPP},
		"errno: no ring":   {number(IoUringEnterErrno(fd, 0, 0, 0, nil, 0)), unix.EOPNOTSUPP},
		"raw: no ring":     {number(RawIoUringEnter(fd, 0, 0, 0)), unix.EOPNOTSUPP},
		"arg: no ring":     {one(IoUringEnterArg(fd, 0, 0, 0, new(IoUringGeteventsArg))), unix.EOPNOTSUPP},
		"register nothing": {one(IoUringRegister(fd, IORING_REGISTER_FILES, nil, 0)), unix.EOPNOTSUPP},
		"register what":    {one(IoUringRegister(-1, 1<<30, nil, 0)), unix.EINVAL},
	} {
		if !errors.Is(tt.got, tt.want) {
			t.Errorf("%s: %v; want %v", name, tt.got, tt.want)
		}
		var syscallError *os.SyscallError
		if !strings.Contains(name, "errno") && !strings.Contains(name, "raw") && !errors.As(tt.got, &syscallError) {
			t.Errorf("%s: %v names no system call", name, tt.got)
		}
	}
}

// TestIoUringProbeKnowsTheOperations holds the numbers of operations against the kernel's own enumeration, and
// what it has of them against the release that each came with.
func TestIoUringProbeKnowsTheOperations(t *testing.T) {
	r := openTestRing(t, 0, features.Ring)
	probe := new(IoUringProbe)
	if _, err := IoUringRegister(r.fd, IORING_REGISTER_PROBE, unsafe.Pointer(probe), uint32(len(probe.Ops))); err != nil {
		t.Fatal(err)
	}
	if int(probe.OpsLen) != int(probe.LastOp)+1 {
		t.Errorf("%d operations, the last is %d", probe.OpsLen, probe.LastOp)
	}
	for i := range probe.Ops[:probe.OpsLen] {
		if op := probe.Ops[i]; int(op.Op) != i || op.Flags&IO_URING_OP_SUPPORTED == 0 && op.Op < IORING_OP_BIND {
			t.Errorf("operation %d is %+v", i, op)
		}
	}
	kernel, err := features.Running()
	if err != nil {
		t.Fatal(err)
	}
	last := map[features.Version]IoUringOp{{Major: 6, Minor: 1}: IORING_OP_SENDMSG_ZC, {Major: 6, Minor: 12}: IORING_OP_LISTEN}
	if want, ok := last[kernel.Release]; ok && kernel.Reference && probe.LastOp != want {
		t.Errorf("the last operation is %v; want %v", probe.LastOp, want)
	}
}

// TestIoUringNumbersAreTheKernels holds numbers against the enumerations in the kernel's BTF, by name.
func TestIoUringNumbersAreTheKernels(t *testing.T) {
	spec, err := kernelTypes()
	if err != nil {
		t.Skipf("read the kernel's types: %v", err)
	}
	ours := make(map[string]uint64)
	for i := range 65 {
		ours[IoUringOp(i).String()] = uint64(i)
	}
	for i := range 38 {
		ours[IoUringRegisterOp(i).String()] = uint64(i)
	}
	for i := range 4 {
		ours[IoUringRestrictionOp(i).String()] = uint64(i)
	}
	for bit, name := range []string{"FIXED_FILE", "IO_DRAIN", "IO_LINK", "IO_HARDLINK", "ASYNC", "BUFFER_SELECT", "CQE_SKIP_SUCCESS"} {
		ours["IOSQE_"+name+"_BIT"] = uint64(bit)
		if got := IoUringSQEFlags(1 << bit).String(); got != "IOSQE_"+name {
			t.Errorf("bit %d is %s", bit, got)
		}
	}
	found := 0
	for typ, err := range spec.All() {
		if err != nil {
			t.Fatal(err)
		}
		enum, ok := typ.(*btf.Enum)
		if !ok {
			continue
		}
		for _, v := range enum.Values {
			if !strings.HasPrefix(v.Name, "IORING_OP_") && !strings.HasPrefix(v.Name, "IORING_REGISTER_") &&
				!strings.HasPrefix(v.Name, "IORING_UNREGISTER_") && !strings.HasPrefix(v.Name, "IORING_RESTRICTION_") && !strings.HasPrefix(v.Name, "IOSQE_") {
				continue
			}
			switch v.Name {
			case "IORING_OP_LAST", "IORING_REGISTER_LAST", "IORING_RESTRICTION_LAST", "IORING_REGISTER_USE_REGISTERED_RING",
				"IORING_REGISTER_SRC_REGISTERED", "IORING_REGISTER_DST_REPLACE":
				continue
			}
			if number, ok := ours[v.Name]; !ok || number != v.Value {
				t.Errorf("%s is %d; ours %d, %v", v.Name, v.Value, number, ok)
			}
			found++
		}
	}
	if found < 49+26 { // as many as 6.1 has
		t.Errorf("the kernel's types name %d numbers", found)
	}
}

// TestIoUringKnowsAllOfTheKernel asks the kernel for all flags that it has: each must have a name here.
func TestIoUringKnowsAllOfTheKernel(t *testing.T) {
	openTestRing(t, 0, features.Ring)
	answer := new(IoUringQueryOpcode)
	question := &IoUringQueryHdr{
		QueryData: uint64(uintptr(unsafe.Pointer(answer))), QueryOp: IO_URING_QUERY_OPCODES, Size: uint32(unsafe.Sizeof(*answer)),
	}
	_, err := IoUringRegister(-1, IORING_REGISTER_QUERY, unsafe.Pointer(question), 0)
	runtime.KeepAlive(answer)
	if err != nil {
		featuretest.Skip(t, features.RingQuery, err)
	}
	if question.Result != 0 {
		t.Fatalf("the question: %v", unix.Errno(-question.Result))
	}
	for _, s := range []string{
		IoUringSetupFlags(answer.SetupFlags).String(), IoUringEnterFlags(answer.EnterFlags).String(),
		IoUringFeatures(answer.Features).String(), IoUringSQEFlags(answer.SQEFlags).String(),
	} {
		if strings.Contains(s, "0x") || s == "0" {
			t.Errorf("a flag has no name: %s", s)
		}
	}
	if last := IoUringOp(answer.RequestOps - 1).String(); !strings.HasPrefix(last, "IORING_OP_") {
		t.Errorf("the last operation is %s", last)
	}
	if last := IoUringRegisterOp(answer.RegisterOps - 1).String(); !strings.HasPrefix(last, "IORING_REGISTER_") {
		t.Errorf("the last register operation is %s", last)
	}
}

func TestIoUringEnterDoesNotAllocate(t *testing.T) {
	r := openTestRing(t, 0, features.Ring)
	arg := &IoUringGeteventsArg{}
	if n := testing.AllocsPerRun(100, func() {
		IoUringEnter(r.fd, 0, 0, 0, nil)
		IoUringEnterArg(r.fd, 0, 0, IORING_ENTER_GETEVENTS, arg)
		IoUringEnterErrno(-1, 0, 0, 0, unsafe.Pointer(arg), unsafe.Sizeof(*arg))
		RawIoUringEnter(-1, 0, 0, 0)
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
