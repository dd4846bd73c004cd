package bpf

import (
	"errors"
	"fmt"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
	"github.com/cilium/ebpf/btf"
	"github.com/cilium/ebpf/link"
	"golang.org/x/sys/unix"
)

// TryFentry attaches a program that does nothing to the entry of a kernel function, and takes it off. Some
// kernels load such a program and cannot attach it, and others refuse to load it.
func TryFentry(function string) error {
	op := fmt.Sprintf("attach to the entry of %s", function)
	const name = "try_fentry"
	spec := &ebpf.CollectionSpec{Programs: map[string]*ebpf.ProgramSpec{name: {
		Name: name, Type: ebpf.Tracing, AttachType: ebpf.AttachTraceFEntry, AttachTo: function,
		License: "Dual BSD/GPL", Instructions: asm.Instructions{asm.Mov.Imm(asm.R0, 0), asm.Return()},
	}}}
	loader, err := newLoader(spec, false)
	if err != nil {
		return withSince(explain(op, err))
	}
	programs, err := loader.load(spec.Programs)
	if err != nil {
		return withSince(explain(op, err))
	}
	defer programs[name].Close()
	l, err := link.AttachTracing(link.TracingOptions{Program: programs[name]})
	if err != nil {
		return withSince(explain(op, err))
	}
	return l.Close()
}

// HasTarget reports whether the running kernel has the function or tracepoint that a tracing program
// names.
func HasTarget(p *ebpf.ProgramSpec) bool {
	kernel, err := kernelTypes()
	if err != nil {
		return false
	}
	t := targetOf(p)
	return len(kernel.only(t.kind, kernel.find(t.name)[t.name])) > 0
}

// TaskHasField reports whether the running kernel's task_struct has a member of that name.
func TaskHasField(name string) bool {
	kernel, err := kernelTypes()
	if err != nil {
		return false
	}
	types, err := kernel.subset(kernel.only(kindStruct, kernel.find("task_struct")["task_struct"]))
	if err != nil {
		return false
	}
	var task *btf.Struct
	if err := types.TypeByName("task_struct", &task); err != nil {
		return false
	}
	for _, m := range task.Members {
		if m.Name == name {
			return true
		}
	}
	return false
}

// withSince says which kernels have trampolines, where the want of one is what err reports.
func withSince(err error) error {
	var e *NotSupportedError
	if haveKernelTypes() && errors.As(err, &e) && !errors.Is(e.Err, unix.EPERM) {
		e.Since = "trampolines: amd64 5.5, arm64 6.4 with CONFIG_DYNAMIC_FTRACE_WITH_CALL_OPS"
	}
	return err
}
