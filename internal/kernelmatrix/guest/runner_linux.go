package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/ring3-go/ring3/internal/kernelmatrix"
)

const (
	beatInterval = 5 * time.Second
	// A step that does not die of SIGQUIT (which makes a Go program print its
	// goroutines) within quitGrace is killed; pipes that stay open for
	// drainGrace after every process was killed are given up.
	quitGrace  = 10 * time.Second
	drainGrace = 10 * time.Second
)

// A runner is the job in progress. Its frames may be written by any goroutine.
type runner struct {
	frames *kernelmatrix.FrameWriter
	job    kernelmatrix.Job
}

// runJob does the job, with the console as standard output.
func runJob() error {
	r := &runner{frames: kernelmatrix.NewFrameWriter(os.Stdout)}
	var uname unix.Utsname
	if err := unix.Uname(&uname); err != nil {
		return os.NewSyscallError("uname", err)
	}
	boot := kernelmatrix.Frame{Kind: kernelmatrix.KindBoot, Data: []byte(unix.ByteSliceToString(uname.Release[:]))}
	if err := r.frames.Write(boot); err != nil {
		return err
	}
	stop := r.beat()
	defer stop()
	if err := r.prepare(); err != nil {
		return r.frames.Write(kernelmatrix.Frame{Kind: kernelmatrix.KindFail, Data: []byte(err.Error())})
	}
	for i := range r.job.Steps {
		if err := r.runStep(i); err != nil {
			return err
		}
	}
	return r.frames.Write(kernelmatrix.Frame{Kind: kernelmatrix.KindDone})
}

func (r *runner) prepare() error {
	text, err := os.ReadFile(kernelmatrix.JobPath)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(text, &r.job); err != nil {
		return fmt.Errorf("parse job: %w", err)
	}
	if r.job.BPFFS {
		return mount{"bpf", "/sys/fs/bpf", "mode=0700"}.mount()
	}
	return nil
}

// beat tells the host that a machine without output is not a dead one.
func (r *runner) beat() (stop func()) {
	ticker := time.NewTicker(beatInterval)
	done := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			select {
			case <-done:
				return
			case <-ticker.C:
				if r.frames.Write(kernelmatrix.Frame{Kind: kernelmatrix.KindBeat}) != nil {
					return // the next frame of the job meets the same error
				}
			}
		}
	})
	return func() { ticker.Stop(); close(done); wg.Wait() }
}

// runStep runs one program to its end and leaves no process of it behind. Its
// error is one of the console; how the program fared goes to the host.
func (r *runner) runStep(i int) error {
	step := r.job.Steps[i]
	if err := r.frames.Write(kernelmatrix.Frame{Kind: kernelmatrix.KindStart, Step: i}); err != nil {
		return err
	}
	out, err := r.newStream(i, kernelmatrix.KindOut)
	if err != nil {
		return err
	}
	streams := []*stream{out}
	cmd := exec.Command(step.Argv[0], step.Argv[1:]...)
	cmd.Dir, cmd.Env = step.Dir, stepEnv()
	cmd.Stdout, cmd.Stderr = out.write, out.write
	if step.Split {
		errs, err := r.newStream(i, kernelmatrix.KindErr)
		if err != nil {
			return err
		}
		streams = append(streams, errs)
		cmd.Stderr = errs.write
	}
	start := time.Now()
	limit, err := runToEnd(cmd, step.Limit)
	elapsed := time.Since(start)
	// Everything but process 1 and the caller: what the step left running
	// would disturb the next one, and keeps the pipes open.
	if err := unix.Kill(-1, unix.SIGKILL); err != nil && err != unix.ESRCH {
		return os.NewSyscallError("kill", err)
	}
	for _, s := range streams {
		s.drain()
	}
	return r.frames.Write(kernelmatrix.Frame{Kind: kernelmatrix.KindExit, Step: i, Exit: exitOf(cmd, err, elapsed, limit)})
}

// runToEnd runs cmd, stops it at limit (0: none), and reports whether it had to.
func runToEnd(cmd *exec.Cmd, limit time.Duration) (limited bool, err error) {
	if err := cmd.Start(); err != nil {
		return false, err
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	var expired <-chan time.Time
	if limit > 0 {
		timer := time.NewTimer(limit)
		defer timer.Stop()
		expired = timer.C
	}
	select {
	case err := <-ended:
		return false, err
	case <-expired:
	}
	for _, sig := range []unix.Signal{unix.SIGQUIT, unix.SIGKILL} {
		if err := cmd.Process.Signal(sig); err != nil {
			break // it has just ended
		}
		select {
		case err := <-ended:
			return true, err
		case <-time.After(quitGrace):
		}
	}
	return true, <-ended // beyond SIGKILL only the host's limit helps
}

// A stream is a pipe whose content goes to the host as it comes.
type stream struct {
	read, write *os.File
	done        chan struct{}
}

func (r *runner) newStream(step int, kind kernelmatrix.Kind) (*stream, error) {
	read, write, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	s := &stream{read: read, write: write, done: make(chan struct{})}
	go func() {
		defer close(s.done)
		buf := make([]byte, 4096)
		for {
			n, err := read.Read(buf)
			if n > 0 {
				err = r.frames.Write(kernelmatrix.Frame{Kind: kind, Step: step, Data: buf[:n]})
			}
			if err != nil {
				if err != io.EOF {
					fmt.Println("guest: output of step:", err)
				}
				return
			}
		}
	}()
	return s, nil
}

// drain closes our copy of the write end and waits for the last byte.
func (s *stream) drain() {
	s.write.Close()
	select {
	case <-s.done:
	case <-time.After(drainGrace):
		s.read.SetReadDeadline(time.Now())
		<-s.done
	}
	s.read.Close()
}
