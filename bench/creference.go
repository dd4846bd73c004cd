//go:build linux

package main

import (
	"embed"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// sources are the references written in C, each one file.
//
//go:embed reference/*.c
var sources embed.FS

// libraries are what a reference is linked with, by its name. Boost as an archive: calls into a shared library
// take an instruction more.
var libraries = map[string][]string{"fiber": {"-l:libboost_context.a"}, "echo_load": {"-luring"}, "echo_uring": {"-luring"}, "uring": {"-luring"}}

// CProgram returns the path of a reference written in C, compiling it the first time.
func (e *Env) CProgram(name string) (string, error) {
	path := filepath.Join(e.dir, "c-"+name)
	if _, err := os.Stat(path); err == nil {
		return path, nil
	}
	text, err := sources.ReadFile("reference/" + name + ".c")
	if err != nil {
		return "", err
	}
	source := path + ".c"
	if err := os.WriteFile(source, text, 0o644); err != nil {
		return "", err
	}
	args := append([]string{"-O2", "-Wall", "-o", path, source}, libraries[name]...)
	out, err := e.command("gcc", args...).CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("compile %s.c: %w: %s", name, err, strings.TrimSpace(string(out)))
	}
	return path, nil
}

// c is a reference that prints one number, the value, and takes the processor as its last argument.
// Without gcc it is missing.
func c(label, program string, args ...string) Subject {
	return Subject{Label: label, Needs: "gcc", Measure: func(e *Env) (Sample, error) {
		path, err := e.CProgram(program)
		if err != nil {
			return Sample{}, err
		}
		value, err := e.number(path, append(args, strconv.Itoa(e.cpu))...)
		return Sample{Value: value}, err
	}}
}
