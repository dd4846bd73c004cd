package step_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"unsafe"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"
	"golang.org/x/sys/unix"

	"github.com/ring3-go/ring3/asm"
	"github.com/ring3-go/ring3/asm/deref"
	"github.com/ring3-go/ring3/asm/step"
	"github.com/ring3-go/ring3/asm/step/internal/sample"
)

func lessons() []asm.Lesson {
	return []asm.Lesson{sample.Lesson(), deref.Lesson(), told()}
}

// told is deref's load of a word whose address and value the child tells before: another witness than the
// stepper.
func told() asm.Lesson {
	functions := slices.Clone(deref.Lesson().Functions)
	for i := range functions {
		switch functions[i].Name {
		case "Load64":
			functions[i].Call = func() {
				v := new(uint64)
				*v = 0x1122334455667788 ^ uint64(os.Getpid())
				fmt.Printf("%#x %#x\n", unsafe.Pointer(v), *v)
				deref.Load64(uintptr(unsafe.Pointer(v)))
			}
		case "LoadIndex":
			functions[i].Call = func() {
				v := make([]uint64, 8)
				v[2] = 0xfeedface ^ uint64(os.Getpid())
				fmt.Printf("%#x %#x\n", unsafe.Pointer(&v[2]), v[2])
				deref.LoadIndex(uintptr(unsafe.Pointer(&v[5])), -3)
			}
		case "Store64":
			functions[i].Call = func() {
				v := new(uint64)
				*v = 7
				fmt.Printf("%#x %#x\n", unsafe.Pointer(v), os.Getpid())
				deref.Store64(uintptr(unsafe.Pointer(v)), uint64(os.Getpid()))
			}
		}
	}
	return asm.Lesson{Name: "told", Functions: functions}
}

func TestMain(m *testing.M) {
	if os.Getenv(asVictim) != "" {
		unix.Kill(os.Getpid(), unix.SIGTERM)
		select {}
	}
	if step.Child(lessons) {
		return
	}
	if len(os.Args) > 1 && os.Args[1] == asTracer {
		trace()
		return
	}
	goleak.VerifyTestMain(m)
}

// asVictim in the environment has this binary die of a signal at once, as a seccomp filter would have it.
const asVictim = "RING3_STEP_VICTIM"

// asTracer as the first argument makes this binary a program that steps, and waits to be killed.
const asTracer = "ring3-tracer"

func trace() {
	s, err := step.Start(context.Background(), sample.Lesson(), "Forever", step.Options{})
	if err == nil {
		_, err = s.Next()
	}
	fmt.Println(err)
	select {}
}

