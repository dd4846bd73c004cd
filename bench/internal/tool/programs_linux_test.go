package tool

import (
	"errors"
	"os"
	"testing"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
)

func TestParseFDInfoTellsProgramsFromOtherDescriptors(t *testing.T) {
	for _, tt := range []struct {
		name, text string
		id         uint32
		runs       uint64
		ok         bool
	}{
		{"program", "pos:\t0\nflags:\t02000002\nprog_type:\t26\nprog_tag:\tb205300bf137067c\nmemlock:\t4096\nprog_id:\t476\nrun_time_ns:\t900\nrun_cnt:\t3\n", 476, 3, true},
		{"link to a program", "link_type:\traw_tracepoint\nlink_id:\t419\nprog_tag:\tb205300bf137067c\nprog_id:\t476\ntp_name:\tsched_wakeup\n", 476, 0, true},
		{"file", "pos:\t0\nflags:\t02\nmnt_id:\t9\nino:\t3\n", 0, 0, false},
		{"empty", "", 0, 0, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			id, runs, ok := parseFDInfo(tt.text)
			if id != tt.id || runs != tt.runs || ok != tt.ok {
				t.Errorf("parseFDInfo = %d, %d, %v; want %d, %d, %v", id, runs, ok, tt.id, tt.runs, tt.ok)
			}
		})
	}
}

func TestProgramIDsFindsAProgramThatThisProcessHolds(t *testing.T) {
	prog, err := ebpf.NewProgram(&ebpf.ProgramSpec{
		Name: "held", Type: ebpf.RawTracepoint, License: "Dual BSD/GPL",
		Instructions: asm.Instructions{asm.Mov.Imm(asm.R0, 0), asm.Return()},
	})
	if errors.Is(err, os.ErrPermission) {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	defer prog.Close()
	p, err := Of(prog)
	if err != nil {
		t.Fatal(err)
	}
	ids, err := programIDs(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	if _, ok := ids[p.ID]; !ok || p.Name != "held" {
		t.Errorf("programs %v; want %d, named %q", ids, p.ID, p.Name)
	}
}
