package doctor

import (
	"bufio"
	"cmp"
	"fmt"
	"io"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

const (
	columns    = 80
	markWidth  = len("limited")
	indent     = "           " // of consequence and remedy
	labelWidth = len("remedy: ")
)

// colors are the ANSI colours of the marks.
var colors = map[Status]string{OK: "32", Limited: "33", No: "31"}

// Text writes the checks as a report of at most 80 columns: status, name and evidence, and beneath what is
// not OK its consequence and remedy. Control characters in what came from outside are escaped. It returns the
// first error of w.
func Text(w io.Writer, checks []Check, color bool) error {
	nameWidth := 0
	for _, c := range checks {
		nameWidth = max(nameWidth, width(printable(c.Name)))
	}
	nameWidth = min(nameWidth, columns/2)
	column := strings.Repeat(" ", markWidth+2+nameWidth+2)
	out := bufio.NewWriter(w)
	for _, c := range checks {
		names := wrap(printable(c.Name), nameWidth)
		evidence := wrap(printable(c.Evidence), columns-len(column))
		// Colour goes on after all widths are known: escape sequences take no columns.
		mark := string(c.Status)
		if color {
			mark = "\x1b[" + cmp.Or(colors[c.Status], "0") + "m" + mark + "\x1b[0m"
		}
		pad := strings.Repeat(" ", max(markWidth-width(string(c.Status)), 0))
		for i := range max(len(names), len(evidence)) {
			gap := strings.Repeat(" ", nameWidth-width(at(names, i))+2)
			fmt.Fprintln(out, mark+strings.TrimRight(pad+"  "+at(names, i)+gap+at(evidence, i), " "))
			mark, pad = "", strings.Repeat(" ", markWidth)
		}
		writeUnder(out, "means:", c.Consequence)
		writeUnder(out, "remedy:", c.Remedy)
	}
	if err := out.Flush(); err != nil {
		return fmt.Errorf("write report: %w", err)
	}
	return nil
}

// at is element i of lines, or nothing.
func at(lines []string, i int) string {
	if i < len(lines) {
		return lines[i]
	}
	return ""
}

func writeUnder(w io.Writer, label, text string) {
	if strings.TrimSpace(text) == "" {
		return
	}
	for _, line := range wrap(printable(text), columns-len(indent)-labelWidth) {
		fmt.Fprintf(w, "%s%-*s%s\n", indent, labelWidth, label, line)
		label = ""
	}
}

// wrap breaks text between words, or within one that is too long, into lines of at most n columns. It
// returns one line at least.
func wrap(text string, n int) []string {
	var lines []string
	line := ""
	for word := range strings.FieldsSeq(text) {
		if line != "" && width(line)+1+width(word) > n {
			lines = append(lines, line)
			line = ""
		}
		if line != "" {
			line += " "
		}
		for _, r := range word {
			if width(line)+runeWidth(r) > n {
				lines = append(lines, line)
				line = ""
			}
			line += string(r)
		}
	}
	return append(lines, line)
}

// width is how many columns s takes, at most.
func width(s string) (n int) {
	for _, r := range s {
		n += runeWidth(r)
	}
	return n
}

// runeWidth takes everything beyond the alphabets of Europe and the Near East for wide.
func runeWidth(r rune) int {
	const firstWide = 0x1100 // Hangul Jamo
	if r >= firstWide {
		return 2
	}
	return 1
}

// printable escapes what could move the cursor or hide text: control and format characters, and bytes that
// are not UTF-8.
func printable(s string) string {
	var b strings.Builder
	for len(s) > 0 {
		r, n := utf8.DecodeRuneInString(s)
		switch {
		case r == utf8.RuneError && n == 1:
			fmt.Fprintf(&b, `\x%02x`, s[0])
		case unicode.IsPrint(r):
			b.WriteString(s[:n])
		default:
			q := strconv.QuoteRuneToASCII(r)
			b.WriteString(q[1 : len(q)-1])
		}
		s = s[n:]
	}
	return b.String()
}
