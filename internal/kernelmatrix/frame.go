package kernelmatrix

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"
)

// A Kind says what a [Frame] carries.
type Kind string

// The kinds of frame, in the order in which a machine sends them.
const (
	KindBoot  Kind = "boot"  // Data is the kernel release; the first frame
	KindStart Kind = "start" // a step begins
	KindOut   Kind = "out"   // Data is what the step wrote to standard output (and error, where merged)
	KindErr   Kind = "err"   // Data is what the step wrote to standard error
	KindExit  Kind = "exit"  // the step has ended, and Exit says how
	KindBeat  Kind = "beat"  // nothing, but the machine is alive
	KindFail  Kind = "fail"  // Data says why the machine cannot go on
	KindDone  Kind = "done"  // every step was tried; the last frame
)

// A Frame is one line that the guest writes to the serial console. The kernel
// writes its own messages there too, in the middle of a frame if it must, so
// a frame is recognised by its shape and counted by its number.
type Frame struct {
	Seq  int    `json:"seq"` // from 1, without a gap
	Kind Kind   `json:"kind"`
	Step int    `json:"step"` // index into Job.Steps
	Data []byte `json:"data,omitempty"`
	Exit *Exit  `json:"exit,omitempty"`
}

// Exit is how a step ended.
type Exit struct {
	Code    int           `json:"code"` // exit status; 128 + n after signal n; 127 where it did not start
	State   string        `json:"state"`
	Limit   bool          `json:"limit"` // ended by the guest at the step's limit
	Elapsed time.Duration `json:"elapsed_ns"`
}

// A Job is what the guest reads from [JobPath] and does.
type Job struct {
	BPFFS bool   `json:"bpffs"` // mount bpffs on /sys/fs/bpf
	Steps []Step `json:"steps"`
}

// A Step is one program that the guest runs.
type Step struct {
	Argv  []string      `json:"argv"`
	Dir   string        `json:"dir"`
	Split bool          `json:"split"` // send standard error in frames of its own
	Limit time.Duration `json:"limit_ns"`
}

// JobPath is where the initramfs holds the [Job].
const JobPath = "/job.json"

const framePrefix = "ring3:"

// frameMax bounds one line of console output, so that garbage without a
// newline does not fill memory.
const frameMax = 1 << 20

// A FrameWriter numbers frames and writes each as one line with one call of
// Write. It is safe for concurrent use.
type FrameWriter struct {
	mu  sync.Mutex
	w   io.Writer
	seq int
}

// NewFrameWriter returns a FrameWriter that writes to w.
func NewFrameWriter(w io.Writer) *FrameWriter { return &FrameWriter{w: w} }

// Write sends f; its Seq is set here.
func (fw *FrameWriter) Write(f Frame) error {
	fw.mu.Lock()
	defer fw.mu.Unlock()
	fw.seq++
	f.Seq = fw.seq
	text, err := json.Marshal(f)
	if err != nil {
		return fmt.Errorf("encode frame: %w", err)
	}
	line := make([]byte, 0, len(framePrefix)+len(text)+1)
	line = append(line, framePrefix...)
	line = append(line, text...)
	if _, err := fw.w.Write(append(line, '\n')); err != nil {
		return fmt.Errorf("write frame: %w", err)
	}
	return nil
}

// readConsole reads what a machine printed on its serial console until r ends.
// It calls frame for each frame and text for each line that is none: kernel
// messages, firmware, and frames that the kernel wrote into. Lines are given
// without their end. The error is that of r; a console has no other.
func readConsole(r io.Reader, frame func(Frame), text func(string)) error {
	br := bufio.NewReader(r)
	var line []byte
	for {
		part, err := br.ReadSlice('\n')
		line = append(line, part...)
		if errors.Is(err, bufio.ErrBufferFull) && len(line) < frameMax {
			continue
		}
		if len(line) > 0 {
			line = bytes.TrimRight(line, "\r\n")
			if f, ok := parseFrame(line); ok {
				frame(f)
			} else {
				text(string(line))
			}
			line = line[:0]
		}
		switch {
		case err == nil, errors.Is(err, bufio.ErrBufferFull):
		case errors.Is(err, io.EOF):
			return nil
		default:
			return fmt.Errorf("read console: %w", err)
		}
	}
}

// parseFrame looks for the prefix anywhere in the line, because the kernel can
// leave half a message in front of it.
func parseFrame(line []byte) (Frame, bool) {
	i := bytes.LastIndex(line, []byte(framePrefix))
	if i < 0 {
		return Frame{}, false
	}
	var f Frame
	if err := json.Unmarshal(line[i+len(framePrefix):], &f); err != nil || f.Seq < 1 || f.Step < 0 {
		return Frame{}, false
	}
	return f, true
}
