package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/ring3-go/ring3/asm"
	"github.com/ring3-go/ring3/asm/step"
)

// asmOptions are what the flags and arguments of probe asm say.
type asmOptions struct {
	lesson   *asm.Lesson // nil: list them
	function string      // "": all of the lesson's
	step     bool
	wait     bool
	readme   bool
	calls    string
	max      int
}

// callsNames are the values of --calls.
var callsNames = map[string]step.Calls{"own": step.CallsOwn, "all": step.CallsAll, "none": step.CallsNone}

func newAsm(out *output) *cobra.Command {
	var opts asmOptions
	cmd := &cobra.Command{
		Use:   "asm [flags] [lesson [function]]",
		Short: "Show the lessons in assembly, run them, step through them",
		Long: `asm lists the lessons; of one, it shows the source with the bytes that are really in this binary, and runs its
experiment. With --step it runs the lesson's functions, or the one that is given, an instruction at a time in
a child, and says of each which registers it changed and which memory it read or wrote.`,
		Example: `  probe asm                      the lessons
  probe asm deref                one of them
  probe asm deref --step Load64  each instruction of a function
  probe asm deref --step --wait  the same in a view that waits for a key
  probe asm deref --step --json  a record an instruction`,
		RunE: func(_ *cobra.Command, args []string) error {
			if err := opts.parse(args); err != nil {
				return err
			}
			return showAsm(out, opts)
		},
	}
	flags := cmd.Flags()
	flags.BoolVar(&opts.step, "step", false, "run functions an instruction at a time")
	flags.BoolVar(&opts.wait, "wait", false, "with --step: show each in a view that waits for a key")
	flags.StringVar(&opts.calls, "calls", "own", "with --step: functions to go into: own (the lesson's), all, or none")
	flags.IntVar(&opts.max, "max", step.StepsMax, "with --step: give up after so many steps of a function")
	flags.BoolVar(&opts.readme, "readme", false, "print the lesson's text")
	return cmd
}

// parse completes the options, and says what is wrong with them.
func (o *asmOptions) parse(args []string) error {
	usage := func(format string, args ...any) error { return usageError{fmt.Errorf("asm: "+format, args...)} }
	if _, ok := callsNames[o.calls]; !ok {
		return usage("--calls %q: want own, all or none", o.calls)
	}
	switch {
	case len(args) > 2:
		return usage("%d arguments: want a lesson and a function at most", len(args))
	case len(args) == 2 && !o.step:
		return usage("a function is for --step")
	case len(args) == 0 && (o.step || o.readme):
		return usage("which lesson?")
	case o.wait && !o.step:
		return usage("--wait is for --step")
	case o.max <= 0:
		return usage("--max %d: want a number above 0", o.max)
	case len(args) == 0:
		return nil
	}
	var names []string
	for _, l := range lessons() {
		if l.Name == args[0] {
			o.lesson = &l
		}
		names = append(names, l.Name)
	}
	if len(names) == 0 {
		return fmt.Errorf("asm: lessons are for Linux: %w", errors.ErrUnsupported)
	}
	if o.lesson == nil {
		return usage("no lesson %q: there are %s", args[0], strings.Join(names, ", "))
	}
	if len(args) < 2 {
		return nil
	}
	o.function = args[1]
	names = nil
	for _, f := range o.lesson.Functions {
		if f.Name == o.function {
			return nil
		}
		names = append(names, f.Name)
	}
	return usage("no function %q to step: there are %s", o.function, strings.Join(names, ", "))
}

// showAsm does what was asked for, until SIGINT or SIGTERM.
func showAsm(out *output, opts asmOptions) error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	var err error
	switch {
	case opts.lesson == nil:
		return listLessons(out)
	case opts.readme:
		return printReadme(out, opts.lesson)
	case !opts.step:
		err = showLesson(ctx, out, opts.lesson)
	case opts.wait && out.json:
		return usageError{errors.New("asm: --wait is for people, --json is not")}
	default:
		err = stepLesson(ctx, out, opts)
	}
	if ctx.Err() != nil && errors.Is(err, context.Canceled) {
		return nil // what there was has been printed
	}
	return err
}

func printReadme(out *output, lesson *asm.Lesson) error {
	text, err := fs.ReadFile(lesson.Source, "README.md")
	if err != nil {
		return err
	}
	_, err = out.data.Write(text)
	return err
}

func listLessons(out *output) error {
	p := &page{w: out.data, out: out}
	for _, l := range lessons() {
		if out.json {
			if err := out.record(newLessonRecord(&l)); err != nil {
				return err
			}
			continue
		}
		p.printf("%-10s  %s\n", l.Name, l.Question)
	}
	if len(lessons()) == 0 {
		return fmt.Errorf("asm: lessons are for Linux: %w", errors.ErrUnsupported)
	}
	return p.err
}

// functions are those that were asked for.
func (o *asmOptions) functions() []asm.Function {
	for i, f := range o.lesson.Functions {
		if f.Name == o.function {
			return o.lesson.Functions[i : i+1]
		}
	}
	return o.lesson.Functions
}

// stepLesson steps through functions, one after the other.
func stepLesson(ctx context.Context, out *output, opts asmOptions) (err error) {
	feed := newFeed(opts)
	defer func() { err = errors.Join(err, feed.close()) }()
	if opts.wait {
		return watchSteps(ctx, out, opts, feed)
	}
	source := newSource(opts.lesson)
	p := &page{w: out.data, out: out}
	for {
		s, err := feed.next(ctx)
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return err
		case out.json:
			err = out.record(newStepRecord(opts.lesson.Name, s.function, &s.Step))
		default:
			p.shown(opts.lesson.Name, s, source)
			err = p.err
		}
		if err != nil {
			return err
		}
	}
}
