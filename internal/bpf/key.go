package bpf

import "strings"

// By is a set of keys to group events by. Mirrors the BY_ bits of key.h.
type By uint32

// The keys.
const (
	ByComm By = 1 << iota
	ByPID
	ByTID
	ByCgroup
	ByClass
	ByFile
	BySyscall
)

var byNames = []string{"comm", "pid", "tid", "cgroup", "class", "file", "syscall"}

// String is the set as ParseBy reads it.
func (b By) String() string {
	var names []string
	for i, name := range byNames {
		if b&(1<<i) != 0 {
			names = append(names, name)
		}
	}
	return strings.Join(names, ",")
}

// ParseBy reads one key's name; ok is false where it is none.
func ParseBy(name string) (b By, ok bool) {
	for i, n := range byNames {
		if n == name {
			return 1 << i, true
		}
	}
	return 0, false
}

// Key mirrors struct key of key.h.
type Key struct {
	TGID, TID uint32
	Cgroup    uint64
	Inode     uint64
	Device    uint32
	What      uint32
	Comm      [16]byte
	File      [32]byte
}

// CString returns the bytes before the first NUL.
func CString(b []byte) string {
	s, _, _ := strings.Cut(string(b), "\x00")
	return s
}
