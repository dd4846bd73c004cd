package main

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"io/fs"
	"path"
	"path/filepath"
	"strings"

	"github.com/ring3-go/ring3/asm"
	"github.com/ring3-go/ring3/asm/step"
)

// lessonSource is a lesson's source by file and line.
type lessonSource map[string][]string

func newSource(l *asm.Lesson) lessonSource {
	source := lessonSource{}
	names, err := fs.Glob(l.Source, "*.s")
	if err != nil {
		return source
	}
	for _, name := range names {
		if text, err := fs.ReadFile(l.Source, name); err == nil {
			source[name] = strings.Split(strings.ReplaceAll(string(text), "\t", "    "), "\n")
		}
	}
	return source
}

// line returns a line of a file that the assembler names by its whole path, or "" where it is not the lesson's.
func (s lessonSource) line(file string, line int) string {
	lines := s[path.Base(filepath.ToSlash(file))]
	if line < 1 || line > len(lines) {
		return ""
	}
	return lines[line-1]
}

// showLesson runs the lesson and shows its code.
func showLesson(ctx context.Context, out *output, l *asm.Lesson) error {
	if out.json {
		var text bytes.Buffer
		runErr := l.Run(ctx, &text)
		r := newLessonRecord(l)
		r.Output = []string{}
		for line := range strings.Lines(text.String()) {
			r.Output = append(r.Output, strings.TrimSuffix(line, "\n"))
		}
		if err := out.record(r); err != nil {
			return err
		}
		for _, f := range l.Functions {
			if err := out.record(newCodeRecord(l.Name, f)); err != nil {
				return err
			}
		}
		return runErr // what it printed until then is in the record
	}
	p := &page{w: out.data, out: out}
	p.printf("%s\n", out.bold(l.Question))
	source := newSource(l)
	for _, f := range l.Functions {
		p.code(f, source)
	}
	p.printf("\n%s\n", out.bold("What happens on this machine"))
	if p.err != nil {
		return p.err
	}
	return l.Run(ctx, out.data)
}

// code prints a function: its source with the comment before it, and under each line what became of it.
func (p *page) code(f asm.Function, source lessonSource) {
	instructions := step.Disassemble(f)
	if len(instructions) == 0 {
		return
	}
	file, line := instructions[0].File, instructions[0].Line
	p.printf("\n%s\n", p.out.bold(fmt.Sprintf("%s, %d bytes at %#x", f.Name, len(f.Code()), f.Entry)))
	for line > 1 && source.line(file, line-1) != "" { // to the comment's first line
		line--
	}
	for i, in := range instructions {
		if i == 0 || in.Line != instructions[i-1].Line {
			for ; line <= in.Line; line++ {
				p.printf("%4d  %s\n", line, source.line(in.File, line))
			}
		}
		line = max(line, in.Line+1)
		p.instruction(&in)
	}
}

// instruction prints the bytes and the two texts.
func (p *page) instruction(in *step.Instruction) {
	const bytesMax = 10
	text, other := in.Go, in.GNU
	if in.Intel != "" {
		other = in.Intel
	}
	if !in.Known() {
		text = "(not known to the disassembler)"
	}
	code := in.Bytes
	for first := true; first || len(code) > 0; first = false {
		n := min(len(code), bytesMax)
		if first {
			p.printf("%s\n", p.out.dim(strings.TrimRight(fmt.Sprintf("      +%-4d %-30s %-28s %s", in.Offset, fmt.Sprintf("% x", code[:n]), text, other), " ")))
		} else {
			p.printf("%s\n", p.out.dim(fmt.Sprintf("            % x", code[:n])))
		}
		code = code[n:]
	}
}

// shown prints a step, under the name of its function where it is the first.
func (p *page) shown(lesson string, s *shownStep, source lessonSource) {
	if s.Number == 1 {
		p.printf("%s\n", p.out.bold(lesson+"."+s.function))
	}
	p.step(&s.Step, source)
	if s.Last {
		p.said(s.said)
		p.printf("\n")
	}
}

// step prints a step: the line of the source, the instruction, and what it did.
func (p *page) step(s *step.Step, source lessonSource) {
	if s.Number > 1 {
		p.printf("\n")
	}
	switch text := strings.TrimSpace(source.line(s.File, s.Line)); {
	case text != "":
		p.printf("%4d  %s\n", s.Line, text)
	case s.Function != "":
		p.printf("%4s  %s\n", "", clean(s.Function))
	default:
		p.printf("%4s  %#x, outside of the binary\n", "", s.PC)
	}
	p.instruction(&s.Instruction)
	for i := 1; i < len(s.Sequence); i++ {
		p.instruction(&s.Sequence[i])
	}
	for _, line := range effects(s) {
		if s.Fault != nil && strings.HasPrefix(line, "fault") {
			line = p.out.red(line)
		}
		p.printf("      %s\n", line)
	}
}

