package main

import (
	"context"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestCommandLine(t *testing.T) {
	cfg, err := parse([]string{
		"-kernel", "amd64-6.1,arm64-6.12", "-run", "A|B", "-v", "-parallel", "2", "-timeout", "3s", "-with", "./a,/b/c",
		"-cache", "some/dir", "./x", "./y/...", "--", "-test.short", "--", "z",
	}, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	wd, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	got := []any{
		cfg.Kernels[0].Name(), cfg.Kernels[1].Name(), cfg.Run, cfg.verbose, cfg.Parallel, cfg.Timeout, cfg.Programs,
		cfg.Cache.Dir, cfg.Packages, cfg.Args,
	}
	want := []any{
		"amd64-6.1", "arm64-6.12", "A|B", true, 2, 3 * time.Second, []string{"./a", "/b/c"},
		filepath.Join(wd, "some/dir"), []string{"./x", "./y/..."}, []string{"-test.short", "--", "z"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestPackagesDefaultToAll(t *testing.T) {
	cfg, err := parse([]string{"-cache", t.TempDir()}, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"./..."}, cfg.Packages); diff != "" || len(cfg.Kernels) != 4 {
		t.Errorf("%s, %d kernels", diff, len(cfg.Kernels))
	}
}

func TestWrongUsage(t *testing.T) {
	for _, line := range []string{
		"-kernel amd64-5.4", "-parallel 0", "-parallel 3", "-timeout 0s", "-nosuchflag", "-bin x ./y", "-bin x -run y", "./x -v",
	} {
		var stderr strings.Builder
		if code := run(t.Context(), strings.Fields(line), io.Discard, &stderr); code != exitUsage || stderr.Len() == 0 {
			t.Errorf("%s: exit code %d, standard error %q", line, code, stderr.String())
		}
	}
}

func TestListFetchesNothing(t *testing.T) {
	cache := t.TempDir()
	if err := os.Mkdir(filepath.Join(cache, "arm64-6.1"), 0o755); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{"vmlinuz": "MZ", "package": "linux-image-6.1.0-50-cloud-arm64\n"} {
		if err := os.WriteFile(filepath.Join(cache, "arm64-6.1", name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	var stdout, stderr strings.Builder
	if code := run(t.Context(), []string{"-list", "-cache", cache}, &stdout, &stderr); code != 0 || stderr.Len() != 0 {
		t.Errorf("exit code %d, standard error %q", code, stderr.String())
	}
	want := "amd64-6.1   not fetched\namd64-6.12  not fetched\narm64-6.1   linux-image-6.1.0-50-cloud-arm64\narm64-6.12  not fetched\n"
	if diff := cmp.Diff(want, stdout.String()); diff != "" {
		t.Error(diff)
	}
}

// actVariable makes the test binary one of the two processes of the test
// below, the go command, or the tool that it has started; or the command itself.
const (
	actVariable  = "KERNELMATRIX_CMD_TEST_ACT"
	fifoVariable = "KERNELMATRIX_CMD_TEST_FIFO"
)

func TestMain(m *testing.M) {
	switch os.Getenv(actVariable) {
	case "go":
		self, err := os.Executable()
		if err != nil {
			os.Exit(1)
		}
		cmd := exec.Command(self)
		cmd.Env = append(os.Environ(), actVariable+"=tool")
		cmd.Run()
		os.Exit(1)
	case "command":
		main()
	case "tool":
		ctx, cancel := withParent(context.Background())
		defer cancel()
		if f, err := os.OpenFile(os.Getenv(fifoVariable), os.O_WRONLY, 0); err == nil {
			f.WriteString("up\n")
			<-ctx.Done()
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

func TestToolEndsWithTheGoCommand(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	goCommand, fifo := filepath.Join(dir, "go"), filepath.Join(dir, "alive")
	if err := os.Symlink(self, goCommand); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(goCommand)
	cmd.Env = append(os.Environ(), actVariable+"=go", fifoVariable+"="+fifo)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	alive, err := os.Open(fifo) // blocks until the tool opens it too
	if err != nil {
		t.Fatal(err)
	}
	defer alive.Close()
	if _, err := io.ReadFull(alive, make([]byte, 3)); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	cmd.Wait()
	if err := alive.SetReadDeadline(time.Now().Add(30 * time.Second)); err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(io.Discard, alive); err != nil {
		t.Errorf("waiting for the end of the tool: %v", err)
	}
}

func TestReportThatNobodyReadsIsAnError(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	r.Close()
	defer w.Close()
	cmd := exec.Command(self, "-list", "-cache", t.TempDir())
	cmd.Env = append(os.Environ(), actVariable+"=command")
	cmd.Stdout = w
	if err := cmd.Run(); cmd.ProcessState.ExitCode() != exitError {
		t.Errorf("%v; a signal leaves behind what was built", err)
	}
}
