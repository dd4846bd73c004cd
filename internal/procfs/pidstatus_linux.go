package procfs

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// A PidStatusInfo is what /proc/PID/status says of one thread.
type PidStatusInfo struct {
	// Tgid is the process that the thread belongs to.
	Tgid int
	// Uid holds the real, effective, saved and file-system user ids, in the
	// reader's user namespace.
	Uid [4]uint32
	// NSpid is the thread's id in each pid namespace that it is in, from that
	// of /proc inwards: more than one in a container. It is nil in a
	// kernel without CONFIG_PID_NS.
	NSpid []int
	// CapPrm, CapEff and CapBnd are the permitted, effective and bounding
	// capability sets: capability n is bit n.
	CapPrm, CapEff, CapBnd uint64
	// NoNewPrivs says that execve cannot gain privileges.
	NoNewPrivs bool
	// Seccomp is the mode: 0 off (or a kernel without it), 1 strict, 2 filter.
	Seccomp int
	// VoluntaryCtxtSwitches counts the times that the thread slept, and
	// NonvoluntaryCtxtSwitches those that it was switched out still runnable.
	VoluntaryCtxtSwitches, NonvoluntaryCtxtSwitches uint64
}

// PidStatus reads the status of the main thread of a process, and of that one
// thread only: the kernel sums nothing up in this file. For the switches of a
// process, add up [TaskStatus] over its [Tasks]; what threads that ended had
// counted is then missing, and only the process's own getrusage has it.
func PidStatus(pid int) (PidStatusInfo, error) {
	return read(pidDir(pid)+"/status", parsePidStatus)
}

// TaskStatus reads the status of one thread.
func TaskStatus(pid, tid int) (PidStatusInfo, error) {
	return read(taskDir(pid, tid)+"/status", parsePidStatus)
}

// required are the lines that every kernel prints. Without one, a zero would
// pass for the kernel's word.
var required = [...]string{
	"Tgid", "Uid", "CapPrm", "CapEff", "CapBnd", "NoNewPrivs",
	"voluntary_ctxt_switches", "nonvoluntary_ctxt_switches",
}

// parsePidStatus parses lines "Key:\tvalue". The kernel escapes newlines in
// the command name, so no process can forge a line.
func parsePidStatus(b []byte) (PidStatusInfo, error) {
	var info PidStatusInfo
	var seen [len(required)]bool
	for line := range strings.Lines(string(b)) {
		key, value, ok := strings.Cut(line, ":")
		if !ok {
			continue
		}
		if err := info.set(key, strings.TrimSpace(value)); err != nil {
			return PidStatusInfo{}, fmt.Errorf("%s: %w", key, err)
		}
		for i, name := range required {
			if key == name {
				seen[i] = true
			}
		}
	}
	for i, name := range required {
		if !seen[i] {
			return PidStatusInfo{}, fmt.Errorf("%s: missing", name)
		}
	}
	return info, nil
}

// set stores one line's value. Lines that are not needed are not looked at.
func (s *PidStatusInfo) set(key, value string) (err error) {
	switch key {
	case "Tgid":
		s.Tgid, err = parseID(value)
	case "Uid":
		s.Uid, err = parseUids(value)
	case "NSpid":
		s.NSpid, err = parseIDs(value)
	case "CapPrm":
		s.CapPrm, err = strconv.ParseUint(value, 16, 64)
	case "CapEff":
		s.CapEff, err = strconv.ParseUint(value, 16, 64)
	case "CapBnd":
		s.CapBnd, err = strconv.ParseUint(value, 16, 64)
	case "NoNewPrivs":
		var n int
		n, err = parseID(value)
		s.NoNewPrivs = n != 0
	case "Seccomp":
		s.Seccomp, err = parseID(value)
	case "voluntary_ctxt_switches":
		s.VoluntaryCtxtSwitches, err = parseUint(value)
	case "nonvoluntary_ctxt_switches":
		s.NonvoluntaryCtxtSwitches, err = parseUint(value)
	}
	return err
}

// parseUids parses the four numbers of a Uid line.
func parseUids(value string) (uids [4]uint32, err error) {
	f := strings.Fields(value)
	if len(f) != len(uids) {
		return uids, errors.New("want four numbers")
	}
	for i := range f {
		n, err := strconv.ParseUint(f[i], 10, 32)
		if err != nil {
			return uids, err
		}
		uids[i] = uint32(n)
	}
	return uids, nil
}

// parseIDs parses numbers between white space.
func parseIDs(value string) (ids []int, err error) {
	for f := range strings.FieldsSeq(value) {
		id, err := parseID(f)
		if err != nil {
			return nil, err
		}
		ids = append(ids, id)
	}
	return ids, nil
}
