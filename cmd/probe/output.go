package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/term"
)

// output is where a command's data and talk go, and how they look.
type output struct {
	in         io.Reader
	data, talk io.Writer
	json       bool
	color      string // auto, always, never
	verbose    bool
	colored    bool // decided by open
}

// open checks the flags and decides on colour.
func (o *output) open() error {
	switch o.color {
	case "always":
		o.colored = true
	case "never":
	case "auto":
		o.colored = os.Getenv("NO_COLOR") == "" && isTerminal(o.data)
	default:
		return usageError{fmt.Errorf("--color %q: want auto, always or never", o.color)}
	}
	return nil
}

func isTerminal(w any) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// finish reports an error, if there is one, in the form that was asked for, and returns the exit code.
func (o *output) finish(err error) int {
	code := exitCode(err)
	var reported commandExit
	if err == nil || errors.As(err, &reported) {
		return code
	}
	if o.json {
		if werr := o.record(errorRecord{Schema: "ring3/error/v1", Error: clean(err.Error()), ExitCode: code}); werr == nil {
			return code
		}
	}
	fmt.Fprintf(o.talk, "probe: %s\n", cleanLines(err.Error()))
	if code == exitUsage {
		fmt.Fprintln(o.talk, `"probe --help" shows how it is used.`)
	}
	return code
}

// errorRecord is ring3/error/v1.
type errorRecord struct {
	Schema   string `json:"schema"`
	Error    string `json:"error"`
	ExitCode int    `json:"exit_code"`
}

// record writes one JSON record as a line.
func (o *output) record(v any) error { return writeRecord(o.data, v) }

func writeRecord(w io.Writer, v any) error {
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return fmt.Errorf("encode record: %w", err)
	}
	_, err := w.Write(asciiControls(buf.Bytes()))
	return err
}

// asciiControls escapes, inside JSON, the control characters that JSON itself lets through: DEL, the C1
// set, and those that turn the direction of text. They can stand in strings only.
func asciiControls(b []byte) []byte {
	if !bytes.ContainsFunc(b, func(r rune) bool { return r != '\n' && hostile(r) }) {
		return b
	}
	var out bytes.Buffer
	for _, r := range string(b) {
		if r != '\n' && hostile(r) {
			fmt.Fprintf(&out, `\u%04x`, r)
		} else {
			out.WriteRune(r)
		}
	}
	return out.Bytes()
}

// hostile reports whether a character can move the cursor, start an escape sequence, or hide text.
func hostile(r rune) bool {
	return unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r) || r == '\u2028' || r == '\u2029'
}

// clean makes a string from outside (a command's name, a path) safe to print: what is hostile or not
// UTF-8 becomes a Go escape.
func clean(s string) string {
	safe := func(r rune) bool { return r != utf8.RuneError && !hostile(r) }
	if utf8.ValidString(s) && strings.IndexFunc(s, func(r rune) bool { return !safe(r) }) < 0 {
		return s
	}
	var b strings.Builder
	for len(s) > 0 {
		r, n := utf8.DecodeRuneInString(s)
		switch {
		case r == utf8.RuneError && n == 1:
			fmt.Fprintf(&b, `\x%02x`, s[0])
		case safe(r):
			b.WriteString(s[:n])
		default:
			q := strconv.QuoteRuneToASCII(r)
			b.WriteString(q[1 : len(q)-1])
		}
		s = s[n:]
	}
	return b.String()
}

// cleanLines is clean for a text of our own that quotes others: its line breaks stand.
func cleanLines(s string) string {
	lines := strings.Split(strings.ReplaceAll(s, "\t", "    "), "\n")
	for i := range lines {
		lines[i] = clean(lines[i])
	}
	return strings.Join(lines, "\n")
}

// bold, red and dim mark a heading, bad news and what is beside the point, where colour is wanted.
func (o *output) bold(s string) string { return o.style("1", s) }
func (o *output) red(s string) string  { return o.style("1;31", s) }
func (o *output) dim(s string) string  { return o.style("2", s) }

func (o *output) style(code, s string) string {
	if !o.colored {
		return s
	}
	return "\x1b[" + code + "m" + s + "\x1b[0m"
}
