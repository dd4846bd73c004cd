package target

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/cilium/ebpf"
	"golang.org/x/sys/unix"

	"github.com/ring3-go/ring3/internal/procfs"
)

// Mirrors enum scope and the TASK_ bits of scope.h.
const (
	scopeHost = iota
	scopeMembers
	scopeComm
	scopeCgroup

	taskMember = 1 << 0
	taskSeed   = 1 << 1
)

// Configure writes the target into a program's constants, before it is loaded.
func (t Target) Configure(spec *ebpf.CollectionSpec) error {
	if err := t.Validate(); err != nil {
		return err
	}
	constants := map[string]any{"scope_kind": uint32(scopeHost)}
	switch {
	case t.TID != 0:
		if !inHostPidNamespace() {
			return fmt.Errorf("target thread %d: the kernel side needs the host's number, and this is an inner pid namespace: give the process", t.TID)
		}
		constants["scope_kind"] = uint32(scopeMembers)
		constants["scope_tid"] = int32(t.TID)
	case t.PID != 0 || t.Children:
		constants["scope_kind"] = uint32(scopeMembers)
		follow := uint32(1)
		if t.NoFollow {
			follow = 0
		}
		constants["scope_follow"] = follow
	case t.Comm != "":
		var comm [16]byte
		copy(comm[:], t.Comm)
		constants["scope_kind"] = uint32(scopeComm)
		constants["scope_comm"] = [2]uint64{binary.NativeEndian.Uint64(comm[:]), binary.NativeEndian.Uint64(comm[8:])}
	case t.Cgroup != "":
		id, level, err := cgroup(t.Cgroup)
		if err != nil {
			return fmt.Errorf("target %v: %w", t, err)
		}
		constants["scope_kind"] = uint32(scopeCgroup)
		constants["scope_cgroup_id"] = id
		constants["scope_cgroup_level"] = int32(level)
	}
	for name, value := range constants {
		if err := spec.Variables[name].Set(value); err != nil {
			return fmt.Errorf("target %v: %w", t, err)
		}
	}
	return nil
}

// Mark puts the processes that t names into the program's task storage, after loading and before
// attaching. They are named by pidfd, so that no namespace and no reused number can confuse them.
func (t Target) Mark(tasks *ebpf.Map) error {
	pid, flags := t.PID, uint32(taskMember)
	switch {
	case t.Children:
		pid, flags = os.Getpid(), taskSeed
	case t.TID != 0:
		status, err := procfs.PidStatus(t.TID)
		if err != nil {
			return gone(t, err)
		}
		pid = status.Tgid
	case t.PID == 0:
		return nil
	}
	pidfd, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		return gone(t, os.NewSyscallError("pidfd_open", err))
	}
	defer unix.Close(pidfd)
	state := make([]byte, tasks.ValueSize())
	binary.NativeEndian.PutUint32(state, flags)
	if err := update(tasks, pidfd, state); err != nil {
		return gone(t, err)
	}
	return nil
}

// update tries again when it comes upon a program that gives the same task its first storage (EAGAIN), or
// has it locked (EBUSY): both pass in nanoseconds, since programs do not sleep.
func update(tasks *ebpf.Map, pidfd int, state []byte) (err error) {
	for range 1000 {
		err = tasks.Update(uint32(pidfd), state, ebpf.UpdateAny)
		if !errors.Is(err, unix.EAGAIN) && !errors.Is(err, unix.EBUSY) {
			break
		}
	}
	return err
}

func gone(t Target, err error) error {
	if errors.Is(err, unix.ESRCH) || errors.Is(err, unix.EINVAL) || errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("target %v: no such process: %w", t, err)
	}
	return fmt.Errorf("target %v: %w", t, err)
}

func inHostPidNamespace() bool {
	const hostPidNamespace = 0xEFFFFFFC // PROC_PID_INIT_INO, include/linux/proc_ns.h
	var st unix.Stat_t
	return unix.Stat("/proc/self/ns/pid", &st) == nil && st.Ino == hostPidNamespace
}

// cgroup returns the kernel's id of a cgroup v2 and how many levels it lies below the root.
func cgroup(path string) (id uint64, level int, err error) {
	mount, err := procfs.CgroupMount()
	if err != nil {
		return 0, 0, err
	}
	dir := filepath.Clean(path)
	if dir != mount && !strings.HasPrefix(dir, mount+"/") {
		dir = filepath.Join(mount, path)
	}
	id, err = procfs.CgroupID(dir)
	if err != nil {
		return 0, 0, err
	}
	rel, err := filepath.Rel(mount, dir)
	if err != nil {
		return 0, 0, err
	}
	if rel == "." {
		return id, 0, nil
	}
	return id, strings.Count(rel, "/") + 1, nil
}
