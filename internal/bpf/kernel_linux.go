package bpf

import (
	"fmt"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
	"github.com/cilium/ebpf/btf"
	"github.com/cilium/ebpf/link"
)

// TryFentry attaches a program that does nothing to the entry of a kernel function, and takes it off. Some
// kernels load such a program and cannot attach it, and others refuse to load it.
func TryFentry(function string) error {
	op := fmt.Sprintf("attach to the entry of %s", function)
	prog, err := ebpf.NewProgram(&ebpf.ProgramSpec{
		Name: "try_fentry", Type: ebpf.Tracing, AttachType: ebpf.AttachTraceFEntry, AttachTo: function,
		License: "Dual BSD/GPL", Instructions: asm.Instructions{asm.Mov.Imm(asm.R0, 0), asm.Return()},
	})
	if err != nil {
		return explain(op, err, false)
	}
	defer prog.Close()
	l, err := link.AttachTracing(link.TracingOptions{Program: prog})
	if err != nil {
		return explain(op, err, false)
	}
	return l.Close()
}

// HasTarget reports whether the running kernel has the function or tracepoint that a tracing program
// names.
func HasTarget(p *ebpf.ProgramSpec) bool {
	kernel, err := btf.LoadKernelSpec()
	if err != nil {
		return false
	}
	if p.AttachType == ebpf.AttachTraceRawTp {
		_, err := kernel.AnyTypesByName("btf_trace_" + p.AttachTo)
		return err == nil
	}
	var fn *btf.Func
	return kernel.TypeByName(p.AttachTo, &fn) == nil
}

// TaskHasField reports whether the running kernel's task_struct has a member of that name.
func TaskHasField(name string) bool {
	kernel, err := btf.LoadKernelSpec()
	if err != nil {
		return false
	}
	var task *btf.Struct
	if err := kernel.TypeByName("task_struct", &task); err != nil {
		return false
	}
	for _, m := range task.Members {
		if m.Name == name {
			return true
		}
	}
	return false
}
