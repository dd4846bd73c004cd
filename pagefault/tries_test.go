//go:build linux && (amd64 || arm64)

package pagefault

import (
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"unsafe"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
	"github.com/cilium/ebpf/link"
	"golang.org/x/sys/unix"

	"github.com/ring3-go/ring3/internal/bpf/bpftest"
	"github.com/ring3-go/ring3/internal/features"
	"github.com/ring3-go/ring3/internal/features/featuretest"
)

// A tries is what two small programs count at the entry and the exit of handle_mm_fault, for one process.
// It is the value of the map that they share, as it lies there.
type tries struct {
	Process       uint64 // the number of the process to count for
	Entered, Left uint64
	Retried       uint64 // left with VM_FAULT_RETRY: whoever called calls again, or gives up for a signal
	Failed        uint64 // left with an error
	Inside        uint64 // left with neither, called without registers: by get_user_pages
}

// TestCallsOfHandleMmFaultAreNotFaults holds what stands in docs/adr/0031: the kernel counts a fault for each
// return of handle_mm_fault that neither asks for another try nor is an error, and its perf events tell of
// those that had an exception.
func TestCallsOfHandleMmFaultAreNotFaults(t *testing.T) {
	bpftest.Exclusive(t)
	calls := attachTries(t)
	for _, tt := range []struct {
		args    []string
		retried uint64 // at least
		inside  uint64
	}{
		{args: []string{"touch", bytesOf(512)}},
		{args: []string{"file-map", "temp", bytesOf(64)}},
		{args: []string{"shm", bytesOf(64)}},
		{args: []string{"failed", "20"}},
		{args: []string{"threads", "10"}},
		{args: []string{"populate", bytesOf(512)}, inside: 512},
		{args: []string{"pvw", bytesOf(512)}, inside: 512},
		{args: []string{"userfault", bytesOf(64)}, retried: 64},
	} {
		t.Run(fmt.Sprint(tt.args), func(t *testing.T) {
			c := start(t, tt.args...)
			pid := c.Cmd.Process.Pid
			// The runtime takes faults when it likes, and makes threads. Only while the process is stopped do three
			// counters, read one after the other, tell of the same moment.
			resume := stop(t, pid)
			events := countFaultEvents(t, pid)
			if err := calls.Put(uint32(0), tries{Process: uint64(pid)}); err != nil {
				t.Fatal(err)
			}
			faults, raised := kernelFaults(t, pid), events()
			resume()
			body(t, c)
			resume = stop(t, pid)
			faults, raised = kernelFaults(t, pid)-faults, events()-raised
			var n tries
			if err := calls.Lookup(uint32(0), &n); err != nil {
				t.Fatal(err)
			}
			resume()
			if _, err := c.Wait(); err != nil {
				t.Fatal(err)
			}
			t.Logf("%+v; the kernel counted %d, and raised %d events", n, faults, raised)
			if n.Entered != n.Left {
				t.Errorf("entered %d times and left %d times", n.Entered, n.Left)
			}
			if got := n.Left - n.Retried - n.Failed; got != faults {
				t.Errorf("%d calls did not ask for another try and did not fail; the kernel counted %d faults", got, faults)
			}
			if got := faults - n.Inside; got != raised {
				t.Errorf("%d faults had an exception; the kernel raised %d events", got, raised)
			}
			if n.Retried < tt.retried || n.Inside != tt.inside {
				t.Errorf("retried %d and inside the kernel %d; want at least %d, and %d", n.Retried, n.Inside, tt.retried, tt.inside)
			}
		})
	}
}

// attachTries attaches the two programs, and returns their map.
func attachTries(t *testing.T) *ebpf.Map {
	t.Helper()
	m, err := ebpf.NewMap(&ebpf.MapSpec{Type: ebpf.Array, KeySize: 4, ValueSize: uint32(unsafe.Sizeof(tries{})), MaxEntries: 1})
	if err != nil {
		featuretest.Skip(t, features.Fexit, err)
	}
	t.Cleanup(func() { m.Close() })
	var n tries
	add := func(field uintptr) asm.Instructions {
		return asm.Instructions{asm.Mov.Imm(asm.R1, 1), asm.AddAtomic.Mem(asm.R7, asm.R1, asm.DWord, int16(field))}
	}
	attach(t, m, ebpf.AttachTraceFEntry, add(unsafe.Offsetof(n.Entered)))

	// The context holds the mapping, the address, flags, registers, and then the result: 32 bits in a register
	// of 64, of which the upper half has no meaning.
	leave := append(add(unsafe.Offsetof(n.Left)),
		asm.LoadMem(asm.R8, asm.R6, 4*8, asm.DWord),
		asm.LoadMem(asm.R9, asm.R6, 3*8, asm.DWord),
		asm.JSet.Imm(asm.R8, 0x400, "retry"), // VM_FAULT_RETRY
		asm.JSet.Imm(asm.R8, 0x873, "error"), // VM_FAULT_ERROR
		asm.JNE.Imm(asm.R9, 0, "out"))
	leave = append(leave, add(unsafe.Offsetof(n.Inside))...)
	leave = append(leave, asm.Ja.Label("out"))
	retry, failed := add(unsafe.Offsetof(n.Retried)), add(unsafe.Offsetof(n.Failed))
	retry[0], failed[0] = retry[0].WithSymbol("retry"), failed[0].WithSymbol("error")
	leave = append(leave, append(retry, asm.Ja.Label("out"))...)
	attach(t, m, ebpf.AttachTraceFExit, append(leave, failed...))
	return m
}

