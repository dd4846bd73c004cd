//go:build amd64 || arm64

package ctxswitch

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
	start  switchCounts
	max    switchCounts // the highest seen: a thread that ends takes its counts along
}

type switchCounts struct{ total, voluntary, involuntary uint64 }

func openProc(opts Options) (*procCounters, error) {
	t := opts.Target
	if t.Comm != "" || t.Cgroup != "" {
		return nil, &NotPermittedError{Op: fmt.Sprintf("observe switches of %v", t), Needs: "CAP_BPF and CAP_PERFMON: /proc has no such counter", Err: os.ErrPermission}
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
	p.max = switchCounts{max(p.max.total, now.total), max(p.max.voluntary, now.voluntary), max(p.max.involuntary, now.involuntary)}
	s.Switches = p.max.total - min(p.start.total, p.max.total)
	s.Voluntary = p.max.voluntary - min(p.start.voluntary, p.max.voluntary)
	s.Involuntary = p.max.involuntary - min(p.start.involuntary, p.max.involuntary)
	return nil
}

func (p *procCounters) count() (switchCounts, error) {
	var n switchCounts
	stat, err := procfs.Stat()
	if err != nil {
		return n, err
	}
	n.total = stat.Ctxt
	switch {
	case p.target.Host():
		return n, nil // the host's counter does not tell the two kinds apart
	case p.target.TID != 0:
		err := n.addTask(p.target.TID, p.target.TID)
		return n, err
	case p.target.Children:
		var ru unix.Rusage
		if err := unix.Getrusage(unix.RUSAGE_CHILDREN, &ru); err != nil {
			return n, os.NewSyscallError("getrusage", err)
		}
		n.voluntary, n.involuntary = uint64(ru.Nvcsw), uint64(ru.Nivcsw)
		err := n.addDescendants(os.Getpid())
		return n, err
	}
	if err := n.addProcess(p.target.PID); err != nil || p.target.NoFollow {
		return n, err
	}
	err = n.addDescendants(p.target.PID)
	return n, err
}

func (n *switchCounts) addDescendants(pid int) error {
	pids, err := target.Descendants(pid)
	if err != nil {
		return err
	}
	for _, pid := range pids {
		if err := n.addProcess(pid); err != nil {
			return err
		}
	}
	return nil
}

func (n *switchCounts) addProcess(pid int) error {
	tids, err := procfs.Tasks(pid)
	if err != nil && !procfs.Gone(err) {
		return err
	}
	for _, tid := range tids {
		if err := n.addTask(pid, tid); err != nil {
			return err
		}
	}
	return nil
}

func (n *switchCounts) addTask(pid, tid int) error {
	st, err := procfs.TaskStatus(pid, tid)
	if procfs.Gone(err) {
		return nil
	} else if err != nil {
		return err
	}
	n.voluntary += st.VoluntaryCtxtSwitches
	n.involuntary += st.NonvoluntaryCtxtSwitches
	return nil
}
