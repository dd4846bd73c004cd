package main

import (
	"encoding/hex"
	"fmt"
	"path"
	"path/filepath"

	"github.com/ring3-go/ring3/asm"
	"github.com/ring3-go/ring3/asm/step"
)

// lessonRecord is ring3/lesson/v1; docs/json has what each field means, here and below.
type lessonRecord struct {
	Schema    string   `json:"schema"`
	Name      string   `json:"name"`
	Question  string   `json:"question"`
	Functions []string `json:"functions"`
	Output    []string `json:"output"`
}

func newLessonRecord(l *asm.Lesson) *lessonRecord {
	r := &lessonRecord{Schema: "ring3/lesson/v1", Name: l.Name, Question: l.Question, Functions: []string{}}
	for _, f := range l.Functions {
		r.Functions = append(r.Functions, f.Name)
	}
	return r
}

// codeRecord is ring3/code/v1.
type codeRecord struct {
	Schema       string              `json:"schema"`
	Lesson       string              `json:"lesson"`
	Function     string              `json:"function"`
	Entry        string              `json:"entry"`
	Instructions []instructionRecord `json:"instructions"`
}

func newCodeRecord(lesson string, f asm.Function) *codeRecord {
	r := &codeRecord{Schema: "ring3/code/v1", Lesson: lesson, Function: f.Name, Entry: hexAddr(uint64(f.Entry)), Instructions: []instructionRecord{}}
	for _, in := range step.Disassemble(f) {
		r.Instructions = append(r.Instructions, newInstructionRecord(&in))
	}
	return r
}

// instructionRecord is a part of ring3/code/v1 and ring3/step/v1.
type instructionRecord struct {
	PC     string `json:"pc"`
	Bytes  string `json:"bytes"`
	Text   string `json:"text"`
	GNU    string `json:"gnu"`
	Intel  string `json:"intel"`
	In     string `json:"in"`
	Offset uint64 `json:"offset_bytes"`
	File   string `json:"file"`
	Line   int    `json:"line"`
}

func newInstructionRecord(in *step.Instruction) instructionRecord {
	r := instructionRecord{
		PC: hexAddr(in.PC), Bytes: hex.EncodeToString(in.Bytes), Text: in.Go, GNU: in.GNU, Intel: in.Intel,
		In: in.Function, Offset: in.Offset, Line: in.Line,
	}
	if in.File != "" {
		r.File = path.Base(filepath.ToSlash(in.File))
	}
	return r
}

// stepRecord is ring3/step/v1.
type stepRecord struct {
	Schema   string `json:"schema"`
	Lesson   string `json:"lesson"`
	Function string `json:"function"`
	Number   int    `json:"number"`
	instructionRecord
	Next     string              `json:"next"`
	Regs     []registerRecord    `json:"regs"`
	Mem      []accessRecord      `json:"mem"`
	Fault    *faultRecord        `json:"fault"`
	Sequence []instructionRecord `json:"sequence"`
	Times    uint64              `json:"times"`
	Over     string              `json:"over"`
	Note     string              `json:"note"`
}

type registerRecord struct {
	Name   string `json:"name"`
	Bits   int    `json:"bits"`
	Before string `json:"before"`
	After  string `json:"after"`
}

type accessRecord struct {
	Access string  `json:"access"`
	Addr   string  `json:"addr"`
	Size   uint64  `json:"size_bytes"`
	Before *string `json:"before"`
	After  *string `json:"after"`
}

type faultRecord struct {
	Signal string `json:"signal"`
	Number int    `json:"number"`
	Code   int    `json:"code"`
	Name   string `json:"code_name"`
	Addr   string `json:"addr"`
	PC     string `json:"pc"`
}

func newStepRecord(lesson, function string, s *step.Step) *stepRecord {
	r := &stepRecord{
		Schema: "ring3/step/v1", Lesson: lesson, Function: function, Number: s.Number,
		instructionRecord: newInstructionRecord(&s.Instruction), Next: hexAddr(s.Next),
		Regs: []registerRecord{}, Mem: []accessRecord{}, Sequence: []instructionRecord{},
		Times: s.Times, Over: s.Over, Note: s.Note,
	}
	for _, reg := range s.Changed() {
		r.Regs = append(r.Regs, registerRecord{reg.Name, reg.Bits, reg.Before.Hex(reg.Bits), reg.After.Hex(reg.Bits)})
	}
	for _, a := range s.Memory {
		r.Mem = append(r.Mem, accessRecord{a.Kind.String(), hexAddr(a.Addr), a.Size, hexBytes(a.Before), hexBytes(a.After)})
	}
	for _, in := range s.Sequence {
		r.Sequence = append(r.Sequence, newInstructionRecord(&in))
	}
	if f := s.Fault; f != nil {
		r.Fault = &faultRecord{f.Signal, f.Number, f.Code, f.CodeName, hexAddr(f.Addr), hexAddr(f.PC)}
	}
	return r
}

func hexAddr(addr uint64) string { return fmt.Sprintf("%#x", addr) }

// hexBytes is nil, in JSON null, where memory could not be read.
func hexBytes(b []byte) *string {
	if b == nil {
		return nil
	}
	text := hex.EncodeToString(b)
	return &text
}
