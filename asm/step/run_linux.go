package step

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// next makes a step.
func (t *tracee) next() (s Step, err error) {
	before := t.regs
	s.Instruction = t.instruction(before.pc())
	d := decode(s.PC, s.Bytes)
	s.Memory = d.accesses(&before)
	for i := range s.Memory {
		s.Memory[i].Before = t.data(s.Memory[i])
	}
	s.Times = 1
	var sig syscall.Signal
	switch sequence := t.exclusive(s.PC, d); {
	case sequence != nil:
		s.Sequence = sequence
		s.Note = fmt.Sprintf("%d instructions at once: a trap between a load-exclusive and its store-exclusive makes the store fail", len(sequence))
		sig, err = t.runSequence(sequence)
	case d.repeats:
		s.Times, sig, err = t.stepRepeated(&before)
		d.shorten(s.Memory, s.Times)
	default:
		sig, err = t.singleStep()
	}
	if err != nil {
		return s, err
	}
	if !s.Known() {
		t.measureUnknown(&s, before.pc())
	}
	if s.Fault, err = t.faultOf(sig, d); err != nil {
		return s, err
	}
	if s.Fault == nil && !t.atEnd() {
		if s.Fault, err = t.leave(&s, before.pc()); err != nil {
			return s, err
		}
	}
	if s.Note == "" {
		s.Note = d.note
	}
	s.Next = t.regs.pc()
	s.Registers = compare(&before, &t.regs)
	for i := range s.Memory {
		s.Memory[i].After = t.data(s.Memory[i])
	}
	s.Last = s.Fault != nil || t.atEnd()
	return s, nil
}

// atEnd reports whether the stepped function has returned to its caller.
func (t *tracee) atEnd() bool { return t.regs.pc() == t.caller && t.regs.returned(t.sp) }

// data reads what an access is about, as far as a step holds it.
func (t *tracee) data(a Access) []byte {
	b := t.peek(a.Addr, make([]byte, min(a.Size, DataMax)))
	if len(b) == 0 {
		return nil
	}
	return b
}

// raised are the signals that an instruction can raise. Any other came from outside, and none of those is let
// through: a handler would run amid the function. The child has no work to lose.
var raised = map[syscall.Signal]bool{
	unix.SIGSEGV: true, unix.SIGBUS: true, unix.SIGILL: true, unix.SIGFPE: true, unix.SIGTRAP: true, unix.SIGSYS: true,
}

// advance resumes until the thread stops for a trap or for what an instruction raised.
func (t *tracee) advance(request int) (syscall.Signal, error) {
	for {
		sig, err := t.resume(request, 0)
		if err != nil || sig == unix.SIGTRAP {
			return sig, err
		}
		if !raised[sig] {
			continue // the instruction has not run, or has and its trap is yet to be reported
		}
		if fault, err := t.readFault(sig); err != nil || fault != nil {
			return sig, err
		}
	}
}

func (t *tracee) singleStep() (syscall.Signal, error) { return t.advance(unix.PTRACE_SINGLESTEP) }

// stepRepeated steps a repeated string instruction to its end: the processor traps after each round.
func (t *tracee) stepRepeated(before *registers) (times uint64, sig syscall.Signal, err error) {
	for {
		if sig, err = t.singleStep(); err != nil || sig != unix.SIGTRAP || t.regs.pc() != before.pc() {
			return before.rounds(&t.regs), sig, err
		}
	}
}

// faultOf is what the instruction raised, if it did. The trap that ends a step is no fault; that of a
// breakpoint instruction is.
func (t *tracee) faultOf(sig syscall.Signal, d decoded) (*Fault, error) {
	if sig == unix.SIGTRAP && !d.traps {
		return nil, nil
	}
	return t.readFault(sig)
}

// leave runs a function that the step went to, and that is not to be stepped, until it returns. Never to be
// stepped is the runtime's, by which a function asks for a larger stack: the scheduler makes it do so when it
// wants the thread back, as it does of one that runs for 10 ms, and stands behind it.
func (t *tracee) leave(s *Step, from uint64) (*Fault, error) {
	there := t.symbol(t.regs.pc())
	scheduler := strings.HasPrefix(there.name, "runtime.morestack")
	switch here := t.symbol(from); {
	case t.calls == CallsAll && !scheduler, there.name != "" && there.base == here.base && there.base != t.regs.pc():
		return nil, nil // within the function
	case t.calls == CallsOwn && strings.HasPrefix(there.name, t.own):
		return nil, nil
	case t.calls == CallsNone && !t.entered(there, here):
		return nil, nil
	}
	back, err := t.returnAddress()
	if err != nil {
		return nil, err
	}
	s.Over = there.short()
	if s.Over == "" {
		s.Over = fmt.Sprintf("%#x", t.regs.pc())
	}
	sp := t.regs.sp()
	sig, err := t.runTo([]uint64{back}, func() bool { return scheduler || t.regs.returned(sp) })
	if err != nil || sig == unix.SIGTRAP {
		return nil, err
	}
	return t.readFault(sig)
}

// entered reports whether the thread stands where a function begins, or outside of the one it was in.
func (t *tracee) entered(there, here symbol) bool {
	return there.base != here.base || there.base == t.regs.pc()
}

// runTo runs the thread until it comes to one of the addresses and arrived says so, or until a fault. The
// signal is SIGTRAP in the former case.
func (t *tracee) runTo(addrs []uint64, arrived func() bool) (sig syscall.Signal, err error) {
	for {
		var restores []func() error
		for _, addr := range addrs {
			restore, plantErr := t.plant(addr)
			if plantErr != nil {
				err = plantErr
				break
			}
			restores = append(restores, restore)
		}
		if err == nil {
			sig, err = t.advance(unix.PTRACE_CONT)
		}
		for _, restore := range restores {
			if t.alive {
				err = errors.Join(err, restore())
			}
		}
		if err != nil || sig != unix.SIGTRAP {
			return sig, err
		}
		at := t.regs.pc() - trapSize
		if !slices.Contains(addrs, at) {
			return sig, fmt.Errorf("stopped by a breakpoint at %#x that is not the stepper's", at)
		}
		t.regs.setPC(at)
		if err := t.setRegisters(); err != nil || arrived() {
			return sig, err
		}
		// Another call's return to the same place: on over it.
		if sig, err = t.singleStep(); err != nil || sig != unix.SIGTRAP {
			return sig, err
		}
	}
}

// measureUnknown cuts the bytes of an instruction that the decoder does not know to those that ran, where the
// thread went on behind it.
func (t *tracee) measureUnknown(s *Step, pc uint64) {
	if n := t.regs.pc() - pc; n > 0 && n <= uint64(len(s.Bytes)) {
		s.Bytes = s.Bytes[:n]
	}
	s.Note = fmt.Sprintf("golang.org/x/arch has no text for the instruction % x", s.Bytes)
	if instructionMin == 1 {
		s.Note += ", so what memory it uses is not shown"
	}
}
