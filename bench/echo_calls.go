//go:build linux

package main

import (
	"errors"
	"fmt"
	"io/fs"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
	"github.com/cilium/ebpf/link"
)

// echoCalls compares how often echo servers enter the kernel.
func echoCalls() Benchmark {
	const connections, requests = 64, 100_000
	count := func(label, library string) Subject {
		return Subject{Label: label, Needs: "gcc", Library: "liburing.so", Measure: func(e *Env) (s Sample, err error) {
			err = withEchoServer(e, library, func(pid int, port string) error {
				c, err := countCalls(pid)
				if errors.Is(err, fs.ErrPermission) {
					return missingError("needs root: " + err.Error())
				}
				if err != nil {
					return err
				}
				defer c.close()
				var at []uint64
				_, err = e.echoLoad(port, connections, requests, func() error {
					n, err := c.calls()
					at = append(at, n)
					return err
				})
				if err == nil {
					s.Value = float64(at[1]-at[0]) / requests
				}
				return err
			})
			return s, err
		}}
	}
	return Benchmark{
		Group: "echo", Name: "echo-calls", Unit: Calls, Per: "request",
		What:       fmt.Sprintf("TCP echo, %d connections, calls of the server", connections),
		Ours:       count("reactor, epoll", "ring3"),
		References: []Reference{{count("netpoll", "netpoll"), 0}, {count("std net", "net"), 0}, {count("gnet", "gnet"), 0}},
	}
}

// A callCounter is an eBPF program that counts the system calls of one process as they begin.
type callCounter struct {
	counts *ebpf.Map
	prog   *ebpf.Program
	link   link.Link
}

func countCalls(pid int) (c *callCounter, err error) {
	c = &callCounter{}
	defer func() {
		if err != nil {
			c.close()
		}
	}()
	c.counts, err = ebpf.NewMap(&ebpf.MapSpec{Type: ebpf.Array, KeySize: 4, ValueSize: 8, MaxEntries: 1})
	if err != nil {
		return c, err
	}
	c.prog, err = ebpf.NewProgram(&ebpf.ProgramSpec{
		Name: "count_calls", Type: ebpf.RawTracepoint, License: "Dual BSD/GPL",
		Instructions: asm.Instructions{
			asm.FnGetCurrentPidTgid.Call(),
			asm.RSh.Imm(asm.R0, 32), // the process; the thread is in the low half
			asm.JNE.Imm(asm.R0, int32(pid), "end"),
			asm.StoreImm(asm.R10, -4, 0, asm.Word),
			asm.Mov.Reg(asm.R2, asm.R10),
			asm.Add.Imm(asm.R2, -4),
			asm.LoadMapPtr(asm.R1, c.counts.FD()),
			asm.FnMapLookupElem.Call(),
			asm.JEq.Imm(asm.R0, 0, "end"),
			asm.Mov.Imm(asm.R1, 1),
			asm.StoreXAdd(asm.R0, asm.R1, asm.DWord), // its threads may be on two processors
			asm.Mov.Imm(asm.R0, 0).WithSymbol("end"),
			asm.Return(),
		},
	})
	if err != nil {
		return c, err
	}
	c.link, err = link.AttachRawTracepoint(link.RawTracepointOptions{Name: "sys_enter", Program: c.prog})
	return c, err
}

func (c *callCounter) calls() (n uint64, err error) {
	err = c.counts.Lookup(uint32(0), &n)
	return n, err
}

func (c *callCounter) close() {
	if c.link != nil {
		c.link.Close()
	}
	if c.prog != nil {
		c.prog.Close()
	}
	if c.counts != nil {
		c.counts.Close()
	}
}
