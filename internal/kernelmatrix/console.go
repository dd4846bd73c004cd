package kernelmatrix

import (
	"fmt"
	"io"
	"strings"
)

// tailLines is how much of a dead machine's console a report shows.
const tailLines = 80

// A console follows one machine through its job by what it prints.
type console struct {
	// The four hooks are called in the order of events by the goroutine that
	// reads; each may be nil.
	boot  func(release string)
	start func(step int)
	data  func(step int, kind Kind, data []byte)
	exit  func(step int, exit Exit)

	progress func() // may be nil

	tail    []string // the last lines that were no frames
	release string
	seq     int
	lost    int    // frames that the numbers say are missing
	step    int    // the one that runs, or -1
	next    int    // the first that has not begun
	failure string // the guest's own
	done    bool
}

// follow reads r to its end, and says when a step begins or ends.
func (c *console) follow(r io.Reader, progress func()) error {
	c.progress = progress
	return c.read(r)
}

// read reads r to its end.
func (c *console) read(r io.Reader) error {
	c.step = -1
	return readConsole(r, c.frame, c.text)
}

func (c *console) text(line string) {
	if strings.TrimSpace(line) == "" {
		return
	}
	if len(c.tail) == tailLines {
		c.tail = append(c.tail[:0], c.tail[1:]...)
	}
	c.tail = append(c.tail, line)
}

func (c *console) frame(f Frame) {
	if f.Seq <= c.seq {
		return // no frame of the runner: those count up
	}
	c.lost += f.Seq - c.seq - 1
	c.seq = f.Seq
	if c.progress != nil && (f.Kind == KindStart || f.Kind == KindExit) {
		c.progress()
	}
	switch f.Kind {
	case KindBoot:
		c.release = string(f.Data)
		if c.boot != nil {
			c.boot(c.release)
		}
	case KindStart:
		c.step, c.next = f.Step, f.Step+1
		if c.start != nil {
			c.start(f.Step)
		}
	case KindOut, KindErr:
		if c.data != nil && f.Step == c.step {
			c.data(f.Step, f.Kind, f.Data)
		}
	case KindExit:
		if c.exit != nil && f.Step == c.step && f.Exit != nil {
			c.exit(f.Step, *f.Exit)
			c.step = -1
		}
	case KindFail:
		c.failure = string(f.Data)
	case KindDone:
		c.done = true
	}
}

// verdict says what went wrong with the machine itself, given how it ended;
// nil where it did the whole job.
func (c *console) verdict(runErr error) error {
	var reason string
	switch {
	case c.done && c.lost == 0:
		return nil
	case c.done:
		return fmt.Errorf("%d frames were lost on the console", c.lost)
	case c.failure != "":
		reason = c.failure
	case runErr != nil:
		reason = runErr.Error()
	case c.release == "":
		reason = "it ended before init ran"
	default:
		reason = "it ended before the job was done"
	}
	if len(c.tail) == 0 {
		return fmt.Errorf("machine: %s (and its console is empty)", reason)
	}
	return fmt.Errorf("machine: %s; its console ends with\n%s", reason, strings.Join(c.tail, "\n"))
}
