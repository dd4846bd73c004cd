//go:build amd64 || arm64

package pagefault

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"

	"github.com/ring3-go/ring3/internal/procfs"
	"github.com/ring3-go/ring3/internal/target"
)

// procCounters reads what the kernel counted from /proc. It remembers what stood there at the start.
type procCounters struct {
	target Target
	start  faultCounts
	max    faultCounts // the highest seen: a process that ends unwaited-for takes its counts along
}

type faultCounts struct{ minor, major uint64 }

func (a faultCounts) add(minor, major uint64) faultCounts {
	return faultCounts{a.minor + minor, a.major + major}
}

func openProc(opts Options) (*procCounters, error) {
	t := opts.Target
	if t.Comm != "" || t.Cgroup != "" {
		return nil, &NotPermittedError{Op: fmt.Sprintf("observe page faults of %v", t), Needs: "CAP_BPF and CAP_PERFMON: /proc has no such counter", Err: os.ErrPermission}
	}
	p := &procCounters{target: t}
	var err error
	p.start, err = p.count()
	return p, err
}

func (p *procCounters) read(s *Snapshot) error {
	now, err := p.count()
	if err != nil {
		return err
	}
	p.max = faultCounts{max(p.max.minor, now.minor), max(p.max.major, now.major)}
	s.Minor = p.max.minor - min(p.start.minor, p.max.minor)
	s.Major = p.max.major - min(p.start.major, p.max.major)
	return nil
}

func (p *procCounters) count() (faultCounts, error) {
	var none faultCounts
	switch {
	case p.target.Host():
		vm, err := procfs.VMStat()
		if err != nil {
			return none, err
		}
		return none.add(vm["pgfault"]-vm["pgmajfault"], vm["pgmajfault"]), nil
	case p.target.TID != 0:
		st, err := procfs.TaskStat(p.target.TID, p.target.TID)
		if procfs.Gone(err) {
			return p.max, nil
		}
		return none.add(st.MinFlt, st.MajFlt), err
	case p.target.Children:
		return p.countChildren()
	}
	st, err := procfs.PidStat(p.target.PID)
	if procfs.Gone(err) && p.start != none {
		return p.max, nil
	} else if err != nil {
		return none, err
	}
	n := none.add(st.MinFlt, st.MajFlt)
	if p.target.NoFollow {
		return n, nil
	}
	return liveChildren(p.target.PID, n.add(st.CMinFlt, st.CMajFlt))
}

// countChildren is what this process's children took: those waited for, and those alive.
func (p *procCounters) countChildren() (faultCounts, error) {
	var ru unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_CHILDREN, &ru); err != nil {
		return faultCounts{}, os.NewSyscallError("getrusage", err)
	}
	return liveChildren(os.Getpid(), faultCounts{uint64(ru.Minflt), uint64(ru.Majflt)})
}

func liveChildren(pid int, n faultCounts) (faultCounts, error) {
	pids, err := target.Descendants(pid)
	if err != nil {
		return n, err
	}
	for _, child := range pids {
		st, err := procfs.PidStat(child)
		if procfs.Gone(err) {
			continue
		} else if err != nil {
			return n, err
		}
		n = n.add(st.MinFlt, st.MajFlt).add(st.CMinFlt, st.CMajFlt)
	}
	return n, nil
}
