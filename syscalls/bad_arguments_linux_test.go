package syscalls

import (
	"math"
	"reflect"
	"runtime"
	"testing"
	"time"
)

// Functions that the kernel can be asked for anything with. Left out are those of which some arguments succeed, and
// leave a process, a descriptor or a state behind.
var askedForAnything = []any{
	EpollGetParams, EpollPwait2, EpollSetParams, RawEpollPwait,
	Futex2Requeue, Futex2Wait, Futex2Wake, FutexCmpRequeue, FutexCmpRequeuePI, FutexLockPI, FutexLockPI2, FutexRequeue,
	FutexTrylockPI, FutexUnlockPI, FutexWait, FutexWaitBitset, FutexWaitRequeuePI, FutexWaitv, FutexWake, FutexWakeBitset, FutexWakeOp,
	GetMempolicy, GetSigaction, SetSigaction, ClearLDTEntry, Kcmp, KcmpEpoll, KcmpFiles,
	IoUringEnter, IoUringEnterArg, IoUringEnterErrno, IoUringEnterRegWait, IoUringRegister, IoUringSetup, RawIoUringEnter,
	Mbind, Membarrier, MembarrierRseqCPU, MigratePages, Mincore, MovePages, NodesOf, SetMempolicyHomeNode,
	PagemapScan, PkeyAlloc, PkeyFree, PkeyMprotect, ProcessMadvise, ProcessMrelease,
	PerfEventDisable, PerfEventEnable, PerfEventID, PerfEventModifyAttributes, PerfEventPauseOutput, PerfEventPeriod,
	PerfEventQueryBPF, PerfEventRefresh, PerfEventReset, PerfEventSetBPF, PerfEventSetFilter, PerfEventSetOutput,
	PtraceGetRegset, PtraceGetSiginfo, PtraceGetSyscallInfo, RobustList, SegmentLimit,
	UffdAPI, UffdContinue, UffdCopy, UffdMove, UffdPoison, UffdRead, UffdRegister, UffdUnregister, UffdWake,
	UffdWriteprotect, UffdZeropage, UserfaultfdDevice,
}

// No argument is a panic, a crash or a wait without end: nil, nothing, numbers that no descriptor and no process has,
// lengths beyond all memory.
func TestBadArgumentsAreErrors(t *testing.T) {
	fill := map[string]func(typ reflect.Type) reflect.Value{
		"nothing": func(typ reflect.Type) reflect.Value { return number(typ, -1, 0, "") },
		"all ones": func(typ reflect.Type) reflect.Value {
			v := number(typ, math.MinInt32, math.MaxUint64, "\x00")
			if typ.Kind() == reflect.Slice {
				v = reflect.MakeSlice(typ, 0, 0)
			}
			return v
		},
		"the largest": func(typ reflect.Type) reflect.Value {
			v := number(typ, math.MaxInt32, 1<<47-4096, "no such text")
			if typ.Kind() == reflect.Slice {
				v = reflect.MakeSlice(typ, 1<<10, 1<<10)
			}
			return v
		},
	}
	for _, f := range askedForAnything {
		function := reflect.ValueOf(f)
		for how, value := range fill {
			var args []reflect.Value
			for i := range function.Type().NumIn() {
				args = append(args, value(function.Type().In(i)))
			}
			name := runtime.FuncForPC(function.Pointer()).Name()
			done := make(chan any, 1)
			go func() {
				lockOtherThread() // which ends with whatever it got
				defer func() { done <- recover() }()
				if function.Type().IsVariadic() {
					function.CallSlice(args)
				} else {
					function.Call(args)
				}
			}()
			select {
			case p := <-done:
				if p != nil {
					t.Errorf("%s of %s: %v", name, how, p)
				}
			case <-time.After(time.Minute):
				t.Fatalf("%s of %s does not end", name, how)
			}
		}
	}
}

// number is a value of a type: a number, a text, and the zero of all others, nil for one.
func number(typ reflect.Type, signed int64, unsigned uint64, text string) reflect.Value {
	v := reflect.New(typ).Elem()
	switch {
	case v.CanInt():
		v.SetInt(signed)
	case v.CanUint():
		v.SetUint(unsigned)
	case typ.Kind() == reflect.String:
		v.SetString(text)
	}
	return v
}
