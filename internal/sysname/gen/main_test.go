package main

import (
	"bytes"
	"errors"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"testing"
)

func TestCommittedTablesAreWhatTheSourceGives(t *testing.T) {
	module, err := moduleDir()
	if errors.Is(err, errNoSource) {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	for _, arch := range []string{"amd64", "arm64"} {
		want, err := table(module, arch)
		if err != nil {
			t.Fatal(err)
		}
		got, err := os.ReadFile(filepath.Join("..", tableFile(arch)))
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got, want) {
			t.Errorf("%s is not what the source gives; run go generate ./internal/sysname", tableFile(arch))
		}
	}
}

func TestNumbersRefusesWhatItWouldMisread(t *testing.T) {
	for _, tt := range []struct{ name, source string }{
		{"no constants", "package p"},
		{"two names for a number", "package p; const (SYS_A = 1; SYS_B = 1)"},
		{"computed value", "package p; const SYS_A = 1 + 1"},
		{"implied value", "package p; const (SYS_A = iota; SYS_B)"},
		{"negative", "package p; const SYS_A = -1"},
		{"x32 number", "package p; const SYS_A = 1073741824"},
		{"octal", "package p; const SYS_A = 0o17"},
		{"another prefix", "package p; const A = 1"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			file, err := parser.ParseFile(token.NewFileSet(), "p.go", tt.source, 0)
			if err != nil {
				t.Fatal(err)
			}
			if names, err := numbers(file); err == nil {
				t.Errorf("numbers = %q; want an error", names)
			}
		})
	}
}

func TestNumbersLeavesHolesEmpty(t *testing.T) {
	const source = "package p; const (SYS_READ = 0; SYS_ARCH_SPECIFIC_SYSCALL = 1; SYS__SYSCTL = 3)"
	file, err := parser.ParseFile(token.NewFileSet(), "p.go", source, 0)
	if err != nil {
		t.Fatal(err)
	}
	names, err := numbers(file)
	if err != nil {
		t.Fatal(err)
	}
	if len(names) != 4 || names[0] != "read" || names[1] != "" || names[2] != "" || names[3] != "_sysctl" {
		t.Errorf("numbers = %q", names)
	}
}
