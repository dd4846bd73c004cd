//go:build linux

package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"os"
	"strings"
	"syscall"
	"testing"
)

func TestProgramSaysThatSomethingIsMissing(t *testing.T) {
	e := &Env{ctx: t.Context()}
	for script, want := range map[string]string{
		"echo no ring here >&2; exit 3": "no ring here",
		"echo broke >&2; exit 1":        "",
		"echo no number":                "",
	} {
		_, err := e.number("/bin/sh", "-c", script)
		missing := missingError("")
		if errors.As(err, &missing); err == nil || string(missing) != want {
			t.Errorf("%s: error %v, missing %q", script, err, missing)
		}
	}
	if n, err := e.number("/bin/sh", "-c", "echo 2.5"); n != 2.5 || err != nil {
		t.Errorf("%v, %v", n, err)
	}
}

func TestProgramsEndWithTheBench(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cmd := (&Env{ctx: ctx}).command("/bin/sh", "-c", "echo up; read forever")
	stdin, err := cmd.StdinPipe() // open, so that nothing else ends it
	if err != nil {
		t.Fatal(err)
	}
	defer stdin.Close()
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if line, err := bufio.NewReader(stdout).ReadString('\n'); line != "up\n" {
		t.Fatalf("%q, %v", line, err)
	}
	cancel()
	cmd.Wait()
	if status, ok := cmd.ProcessState.Sys().(syscall.WaitStatus); !ok || status.Signal() != syscall.SIGKILL {
		t.Errorf("ended with %v", cmd.ProcessState)
	}
}

func TestUsage(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	for line, want := range map[string]error{"--help": nil, "--list raw-call": nil, "--runs 0": errUsage, "--nosuchflag": errUsage, "nosuchbenchmark": errUsage} {
		var stdout, stderr bytes.Buffer
		if err := run(t.Context(), strings.Fields(line), &stdout, &stderr); !errors.Is(err, want) || stdout.Len()+stderr.Len() == 0 {
			t.Errorf("%s: error %v, standard error %q", line, err, stderr.String())
		}
	}
	if left, err := os.ReadDir(os.TempDir()); len(left) > 0 || err != nil {
		t.Errorf("left behind: %v, %v", left, err)
	}
}