// attach attaches a program to handle_mm_fault that leaves other processes alone. Its body finds the context
// in R6 and the value of m in R7, and may go to "out".
func attach(t *testing.T, m *ebpf.Map, how ebpf.AttachType, body asm.Instructions) {
	t.Helper()
	code := asm.Instructions{
		asm.Mov.Reg(asm.R6, asm.R1),
		asm.FnGetCurrentPidTgid.Call(),
		asm.RSh.Imm(asm.R0, 32),
		asm.LoadMapValue(asm.R7, m.FD(), 0),
		asm.LoadMem(asm.R1, asm.R7, int16(unsafe.Offsetof(tries{}.Process)), asm.DWord),
		asm.JNE.Reg(asm.R0, asm.R1, "out"),
	}
	code = append(append(code, body...), asm.Mov.Imm(asm.R0, 0).WithSymbol("out"), asm.Return())
	p, err := ebpf.NewProgram(&ebpf.ProgramSpec{
		Name: "tries", Type: ebpf.Tracing, AttachType: how, AttachTo: "handle_mm_fault", License: "Dual BSD/GPL", Instructions: code,
	})
	if err != nil {
		featuretest.Skip(t, features.Fexit, err)
	}
	t.Cleanup(func() { p.Close() })
	l, err := link.AttachTracing(link.TracingOptions{Program: p})
	if err != nil {
		featuretest.Skip(t, features.Fexit, err)
	}
	t.Cleanup(func() { l.Close() })
}

// kernelFaults is what the kernel counted for a process, minor and major.
func kernelFaults(t *testing.T, pid int) uint64 {
	t.Helper()
	stat, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "stat"))
	if err != nil {
		t.Fatal(err)
	}
	fields := strings.Fields(string(stat[strings.LastIndex(string(stat), ")")+1:])) // from the third of proc_pid_stat(5)
	var sum uint64
	for _, i := range []int{10, 12} { // minflt, majflt
		n, err := strconv.ParseUint(fields[i-3], 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		sum += n
	}
	return sum
}

// stop stops every thread of a child, and returns when they have, what lets them go on.
func stop(t *testing.T, pid int) (resume func()) {
	t.Helper()
	if err := unix.Kill(pid, unix.SIGSTOP); err != nil {
		t.Fatal(os.NewSyscallError("kill", err))
	}
	for {
		if err := unix.Waitid(unix.P_PID, pid, nil, unix.WSTOPPED, nil); err == nil {
			break
		} else if err != unix.EINTR {
			t.Fatal(os.NewSyscallError("waitid", err))
		}
	}
	return func() {
		if err := unix.Kill(pid, unix.SIGCONT); err != nil {
			t.Fatal(os.NewSyscallError("kill", err))
		}
	}
}

// countFaultEvents counts the perf events of completed faults in every thread that a child, which is stopped, has and
// will have.
func countFaultEvents(t *testing.T, pid int) func() uint64 {
	t.Helper()
	threads, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*", pid))
	if err != nil {
		t.Fatal(err)
	}
	var fds []int
	for _, thread := range threads {
		tid, err := strconv.Atoi(filepath.Base(thread))
		if err != nil {
			t.Fatal(err)
		}
		for _, config := range []uint64{unix.PERF_COUNT_SW_PAGE_FAULTS_MIN, unix.PERF_COUNT_SW_PAGE_FAULTS_MAJ} {
			attr := unix.PerfEventAttr{
				Type: unix.PERF_TYPE_SOFTWARE, Size: uint32(unsafe.Sizeof(unix.PerfEventAttr{})), Config: config, Bits: unix.PerfBitInherit,
			}
			fd, err := unix.PerfEventOpen(&attr, tid, -1, -1, unix.PERF_FLAG_FD_CLOEXEC)
			if err != nil {
				t.Fatal(os.NewSyscallError("perf_event_open", err))
			}
			t.Cleanup(func() { unix.Close(fd) })
			fds = append(fds, fd)
		}
	}
	return func() (sum uint64) {
		t.Helper()
		for _, fd := range fds {
			var count [8]byte
			if _, err := unix.Read(fd, count[:]); err != nil {
				t.Fatal(os.NewSyscallError("read perf event", err))
			}
			sum += binary.NativeEndian.Uint64(count[:])
		}
		return sum
	}
}
