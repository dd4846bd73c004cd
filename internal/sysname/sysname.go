package sysname

import (
	"slices"
	"strconv"
	"strings"
)

// unknownPrefix starts the name of a number that the table does not have.
const unknownPrefix = "syscall_"

// Name returns the kernel's name for the system call nr, without a "sys_"
// prefix. A number without a name, negative ones among them, becomes
// "syscall_" and the number in decimal. (The kernel uses -1 for "not in a
// system call"; that is for the caller to test.)
func Name(nr int64) string {
	if nr >= 0 && nr < int64(len(names)) && names[nr] != "" {
		return names[nr]
	}
	return unknownPrefix + strconv.FormatInt(nr, 10)
}

// Number is the inverse of [Name]: Number(Name(nr)) is nr for every nr. It
// reports false for a string that Name returns for no number, such as
// "syscall_0" where 0 has a name. It searches the table from its start, which
// takes about a microsecond: for options and tests, not for events.
func Number(name string) (int64, bool) {
	if name == "" {
		return 0, false // the table's holes are empty strings
	}
	if i := slices.Index(names[:], name); i >= 0 {
		return int64(i), true
	}
	digits, ok := strings.CutPrefix(name, unknownPrefix)
	if !ok {
		return 0, false
	}
	nr, err := strconv.ParseInt(digits, 10, 64)
	if err != nil || Name(nr) != name {
		return 0, false
	}
	return nr, true
}
