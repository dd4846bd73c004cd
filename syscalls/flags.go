//go:build linux

package syscalls

import (
	"strconv"
	"strings"
)

// A flagName is what the kernel's headers call a bit. Names of several bits stand before those of their parts.
type flagName struct {
	bit  uint64
	name string
}

// flagNames writes bits by their names, as a C program would: A|B. Bits that have none follow in hexadecimal,
// and no bits at all are 0.
func flagNames(v uint64, names []flagName) string {
	if v == 0 {
		return "0"
	}
	var s []string
	for _, n := range names {
		if n.bit != 0 && v&n.bit == n.bit {
			s = append(s, n.name)
			v &^= n.bit
		}
	}
	if v != 0 {
		s = append(s, "0x"+strconv.FormatUint(v, 16))
	}
	return strings.Join(s, "|")
}

// valueName writes a value that is one of several by its name, and another as the number that it is.
func valueName(v int64, names []string) string {
	if v >= 0 && v < int64(len(names)) && names[v] != "" {
		return names[v]
	}
	return strconv.FormatInt(v, 10)
}
