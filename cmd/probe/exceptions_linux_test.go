package main

import (
	"encoding/json"
	"runtime"
	"strings"
	"testing"

	"github.com/ring3-go/ring3/pagefault"
)

// TestExceptionsAreShownByRaisingThem looks for those that every processor has, emulated or not.
func TestExceptionsAreShownByRaisingThem(t *testing.T) {
	if runtime.GOARCH != "amd64" && runtime.GOARCH != "arm64" {
		t.Skip("tried: there is no table for this processor")
	}
	out := finish(t, asProcess(t, "exceptions", "--json"))
	if out.code != 0 {
		t.Fatalf("exit code %d, %s", out.code, out.stderr)
	}
	want := map[string]exceptionCaught{
		"#DE by zero": {Signal: "SIGFPE", Code: "FPE_INTDIV", Go: "DIVQ CX"}, "#BP": {Signal: "SIGTRAP", Code: "SI_KERNEL", Go: "INT $0x3"},
		"#UD": {Signal: "SIGILL", Code: "ILL_ILLOPN", Go: "UD2"}, "#GP privileged": {Signal: "SIGSEGV", Code: "SI_KERNEL", Go: "HLT"},
		"#PF no access": {Signal: "SIGSEGV", Code: "SEGV_ACCERR"}, "#PF beyond end of file": {Signal: "SIGBUS", Code: "BUS_ADRERR"},
		"undefined": {Signal: "SIGILL", Code: "ILL_ILLOPC"}, "breakpoint": {Signal: "SIGTRAP", Code: "TRAP_BRKPT", Go: "BRK $0"},
		"data abort no access": {Signal: "SIGSEGV", Code: "SEGV_ACCERR"},
	}
	records := 0
	for line := range strings.Lines(string(out.stdout)) {
		if kind := validateRecord(t, []byte(line)); kind != "ring3/exception/v1" {
			t.Errorf("%s in %s", kind, line)
		}
		var r exceptionRecord
		if err := json.Unmarshal([]byte(line), &r); err != nil {
			t.Fatal(err)
		}
		records++
		w, ok := want[r.Name]
		if c := r.Caught; ok && (c == nil || c.Signal != w.Signal || c.Code != w.Code || w.Go != "" && c.Go != w.Go || !r.Agree) {
			t.Errorf("%s: %+v %+v; want %+v", r.Name, r, c, w)
		}
		if (r.Cannot != "") && r.Caught != nil {
			t.Errorf("%s was raised, and cannot be: %s", r.Name, r.Cannot)
		}
	}
	if n := len(pagefault.Exceptions()); records != n {
		t.Errorf("%d records of %d exceptions", records, n)
	}
	if text := finish(t, asProcess(t, "exceptions")); text.code != 0 || !strings.Contains(string(text.stdout), "cannot here, because") {
		t.Errorf("exit code %d: %s", text.code, text.stdout)
	}
}
