package main

import (
	"fmt"
	"strings"
	"time"

	"github.com/ring3-go/ring3/internal/bpf"
	"github.com/ring3-go/ring3/internal/hist"
	"github.com/ring3-go/ring3/internal/target"
)

// intervalRecord is what the records of an interval begin with.
type intervalRecord struct {
	Schema     string      `json:"schema"`
	Time       string      `json:"time"`
	IntervalNs int64       `json:"interval_ns"`
	Scope      scopeRecord `json:"scope"`
	Backend    string      `json:"backend"`
}

func newIntervalRecord(schema string, from, to time.Time, t target.Target, backend string) intervalRecord {
	return intervalRecord{
		Schema: schema, Time: to.UTC().Format(time.RFC3339Nano), IntervalNs: int64(to.Sub(from)),
		Scope: newScopeRecord(t), Backend: backend,
	}
}

func (r *intervalRecord) seconds() float64 { return float64(r.IntervalNs) / 1e9 }

// scopeRecord says which tasks were observed.
type scopeRecord struct {
	Kind   string `json:"kind"`
	PID    int    `json:"pid,omitempty"`
	Follow *bool  `json:"follow,omitempty"`
	TID    int    `json:"tid,omitempty"`
	Comm   string `json:"comm,omitempty"`
	Cgroup string `json:"cgroup,omitempty"`
}

func newScopeRecord(t target.Target) scopeRecord {
	switch {
	case t.PID != 0:
		return scopeRecord{Kind: "process", PID: t.PID, Follow: new(!t.NoFollow)}
	case t.TID != 0:
		return scopeRecord{Kind: "thread", TID: t.TID}
	case t.Comm != "":
		return scopeRecord{Kind: "command", Comm: clean(t.Comm)}
	case t.Cgroup != "":
		return scopeRecord{Kind: "cgroup", Cgroup: clean(t.Cgroup)}
	}
	return scopeRecord{Kind: "host"}
}

// lostRecord is what was not counted, by cause; see bpf.Loss.
type lostRecord struct {
	Events  uint64 `json:"events"`
	Storage uint64 `json:"storage"`
	Event   uint64 `json:"event"`
	Missed  uint64 `json:"missed"`
	MapFull uint64 `json:"map_full"`
	Clock   uint64 `json:"clock"`
	Pair    uint64 `json:"pair"`
}

func newLostRecord(l bpf.Loss) lostRecord {
	return lostRecord{l.Events(), l.Storage, l.Event, l.Missed, l.MapFull, l.Clock, l.Pair}
}

// histogramRecord is one distribution: its buckets that are not empty, in ascending order.
type histogramRecord struct {
	Name    string         `json:"name"`
	Buckets []bucketRecord `json:"buckets"`

	hist *hist.Hist
}

type bucketRecord struct {
	FromNs  uint64 `json:"from_ns"`
	BelowNs uint64 `json:"below_ns"`
	Count   uint64 `json:"count"`
}

func newHistogramRecord(name string, h *hist.Hist) histogramRecord {
	r := histogramRecord{Name: name, Buckets: []bucketRecord{}, hist: h}
	for i, n := range h.Counts {
		if n > 0 {
			from, below := hist.Bounds(i)
			r.Buckets = append(r.Buckets, bucketRecord{from, below, n})
		}
	}
	return r
}

// keyRecord names a group; the keys that were asked for are there.
type keyRecord struct {
	Comm     *string `json:"comm,omitempty"`
	PID      *int    `json:"pid,omitempty"`
	TID      *int    `json:"tid,omitempty"`
	CgroupID *uint64 `json:"cgroup_id,omitempty"`
	Cgroup   *string `json:"cgroup,omitempty"`
	Class    *string `json:"class,omitempty"`
	File     *string `json:"file,omitempty"`
	Inode    *uint64 `json:"inode,omitempty"`
	Device   *string `json:"device,omitempty"`
	Syscall  *string `json:"syscall,omitempty"`
}

// cells is the key as the columns of a table. What has no name, such as a removed cgroup, shows its number.
func (k *keyRecord) cells() []string {
	var out []string
	number := func(n *int) {
		if n != nil {
			out = append(out, fmt.Sprint(*n))
		}
	}
	text := func(s *string) {
		if s != nil {
			out = append(out, *s)
		}
	}
	text(k.Comm)
	number(k.PID)
	number(k.TID)
	switch {
	case k.Cgroup == nil:
	case *k.Cgroup == "":
		out = append(out, fmt.Sprintf("(id %d)", *k.CgroupID))
	default:
		text(k.Cgroup)
	}
	text(k.Class)
	switch {
	case k.File == nil:
	case *k.Inode == 0:
		out = append(out, "(no file)")
	default:
		text(k.File)
	}
	text(k.Syscall)
	return out
}

// cgroupNames finds the paths of cgroups by id. It looks again where it meets one that it does not know, but
// once a report, since one that is gone has no name.
type cgroupNames struct {
	paths map[uint64]string
	fresh bool // looked since the report began
}

func (c *cgroupNames) of(id uint64) string {
	if _, ok := c.paths[id]; !ok && !c.fresh {
		c.paths, c.fresh = cgroupPaths(), true
	}
	return c.paths[id]
}

// newTaskKey is a key in what faults and switches have in common.
func newTaskKey(names *cgroupNames, by bpf.By, comm string, pid, tid int, cgroup uint64) keyRecord {
	var r keyRecord
	if by&bpf.ByComm != 0 {
		r.Comm = new(clean(comm))
	}
	if by&bpf.ByPID != 0 {
		r.PID = &pid
	}
	if by&bpf.ByTID != 0 {
		r.TID = &tid
	}
	if by&bpf.ByCgroup != 0 {
		r.CgroupID, r.Cgroup = &cgroup, new(clean(names.of(cgroup)))
	}
	return r
}

// keyNames are the keys by name, none of them as none and not as null.
func keyNames(by bpf.By) []string {
	if by == 0 {
		return []string{}
	}
	return strings.Split(by.String(), ",")
}

// top splits rows into those to show and those to sum up.
func top[T any](rows []T, n int) (shown, rest []T) {
	if n == 0 || len(rows) <= n {
		return rows, nil
	}
	return rows[:n], rows[n:]
}