// try skips a test where there is no ptrace, as under an emulator of processes, or where it is forbidden.
func try(t *testing.T, err error) {
	t.Helper()
	emulated := errors.Is(err, unix.ENOEXEC) // /proc/self/exe is for another processor
	if emulated || errors.Is(err, errors.ErrUnsupported) || errors.Is(err, fs.ErrPermission) && forbidden() {
		t.Skipf("tried ptrace: %v", err)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// forbidden reports whether somebody may have forbidden ptrace: Yama, or a seccomp filter.
func forbidden() bool {
	scope, _ := os.ReadFile("/proc/sys/kernel/yama/ptrace_scope")
	status, _ := os.ReadFile("/proc/self/status")
	return len(scope) > 0 && scope[0] >= '2' || strings.Contains(string(status), "\nSeccomp:\t2")
}

// run steps through a function and returns the steps and what the child printed.
func run(t *testing.T, lesson asm.Lesson, function string, opts step.Options) ([]step.Step, string) {
	t.Helper()
	var out bytes.Buffer
	opts.Stdout = &out
	var steps []step.Step
	for s, err := range step.All(t.Context(), lesson, function, opts) {
		try(t, err)
		steps = append(steps, s)
	}
	if len(steps) == 0 {
		t.Fatal("no steps")
	}
	checkRow(t, steps)
	t.Cleanup(func() {
		for _, s := range steps {
			if t.Failed() {
				t.Logf("%d %s+%d %s % x %v %+v", s.Number, s.Function, s.Offset, s.Go, s.Bytes, s.Changed(), s.Memory)
			}
		}
	})
	return steps, out.String()
}

// checkRow checks what holds of any row of steps.
func checkRow(t *testing.T, steps []step.Step) {
	t.Helper()
	for i, s := range steps {
		if s.Number != i+1 {
			t.Errorf("step %d has number %d", i+1, s.Number)
		}
		if s.Last != (i == len(steps)-1) {
			t.Errorf("step %d is the last: %v", i+1, s.Last)
		}
		if len(s.Bytes) == 0 || len(s.Registers) < 18 {
			t.Errorf("step %d has bytes % x and %d registers", i+1, s.Bytes, len(s.Registers))
		}
		if i == 0 {
			continue
		}
		if was := steps[i-1]; was.Next != s.PC {
			t.Errorf("step %d is at %#x; the one before went to %#x", i+1, s.PC, was.Next)
		}
		for j, r := range s.Registers {
			if was := steps[i-1].Registers[j]; was.After != r.Before {
				t.Errorf("%s is %v before step %d; %v after the one before", r.Name, r.Before, i+1, was.After)
			}
		}
	}
}

// accesses returns all accesses to an address.
func accesses(steps []step.Step, addr uint64) (found []step.Access) {
	for _, s := range steps {
		for _, a := range s.Memory {
			if a.Addr == addr {
				found = append(found, a)
			}
		}
	}
	return found
}

func word(b []byte) uint64 {
	if len(b) != 8 {
		return 0xbad
	}
	return binary.NativeEndian.Uint64(b)
}

func TestDerefShowsTheAddressAndTheValue(t *testing.T) {
	for _, c := range []struct {
		function string
		kind     step.Kind
	}{{"Load64", step.Read}, {"LoadIndex", step.Read}, {"Store64", step.Write}} {
		t.Run(c.function, func(t *testing.T) {
			steps, out := run(t, told(), c.function, step.Options{})
			var addr, value uint64
			if _, err := fmt.Sscanf(out, "%v %v", &addr, &value); err != nil {
				t.Fatalf("%v in %q", err, out)
			}
			found := accesses(steps, addr)
			if len(found) != 1 || found[0].Kind != c.kind || found[0].Size != 8 || word(found[0].After) != value {
				t.Fatalf("accesses to %#x: %+v; want one %v of %#x", addr, found, c.kind, value)
			}
			if c.kind == step.Write && word(found[0].Before) != 7 {
				t.Errorf("before: % x, want 7", found[0].Before)
			}
			i := slices.IndexFunc(steps, func(s step.Step) bool { return len(accesses([]step.Step{s}, addr)) > 0 })
			loaded := slices.ContainsFunc(steps[i].Changed(), func(r step.Register) bool { return r.After[0] == value })
			if loaded != (c.kind == step.Read) {
				t.Errorf("registers changed by the access: %v", steps[i].Changed())
			}
			last := steps[len(steps)-1]
			if !strings.HasPrefix(last.Go, "RET") || last.Fault != nil || steps[0].Offset != 0 {
				t.Errorf("from %v to %v", steps[0].Instruction, last.Instruction)
			}
			for _, s := range steps {
				want := fmt.Sprintf("deref_%s.s", runtime.GOARCH)
				if filepath.Base(s.File) != want || s.Line == 0 || s.Function != "deref."+c.function {
					t.Errorf("step %d is from %s, %s:%d", s.Number, s.Function, s.File, s.Line)
				}
			}
		})
	}
}

// TestEveryFormOfAccessIsSeen compares with a list that was written beside the assembly.
func TestEveryFormOfAccessIsSeen(t *testing.T) {
	steps, out := run(t, sample.Lesson(), "Forms", step.Options{})
	var base uint64
	if _, err := fmt.Sscanf(out, "%v", &base); err != nil {
		t.Fatal(err)
	}
	var got []sample.Access
	for _, s := range steps {
		for _, a := range s.Memory {
			if a.Addr-base < 512 {
				got = append(got, sample.Access{Kind: a.Kind.String(), Offset: a.Addr - base, Size: a.Size})
			}
		}
	}
	if diff := cmp.Diff(sample.Accesses(), got); diff != "" {
		t.Error(diff)
	}
}

func TestAFaultEndsIt(t *testing.T) {
	steps, _ := run(t, deref.Lesson(), "Number", step.Options{})
	last := steps[len(steps)-1]
	if last.Fault == nil || last.Fault.Signal != "SIGSEGV" || last.Next != last.PC || last.Fault.PC != last.PC {
		t.Fatalf("last step: %+v, fault %v", last, last.Fault)
	}
	if len(last.Memory) != 1 || last.Memory[0].Addr != 1111111111111111 || last.Memory[0].Before != nil {
		t.Errorf("memory %+v", last.Memory)
	}
	var fault *deref.FaultError // the same in this process
	if _, err := deref.TryLoad64(1111111111111111); !errors.As(err, &fault) || uint64(fault.Reported) != last.Fault.Addr {
		t.Errorf("si_addr %#x; here %v", last.Fault.Addr, err)
	}
	for function, signal := range map[string]string{"Break": "SIGTRAP", "Trap": "SIGILL"} {
		steps, _ := run(t, sample.Lesson(), function, step.Options{})
		if f := steps[len(steps)-1].Fault; f == nil || f.Signal != signal {
			t.Errorf("%s ends in %v, want %s", function, f, signal)
		}
	}
}

func TestCallsAreFollowedAsAsked(t *testing.T) {
	in := func(steps []step.Step, function string) bool {
		return slices.ContainsFunc(steps, func(s step.Step) bool { return strings.HasSuffix(s.Function, "."+function) })
	}
	over := func(steps []step.Step) (list []string) {
		for _, s := range steps {
			if s.Over != "" {
				list = append(list, s.Over)
			}
		}
		return list
	}
	for _, c := range []struct {
		function string
		calls    step.Calls
		into     string
		followed bool
		over     []string
	}{
		{"Outer", step.CallsOwn, "Inner", true, nil},
		{"Outer", step.CallsNone, "Inner", false, []string{"sample.Inner"}},
		{"Outer", step.CallsAll, "Inner", true, nil},
		{"Foreign", step.CallsNone, "GoHelper", false, []string{"sample.GoHelper"}},
		{"Foreign", step.CallsAll, "GoHelper", true, nil},
	} {
		steps, _ := run(t, sample.Lesson(), c.function, step.Options{Calls: c.calls})
		if in(steps, c.into) != c.followed || !slices.Equal(over(steps), c.over) {
			t.Errorf("%s, calls %d: %s followed %v, over %q", c.function, c.calls, c.into, in(steps, c.into), over(steps))
		}
		last := steps[len(steps)-1]
		if !strings.HasPrefix(last.Go, "RET") || last.Function != "sample."+c.function {
			t.Errorf("%s, calls %d: ends at %v", c.function, c.calls, last.Instruction)
		}
	}
}

func TestAnAtomicAdditionIsOneStepOrOneSequence(t *testing.T) {
	steps, out := run(t, sample.Lesson(), "Add", step.Options{Max: 1000})
	var addr uint64
	if _, err := fmt.Sscanf(out, "%v", &addr); err != nil {
		t.Fatal(err)
	}
	sequences := 0
	for _, s := range steps {
		if s.Sequence != nil {
			sequences++
		}
	}
	if want := runtime.GOARCH == "arm64"; (sequences > 0) != want {
		t.Errorf("%d exclusive sequences", sequences)
	}
	found := accesses(steps, addr)
	if len(found) == 0 || word(found[0].Before) != 40 || word(found[len(found)-1].After) != 42 {
		t.Errorf("accesses to %#x: %+v", addr, found)
	}
}

func TestASystemCallIsAStep(t *testing.T) {
	steps, out := run(t, sample.Lesson(), "Pid", step.Options{})
	i := slices.IndexFunc(steps, func(s step.Step) bool { return s.Go == "SYSCALL" || strings.HasPrefix(s.Go, "SVC") })
	if i < 0 {
		t.Fatal("no system call")
	}
	changed := map[string]uint64{}
	for _, r := range steps[i].Changed() {
		changed[r.Name] = r.After[0]
	}
	result := map[string]string{"amd64": "AX", "arm64": "R0"}[runtime.GOARCH]
	if got := fmt.Sprintln(changed[result]); got != out {
		t.Errorf("%s is %s; the child is process %s", result, got, out)
	}
	if runtime.GOARCH == "amd64" && (changed["CX"] != steps[i].Next || changed["R11"]&0x202 != 0x202 || steps[i].Note == "") {
		t.Errorf("CX %#x, R11 %#x, %q", changed["CX"], changed["R11"], steps[i].Note)
	}
}

func TestTheStackIsMemory(t *testing.T) {
	steps, _ := run(t, sample.Lesson(), "Stack", step.Options{})
	var wrote, read bool
	for _, s := range steps {
		for _, a := range s.Memory {
			wrote = wrote || a.Kind == step.Write && word(a.After) == 42
			read = read || wrote && a.Kind == step.Read && word(a.Before) == 42
		}
	}
	if !wrote || !read {
		t.Errorf("pushed %v, popped %v", wrote, read)
	}
}

func TestVectorRegistersAreShown(t *testing.T) {
	steps, out := run(t, sample.Lesson(), "Vector", step.Options{})
	var addr uint64
	if _, err := fmt.Sscanf(out, "%v", &addr); err != nil {
		t.Fatal(err)
	}
	loaded := slices.ContainsFunc(steps, func(s step.Step) bool {
		return slices.ContainsFunc(s.Changed(), func(r step.Register) bool { return r.Bits > 64 && r.After == step.Value{1, 2} })
	})
	if !loaded {
		t.Error("no vector register got 1, 2")
	}
	from, to := accesses(steps, addr), accesses(steps, addr+16)
	if len(from) != 1 || from[0].Size != 16 || len(to) != 1 || to[0].Kind != step.Write || !bytes.Equal(from[0].Before, to[0].After) {
		t.Errorf("read %+v, wrote %+v", from, to)
	}
}

func TestAnUnknownInstructionIsShownAsBytes(t *testing.T) {
	steps, _ := run(t, sample.Lesson(), "Strange", step.Options{})
	i := slices.IndexFunc(steps, func(s step.Step) bool { return !s.Known() })
	if i < 0 {
		t.Fatal("every instruction is known")
	}
	s := steps[i]
	if len(s.Bytes) != 4 {
		t.Errorf("% x; want four bytes", s.Bytes)
	}
	if s.Fault != nil {
		t.Logf("not an instruction of this processor: %v", s.Fault)
	} else if s.Next != s.PC+4 || !strings.Contains(s.Note, fmt.Sprintf("% x", s.Bytes)) {
		t.Errorf("the step: %+v", s.Instruction)
	}
	for _, f := range sample.Lesson().Functions {
		var all []byte
		for _, in := range step.Disassemble(f) {
			all = append(all, in.Bytes...)
		}
		if !bytes.Equal(all, f.Code()) {
			t.Errorf("%s: instructions have bytes % x, the function % x", f.Name, all, f.Code())
		}
	}
}
