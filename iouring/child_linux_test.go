package iouring

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"strconv"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// longest is how long a test waits for what must happen. It is long because machines are slow, not because it
// takes that long.
const longest = 30 * time.Second

func itoa(n int) string { return strconv.Itoa(n) }

// children are what a child can do.
var children = map[string]func() error{
	"forbidden":        func() error { return forbidden(unix.EPERM, fs.ErrPermission, "seccomp") },
	"hidden":           func() error { return forbidden(unix.ENOSYS, errors.ErrUnsupported, "built without") },
	"shut out":         func() error { return shutOut(unix.EPERM) },
	"shut out, hidden": func() error { return shutOut(unix.ENOSYS) },
	"memlock":          memlock,
	"emfile":           emfile,
	"seven":            func() error { os.Exit(7); return nil },
}

func runChild(what string) int {
	f := children[what]
	if f == nil {
		fmt.Fprintf(os.Stderr, "no child %q\n", what)
		return 2
	}
	if err := f(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

// child runs one in a process of its own and fails where it does.
func child(t *testing.T, what string) {
	t.Helper()
	cmd := exec.Command("/proc/self/exe")
	cmd.Env = append(os.Environ(), childEnv+"="+what)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("child %s: %v\n%s", what, err, out)
	}
}
