//go:build linux

package memory

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// A cache is one level that data goes through.
type cache struct {
	level int
	size  int // bytes
}

// caches are the data caches of a processor, nearest first, by what the kernel says below sysfs; none where it
// does not say (most emulators and some virtual machines).
func caches(sysfs string, cpu int) []cache {
	dirs, err := filepath.Glob(filepath.Join(sysfs, fmt.Sprintf("devices/system/cpu/cpu%d/cache/index*", cpu)))
	if err != nil {
		return nil
	}
	var list []cache
	for _, dir := range dirs {
		read := func(name string) string {
			text, err := os.ReadFile(filepath.Join(dir, name))
			if err != nil {
				return ""
			}
			return strings.TrimSpace(string(text))
		}
		level, err := strconv.Atoi(read("level"))
		size := parseSize(read("size"))
		if err != nil || size == 0 || read("type") == "Instruction" {
			continue
		}
		list = append(list, cache{level, size})
	}
	slices.SortFunc(list, func(a, b cache) int { return a.level - b.level })
	return list
}

// parseSize reads "32K", as the kernel writes it, in bytes; 0 where it is anything else.
func parseSize(text string) int {
	number, unit := text, 1
	for suffix, value := range map[string]int{"K": 1 << 10, "M": 1 << 20} {
		if rest, ok := strings.CutSuffix(text, suffix); ok {
			number, unit = rest, value
		}
	}
	size, err := strconv.Atoi(number)
	if err != nil || size < 0 || size > 1<<40/unit {
		return 0
	}
	return size * unit
}

// hugeBytes is how much of the area at address is in huge pages, by the kernel's account in smaps: the sum of
// AnonHugePages of all areas that touch it.
func hugeBytes(smaps io.Reader, address, size uint64) (int, error) {
	total, inside := 0, false
	lines := bufio.NewScanner(smaps)
	for lines.Scan() {
		fields := strings.Fields(lines.Text())
		if len(fields) == 0 {
			continue
		}
		if low, high, ok := parseRange(fields[0]); ok {
			inside = low < address+size && high > address
			continue
		}
		if inside && fields[0] == "AnonHugePages:" && len(fields) > 1 {
			kib, err := strconv.ParseUint(fields[1], 10, 40) // no more than there is address space
			if err != nil {
				return 0, fmt.Errorf("smaps: %w", err)
			}
			total += int(kib) << 10
		}
	}
	return total, lines.Err()
}

// parseRange reads "55d0-55d1", the first field of an area's line.
func parseRange(text string) (low, high uint64, ok bool) {
	from, to, found := strings.Cut(text, "-")
	if !found {
		return 0, 0, false
	}
	low, err := strconv.ParseUint(from, 16, 64)
	if err != nil {
		return 0, 0, false
	}
	high, err = strconv.ParseUint(to, 16, 64)
	return low, high, err == nil
}
