package main

import (
	"encoding/hex"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/ring3-go/ring3/internal/bpf/bpftest"
	"github.com/ring3-go/ring3/internal/workload"
)

func itoa(n int) string { return strconv.Itoa(n) }

// tolerance is what two countings of n events on a living host may differ by, at most. Some of what one of
// them counts is booked late by the other, and some hosts keep a process of their own out of everybody's sight.
func tolerance(n int64) int64 { return max(50, n/1000) }

// TestHostFaultsAgreeWithVMStat touches memory while the whole host is under observation. What is no fault
// of ours may be in both counts, and must be in neither or both.
func TestHostFaultsAgreeWithVMStat(t *testing.T) {
	bpftest.Exclusive(t)
	const pages = 16384
	c := gated(t, "touch", itoa(pages*syscall.Getpagesize()))
	o := beginObservation(t, "faults", "--json")
	o.needEvents(t)
	pass(t, c)
	out := o.stop(t, syscall.SIGINT)
	report, err := c.Wait()
	if err != nil {
		t.Fatal(err)
	}
	r := parseInterval(t, out.stdout)
	v := r.VMStat
	if v == nil {
		t.Fatalf("no comparison in %s", out.stdout)
	}
	t.Logf("%+v, lost %+v", *v, r.Lost)
	if least := report.Process.MinorFaults; r.Faults.Minor < least || v.High < least {
		t.Errorf("%d minor faults, pgfault at most %d; the process alone has %d", r.Faults.Minor, v.High, least)
	}
	off := outside(uint64(v.Seen), uint64(v.Seen+v.Unresolved), uint64(v.Low), uint64(v.High))
	if v.Explained != (max(off, -off) <= r.Lost.Events) {
		t.Errorf("explained: %v; off by %d, lost %d", v.Explained, off, r.Lost.Events)
	}
	// The kernel before 6.4 counts a fault again each time that it is tried again, so this is no equality.
	if max(off, -off) > 10*tolerance(v.High) {
		t.Errorf("off by %d: %+v", off, *v)
	}
}

// namesToTake are those of hostileNames that the kernel lets a process have.
func namesToTake() (names []string) {
	for _, name := range hostileNames {
		if name = strings.ReplaceAll(name, "\x00", ""); name != "" {
			names = append(names, name)
		}
	}
	return names
}

// runAs runs a process that takes each of these names and then touches 1 MiB.
func runAs(t *testing.T, names ...string) {
	t.Helper()
	for _, name := range names {
		argv := workload.Command("rename", hex.EncodeToString([]byte(name)))
		if out, err := exec.Command(argv[0], argv[1:]...).CombinedOutput(); err != nil {
			t.Fatalf("%q: %v: %s", name, err, out)
		}
	}
}

func TestHostileNamesDisturbNothing(t *testing.T) {
	bpftest.Exclusive(t)
	for _, command := range []string{"faults", "switches"} {
		for _, form := range []string{"--json", "--color=never"} {
			o := beginObservation(t, command, form, "--by", "comm", "--top", "0")
			o.needEvents(t)
			runAs(t, namesToTake()...)
			out := o.stop(t, syscall.SIGINT)
			if out.code != 0 {
				t.Errorf("%s %s: exit code %d: %s", command, form, out.code, out.stderr)
			}
			wantHarmless(t, out.stdout+out.stderr)
			if form != "--json" {
				wantNarrow(t, out.stdout)
				continue
			}
			wantRecords(t, out.stdout, "ring3/"+command+"/v1")
			counts := map[string]int64{}
			for _, w := range parseInterval(t, out.stdout).Who {
				counts[w.Comm] += w.Count
			}
			for _, name := range namesToTake() {
				if least := int64(1<<20) / int64(os.Getpagesize()); command == "faults" && counts[clean(name)] < least {
					t.Errorf("%q has %d faults as %q; want %d at least", name, counts[clean(name)], clean(name), least)
				}
			}
		}
	}
}

func TestHostileNameIsAScope(t *testing.T) {
	needEBPF(t)
	bpftest.Exclusive(t)
	name := namesToTake()[0]
	o := beginObservation(t, "faults", "--json", "--comm", name)
	o.needEvents(t)
	runAs(t, name)
	out := o.stop(t, syscall.SIGINT)
	wantHarmless(t, out.stdout+o.talk.String()+out.stderr)
	r := parseInterval(t, out.stdout)
	if least := int64(1<<20) / int64(os.Getpagesize()); r.Scope.Comm != clean(name) || r.Faults.Minor < least {
		t.Errorf("%+v, %d faults; want %d at least", r.Scope, r.Faults.Minor, least)
	}
}
