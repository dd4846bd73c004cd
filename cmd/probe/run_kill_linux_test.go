package main

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/ring3-go/ring3/internal/bpf/bpftest"
	"github.com/ring3-go/ring3/internal/workload"
)

func TestKillNineLeavesNothing(t *testing.T) {
	testEndedAtAnyMoment(t, 50, syscall.SIGKILL, func(t *testing.T, o outcome, _ string) {
		if o.signal != syscall.SIGKILL {
			t.Errorf("ended with %+v; want death by SIGKILL", o)
		}
	})
}

func TestInterruptLeavesNothing(t *testing.T) {
	testEndedAtAnyMoment(t, 20, syscall.SIGINT, func(t *testing.T, o outcome, file string) {
		if o.signal == syscall.SIGINT {
			return // there was no command yet to pass it on to
		}
		const interrupted = 128 + int(syscall.SIGINT)
		if o.code != interrupted {
			t.Fatalf("ended with %+v; want exit code %d", o, interrupted)
		}
		if r := parseRecord(t, readFile(t, file)); r.Signal != "SIGINT" || r.Backend.Faults != "procfs" && !r.Reconciled {
			t.Errorf("record %+v", r)
		}
	})
}

// testEndedAtAnyMoment starts probe with a command that would run for weeks, and signals probe: every other
// time somewhere in a start, and every other time when the command is at work.
func testEndedAtAnyMoment(t *testing.T, runs int, sig syscall.Signal, check func(*testing.T, outcome, string)) {
	bpftest.Exclusive(t)
	began := time.Now()
	k := startTalker(t, workload.Command("-wait", "true"))
	full := time.Since(began)
	if live, held := liveObjects(t), heldObjects(t, strconv.Itoa(k.Process.Pid)); live != nil {
		ours := 0
		for o := range held {
			if live[o] {
				ours++
			}
		}
		t.Logf("a probe at work holds %d eBPF objects", ours)
	}
	k.stdin.Close()
	ended(t, k.Cmd)
	if full > 2*time.Second || testing.Short() {
		runs = 5
	}

	before := liveObjects(t)
	name := someDuration()
	file := filepath.Join(t.TempDir(), "record")
	for i := range runs {
		cmd := asProcess(t, runArgs(file, nil, workload.Command("sleep", name))...)
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		latest := full
		if i%2 == 1 {
			eventually(t, "the command", func() bool { return len(running(t, name)) > 1 }) // probe has the name too
			latest = 100 * time.Millisecond
		}
		time.Sleep(rand.N(latest))
		if err := cmd.Process.Signal(sig); err != nil {
			t.Fatalf("probe ended by itself: %v: %+v", err, ended(t, cmd))
		}
		check(t, ended(t, cmd), file)
	}
	t.Logf("%d runs; a full start takes %v", runs, full.Round(time.Millisecond))
	eventually(t, "the end of every command", func() bool { return len(running(t, name)) == 0 })
	checkNothingLeft(t, before)
}

// An object is a program, map or link of eBPF, as the kernel names it.
type object struct {
	kind string // as in fdinfo
	id   uint32
}

// liveObjects asks the kernel for all there are, or returns nil where it does not tell: then there are none
// of ours either, since whoever may not list them may not make them here.
func liveObjects(t *testing.T) map[object]bool {
	t.Helper()
	all := map[object]bool{}
	for kind, command := range map[string]uintptr{
		"prog_id": unix.BPF_PROG_GET_NEXT_ID, "map_id": unix.BPF_MAP_GET_NEXT_ID, "link_id": unix.BPF_LINK_GET_NEXT_ID,
	} {
		for id := uint32(0); ; {
			next, err := nextObject(command, id)
			if errors.Is(err, unix.ENOENT) {
				break
			} else if err != nil {
				t.Logf("tried: list eBPF objects: %v; looking for processes alone", err)
				return nil
			}
			all[object{kind, next}] = true
			id = next
		}
	}
	return all
}

// nextObject is bpf(BPF_*_GET_NEXT_ID).
func nextObject(command uintptr, id uint32) (uint32, error) {
	attr := struct{ start, next, flags uint32 }{start: id}
	_, _, errno := unix.Syscall(unix.SYS_BPF, command, uintptr(unsafe.Pointer(&attr)), unsafe.Sizeof(attr))
	if errno != 0 {
		return 0, os.NewSyscallError("bpf", errno)
	}
	return attr.next, nil
}

// heldObjects are those that some process has a descriptor of. This machine may have other users of eBPF.
func heldObjects(t *testing.T, pid string) map[object]bool {
	t.Helper()
	files, err := filepath.Glob("/proc/" + pid + "/fdinfo/*")
	if err != nil {
		t.Fatal(err)
	}
	held := map[object]bool{}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			continue // closed since
		}
		for line := range strings.Lines(string(text)) {
			var o object
			if n, _ := fmt.Sscanf(strings.Replace(line, ":", " ", 1), "%s %d", &o.kind, &o.id); n == 2 {
				held[o] = true // other lines of the kind do no harm
			}
		}
	}
	return held
}

// checkNothingLeft waits until all that was made since before is gone, or in the hands of a process.
func checkNothingLeft(t *testing.T, before map[object]bool) {
	t.Helper()
	if before == nil {
		return
	}
	var left []object
	defer func() {
		if t.Failed() {
			t.Logf("left: %v", left)
		}
	}()
	suspects := liveObjects(t)
	eventually(t, "the end of eBPF objects that no process holds", func() bool {
		now, held := liveObjects(t), heldObjects(t, "[0-9]*")
		left = nil
		for o := range suspects {
			if !before[o] && now[o] && !held[o] {
				left = append(left, o)
			}
		}
		return len(left) == 0
	})
}
