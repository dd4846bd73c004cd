package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	tea "charm.land/bubbletea/v2"
)

// watchSteps shows the steps one by one, as keys are pressed.
func watchSteps(ctx context.Context, out *output, opts asmOptions, feed *stepFeed) error {
	in, ok := out.in.(*os.File)
	if !ok || !isTerminal(in) || !isTerminal(out.data) {
		return usageError{errors.New("asm: --wait needs a terminal; without it, steps are printed")}
	}
	view := newStepView(out, opts, func() (*shownStep, error) { return feed.next(ctx) })
	_, err := tea.NewProgram(view, tea.WithContext(ctx), tea.WithInput(in), tea.WithOutput(out.data), tea.WithoutSignalHandler()).Run()
	if ctx.Err() != nil {
		err = ctx.Err() // bubbletea wraps it
	}
	return errors.Join(err, view.err)
}

// stepView is a screen: the source around a step, what it did, and the registers.
type stepView struct {
	out           *output
	lesson        string
	source        lessonSource
	next          func() (*shownStep, error)
	steps         []*shownStep // seen so far
	at            int          // the one on the screen
	width, height int
	asked         bool  // the next step is under way
	toEnd         bool  // go on without a key until the function ends
	ended         bool  // there is no other
	err           error // that ended it
}

func newStepView(out *output, opts asmOptions, next func() (*shownStep, error)) *stepView {
	return &stepView{
		out: out, lesson: opts.lesson.Name, source: newSource(opts.lesson), next: next,
		at: -1, width: 100, height: 40,
	}
}

// arrived is the message that a step has been made.
type arrived struct {
	step *shownStep
	err  error
}

// ask makes the next step, beside the screen.
func (v *stepView) ask() tea.Cmd {
	if v.asked || v.ended {
		return nil
	}
	v.asked = true
	return func() tea.Msg {
		s, err := v.next()
		return arrived{s, err}
	}
}

// Init asks for the first step.
func (v *stepView) Init() tea.Cmd { return v.ask() }

// Update takes a key, a step or a new size.
func (v *stepView) Update(msg tea.Msg) (tea.Model, tea.Cmd) {
	switch msg := msg.(type) {
	case tea.WindowSizeMsg:
		v.width, v.height = msg.Width, msg.Height
	case arrived:
		return v, v.take(msg)
	case tea.KeyPressMsg:
		return v, v.key(msg.String())
	}
	return v, nil
}

// take shows a step that has been made.
func (v *stepView) take(msg arrived) tea.Cmd {
	v.asked = false
	switch {
	case errors.Is(msg.err, io.EOF):
		v.ended = true
		return nil
	case msg.err != nil:
		v.ended, v.err = true, msg.err
		return tea.Quit
	}
	v.steps = append(v.steps, msg.step)
	v.at = len(v.steps) - 1
	if v.toEnd && !msg.step.Last {
		return v.ask()
	}
	v.toEnd = false
	return nil
}

// key does what a key stands for. A step cannot be undone, but looked at again.
func (v *stepView) key(name string) tea.Cmd {
	switch name {
	case "q", "esc", "ctrl+c":
		return tea.Quit
	case "space", "enter", "right", "down", "n", "j":
		if v.at < len(v.steps)-1 {
			v.at++
			return nil
		}
		return v.ask()
	case "left", "up", "b", "k":
		v.at = max(v.at-1, min(0, v.at))
	case "c":
		v.at = len(v.steps) - 1
		if !v.ended {
			v.toEnd = true
			return v.ask()
		}
	}
	return nil
}

// View draws the screen, no wider and no higher than it is.
func (v *stepView) View() tea.View {
	screen := tea.NewView(strings.Join(v.lines(), "\n"))
	screen.AltScreen = true
	return screen
}

const keysHelp = "space next   b back   c to the end of the function   q quit"

func (v *stepView) lines() []string {
	if v.at < 0 {
		return []string{v.cut("starting")}
	}
	s := v.steps[v.at]
	title := fmt.Sprintf("%s.%s   step %d", v.lesson, s.function, s.Number)
	switch {
	case s.Last && s.Fault != nil:
		title += ": a fault ends it"
	case s.Last:
		title += ": it returns"
	}
	instruction := []string{"", "bytes       " + fmt.Sprintf("% x", s.Bytes)}
	for _, text := range []struct{ syntax, text string }{{"Go", s.Go}, {"GNU", s.GNU}, {"Intel", s.Intel}} {
		if text.text != "" {
			instruction = append(instruction, fmt.Sprintf("%-10s  %s", text.syntax, text.text))
		}
	}
	instruction = append(instruction, effects(&s.Step)...)
	for line := range strings.Lines(s.said) {
		instruction = append(instruction, fmt.Sprintf("%-10s  %s", "written", clean(strings.TrimSuffix(line, "\n"))))
	}
	registers := append([]string{""}, v.registers(s)...)

	// What is left of the height is the source's: at least three lines.
	room := max(3, v.height-len(instruction)-len(registers)-3)
	lines := []string{v.out.bold(v.cut(title))}
	lines = append(lines, v.around(s, room)...)
	for _, line := range instruction {
		lines = append(lines, v.cut(line))
	}
	lines = append(lines, registers...)
	if over := len(lines) + 1 - v.height; over > 0 { // a low screen loses registers first
		lines = lines[:max(1, len(lines)-over)]
	}
	return append(lines, v.out.dim(v.cut(keysHelp)))
}

// around is the source about a step, the step's own line marked.
func (v *stepView) around(s *shownStep, room int) (lines []string) {
	if v.source.line(s.File, s.Line) == "" {
		where := s.Function
		if where == "" {
			where = fmt.Sprintf("%#x, outside of the binary", s.PC)
		}
		return []string{v.cut("> " + clean(where))}
	}
	from := max(1, s.Line-room*2/3)
	for n := from; n < from+room; n++ {
		line := fmt.Sprintf("  %4d  %s", n, v.source.line(s.File, n))
		if n == s.Line {
			lines = append(lines, v.out.bold(v.cut(">"+line[1:])))
		} else {
			lines = append(lines, v.cut(line))
		}
	}
	return lines
}

// registers are all of 64 bits after the step, in columns; those that it changed are marked.
func (v *stepView) registers(s *shownStep) (lines []string) {
	const column = 27
	columns := max(1, v.width/column)
	var row strings.Builder
	n := 0
	for _, r := range s.Registers {
		if r.Bits > 64 {
			continue
		}
		mark := " "
		if r.Before != r.After {
			mark = "*"
		}
		text := fmt.Sprintf("%-*s", column, cut(fmt.Sprintf("%s%-6s %s", mark, r.Name, r.After.Hex(r.Bits)), column-1))
		if r.Before != r.After {
			text = v.out.bold(text)
		}
		row.WriteString(text)
		if n++; n%columns == 0 {
			lines = append(lines, row.String())
			row.Reset()
		}
	}
	if row.Len() > 0 {
		lines = append(lines, row.String())
	}
	return slices.Clip(lines)
}

// cut keeps a line within the screen.
func (v *stepView) cut(line string) string { return cut(line, max(v.width, 2)) }
