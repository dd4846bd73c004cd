//go:build linux

package main

import (
	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
	"github.com/cilium/ebpf/link"

	"github.com/ring3-go/ring3/bench/internal/tool"
)

// emptyProgram measures one program that does nothing: what is left is the kernel's own stop-watch, of
// which every program of every tool pays its share.
func (w watchedLoad) emptyProgram(tracepoint string) Subject {
	return Subject{Label: "empty program", Measure: func(e *Env) (Sample, error) {
		prog, err := ebpf.NewProgram(&ebpf.ProgramSpec{
			Name:         "empty",
			Type:         ebpf.RawTracepoint,
			License:      "Dual BSD/GPL",
			Instructions: asm.Instructions{asm.Mov.Imm(asm.R0, 0), asm.Return()},
		})
		if err != nil {
			return Sample{}, err
		}
		defer prog.Close()
		l, err := link.AttachRawTracepoint(link.RawTracepointOptions{Name: tracepoint, Program: prog})
		if err != nil {
			return Sample{}, err
		}
		defer l.Close()
		return w.measure(e, func() (map[uint32]tool.Program, error) {
			p, err := tool.Of(prog)
			return map[uint32]tool.Program{p.ID: p}, err
		})
	}}
}
