package main

import (
	"strconv"
	"strings"
)

// nanoseconds renders a duration in three significant digits and at most seven columns: 1.79us, 12.3ms.
func nanoseconds[T ~int64 | ~uint64](ns T) string {
	v := float64(ns)
	if v < 1000 {
		return strconv.FormatFloat(v, 'f', 0, 64) + "ns"
	}
	units := []string{"us", "ms", "s"}
	for i, u := range units {
		v /= 1000
		if v < 999.5 || i == len(units)-1 && v < 999_999.5 {
			return significant(v) + u
		}
	}
	return significant(v/86_400) + "d"
}

func significant(v float64) string {
	switch {
	case v < 9.995:
		return strconv.FormatFloat(v, 'f', 2, 64)
	case v < 99.95:
		return strconv.FormatFloat(v, 'f', 1, 64)
	}
	return strconv.FormatFloat(v, 'f', 0, 64)
}

// count renders a number with a comma before each three digits.
func count[T ~int | ~int64 | ~uint64](n T) string {
	s := strconv.FormatInt(int64(n), 10)
	sign := ""
	if s[0] == '-' {
		sign, s = "-", s[1:]
	}
	var parts []string
	for len(s) > 3 {
		parts = append([]string{s[len(s)-3:]}, parts...)
		s = s[:len(s)-3]
	}
	return sign + strings.Join(append([]string{s}, parts...), ",")
}

// tally is count where that has n columns or fewer, and otherwise in millions or more: 1.23M.
func tally(v uint64, n int) string {
	if s := count(v); len(s) <= n {
		return s
	}
	f := float64(v) / 1000
	units := []string{"M", "G", "T", "P", "E"}
	for i, unit := range units {
		f /= 1000
		if f < 999.5 || i == len(units)-1 {
			return significant(f) + unit
		}
	}
	return ""
}

// bytesText renders a size: 512B, 3.4MiB.
func bytesText(n uint64) string {
	if n < 1024 {
		return strconv.FormatUint(n, 10) + "B"
	}
	v := float64(n)
	units := []string{"KiB", "MiB", "GiB", "TiB"}
	for i, u := range units {
		v /= 1024
		if v < 1000 || i == len(units)-1 {
			return significant(v) + u
		}
	}
	return ""
}

// cut shortens s to n columns.
func cut(s string, n int) string {
	r := []rune(s)
	if len(r) <= n {
		return s
	}
	return string(r[:n-1]) + "~"
}