// effects says in lines what a step did.
func effects(s *step.Step) (lines []string) {
	for _, a := range s.Memory {
		lines = append(lines, accessText(&a))
	}
	if s.Times != 1 {
		lines = append(lines, fmt.Sprintf("%-10s  %d times", "repeated", s.Times))
	}
	if s.Over != "" {
		lines = append(lines, fmt.Sprintf("%-10s  %s, which has run and returned", "called", clean(s.Over)))
	}
	for _, r := range s.Changed() {
		lines = append(lines, registerText(&r)...)
	}
	if s.Fault != nil {
		lines = append(lines, fmt.Sprintf("%-10s  %s", "fault", s.Fault))
	}
	if s.Note != "" {
		lines = append(lines, wrap(s.Note, 80)...)
	}
	return lines
}

func registerText(r *step.Register) []string {
	before, after := r.Before.Hex(r.Bits), r.After.Hex(r.Bits)
	if flags, ok := flagNames(r.Name, r.After[0]); ok {
		was, _ := flagNames(r.Name, r.Before[0])
		before, after = before+" ["+was+"]", after+" ["+flags+"]"
	}
	if r.Bits > 128 {
		return []string{fmt.Sprintf("%-10s  %s", r.Name, before), fmt.Sprintf("%10s  %s", "->", after)}
	}
	return []string{fmt.Sprintf("%-10s  %s -> %s", r.Name, before, after)}
}

// flagNames are the flags that are set in a register of flags; ok is false for any other register.
func flagNames(register string, v uint64) (names string, ok bool) {
	type flag struct {
		bit  uint
		name string
	}
	flags := map[string][]flag{
		"FLAGS":  {{0, "CF"}, {2, "PF"}, {4, "AF"}, {6, "ZF"}, {7, "SF"}, {10, "DF"}, {11, "OF"}},
		"PSTATE": {{31, "N"}, {30, "Z"}, {29, "C"}, {28, "V"}, {10, "BTYPE"}},
	}[register]
	if flags == nil {
		return "", false
	}
	var set []string
	for _, f := range flags {
		if v>>f.bit&1 == 1 {
			set = append(set, f.name)
		}
	}
	return strings.Join(set, " "), true
}

func accessText(a *step.Access) string {
	text := fmt.Sprintf("%-10s  %d at %#x", a.Kind, a.Size, a.Addr)
	switch {
	case a.Before == nil && a.After == nil:
		return text + ": nothing can be read there"
	case a.Kind == step.Read:
		return text + ": " + dataText(a.Before, a.Size)
	}
	return text + ": " + dataText(a.Before, a.Size) + " -> " + dataText(a.After, a.Size)
}

// dataText is a number where the size is one of a number, else the bytes.
func dataText(b []byte, size uint64) string {
	const bytesMax = 16
	if uint64(len(b)) == size {
		switch size {
		case 1:
			return fmt.Sprintf("%#x", b[0])
		case 2:
			return fmt.Sprintf("%#x", binary.NativeEndian.Uint16(b))
		case 4:
			return fmt.Sprintf("%#x", binary.NativeEndian.Uint32(b))
		case 8:
			return fmt.Sprintf("%#x", binary.NativeEndian.Uint64(b))
		}
	}
	if size <= bytesMax {
		return fmt.Sprintf("% x", b)
	}
	return fmt.Sprintf("% x ..", b[:min(len(b), bytesMax)])
}

// said prints what the function wrote to its standard output.
func (p *page) said(text string) {
	if text == "" {
		return
	}
	p.printf("\n%s\n", p.out.bold("written to standard output"))
	for line := range strings.Lines(text) {
		p.printf("      %s\n", clean(strings.TrimSuffix(line, "\n")))
	}
}

// wrap breaks a text into lines.
func wrap(text string, width int) (lines []string) {
	line := ""
	for _, word := range strings.Fields(text) {
		if line != "" && len(line)+1+len(word) > width {
			lines = append(lines, line)
			line = ""
		}
		if line != "" {
			line += " "
		}
		line += word
	}
	return append(lines, line)
}
