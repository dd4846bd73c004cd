package tool

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/cilium/ebpf"
)

// A Program is one eBPF program and what it took so far.
type Program struct {
	ID   uint32
	Name string // as the kernel keeps it: 15 bytes
	Runs uint64
	Ns   uint64
}

// Programs returns the programs that the process holds, by their numbers. The kernel lists a process's
// descriptors, a program's among them, in /proc/PID/fdinfo.
func (p *Process) Programs() (map[uint32]Program, error) {
	ids, err := programIDs(p.PID())
	if err != nil {
		return nil, err
	}
	out := map[uint32]Program{}
	for id := range ids {
		prog, err := read(id)
		if err != nil {
			return nil, fmt.Errorf("program %d of process %d: %w", id, p.PID(), err)
		}
		out[id] = prog
	}
	return out, nil
}

func read(id uint32) (Program, error) {
	prog, err := ebpf.NewProgramFromID(ebpf.ProgramID(id))
	if err != nil {
		return Program{}, err
	}
	defer prog.Close()
	return Of(prog)
}

// Of reads one program that the caller holds.
func Of(prog *ebpf.Program) (Program, error) {
	info, err := prog.Info()
	if err != nil {
		return Program{}, err
	}
	id, _ := info.ID()
	stats, err := prog.Stats()
	if err != nil {
		return Program{}, err
	}
	return Program{ID: uint32(id), Name: info.Name, Runs: stats.RunCount, Ns: uint64(stats.Runtime)}, nil
}

// Running is how many of the process's programs have run; it errs on the low side while they change.
func (p *Process) Running() int {
	ids, err := programIDs(p.PID())
	if err != nil {
		return 0
	}
	n := 0
	for _, runs := range ids {
		if runs > 0 {
			n++
		}
	}
	return n
}

// programIDs returns the programs that a process has a descriptor of, and how often each ran. A link's
// descriptor names its program too, without the runs.
func programIDs(pid int) (map[uint32]uint64, error) {
	files, err := filepath.Glob(fmt.Sprintf("/proc/%d/fdinfo/*", pid))
	if err != nil {
		return nil, err
	}
	ids := map[uint32]uint64{}
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err != nil {
			continue // closed meanwhile
		}
		id, runs, ok := parseFDInfo(string(b))
		if ok {
			ids[id] = max(ids[id], runs)
		}
	}
	return ids, nil
}

// parseFDInfo finds a program's number and its runs in a descriptor's lines "name:\tvalue".
func parseFDInfo(text string) (id uint32, runs uint64, ok bool) {
	for l := range strings.Lines(text) {
		name, value, _ := strings.Cut(l, ":")
		n, err := strconv.ParseUint(strings.TrimSpace(value), 10, 64)
		if err != nil {
			continue
		}
		switch name {
		case "prog_id":
			id, ok = uint32(n), true
		case "run_cnt":
			runs = n
		}
	}
	return id, runs, ok
}
